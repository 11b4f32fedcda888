"""Wrong input: exit 2, what was found, what was expected, what to do; and nothing is left behind."""
import os

from tests.cli.support import SMALL, Case


class Errors(Case):
    def refused_training(self, *arguments, says):
        message = self.refused("train", *arguments, "--out", self.path("r"), says=says)
        self.assertFalse((self.folder / "r").exists(), "a refused run leaves nothing behind")
        return message

    def test_config_mistakes_name_their_place(self):
        config = self.write("c.json", '{\n  "train": {\n    "batchsize": 3\n  }\n}')
        self.refused_training(config, says=["c.json:3:5", "train.batchsize", "train.batch_size"])
        config = self.write("c.json", '{"train": {"batch_size": "many"}}')
        self.refused_training(config, says=["c.json:1:", "train.batch_size", "an integer"])
        config = self.write("c.json", '{"optimizer": {"lr": 1e999}}')
        self.refused_training(config, says=["c.json:1:"])
        config = self.write("c.json", '{"optimizer": {"lr": 0.1}')
        self.refused_training(config, says=["c.json:1:"])
        self.refused_training(self.path("none.json"), says=["none.json", "No such file"])

    def test_flag_mistakes(self):
        self.refused_training("--data", self.text, "--batch-size", "0", says=["--batch-size", "1 to"])
        self.refused_training("--data", self.text, "--hidden", "12x", says=["--hidden", "an integer"])
        self.refused_training("--data", self.text, "--lr", "inf", says=["--lr"])
        self.refused_training("--data", self.text, "--cell", "lstn", says=["did you mean \"lstm\""])
        self.refused_training("--data", self.text, "--set", "train.lr=1", says=["unknown key", "optimizer.lr"])
        self.refused_training("--data", self.text, "--set", "x", says=["section.key=value"])
        self.refused_training("--data", self.text, "--val-fraction", "0.6", "--test-fraction", "0.5", says=["leave nothing"])
        self.refused_training("--data", self.text, "--document-separator", "\u20ac", says=["document_separator", "'\u20ac'"])
        self.refused("train", "--no-such-flag", says=["--no-such-flag", "--help"])
        self.refused("fly", says=["--help"])
        self.refused(says=["subcommand"])

    def test_corpus_mistakes(self):
        self.refused_training(says=["no corpus", "--data FILE"])
        self.refused_training("--data", self.path("none.txt"), says=["none.txt", "No such file"])
        self.refused_training("--data", self.write("empty.txt", ""), says=["empty"])
        self.refused_training("--data", self.folder, says=["is a directory"])
        self.refused_training("--data", "/dev/null", says=["not a regular file"])
        self.refused_training("--data", self.write("latin1.txt", b"caf\xe9 " * 2000), says=["invalid UTF-8 at byte 3", "0xe9", "--tokens bytes"])
        if os.geteuid() != 0:  # root may read everything
            secret = self.write("secret.txt", "x")
            os.chmod(secret, 0)
            self.refused_training("--data", secret, says=["Permission denied"])

    def test_preflight_names_what_fits(self):
        short = self.write("short.txt", "0123456789" * 20)
        self.refused_training("--data", short, says=["180 characters", "50 x 50 + 1 = 2501", "--batch-size 3 at most", "--sequence-length 3 at most"])
        self.refused_training("--data", short, "--batch-size", "2", "--sequence-length", "5", "--val-fraction", "0.001", says=["validation part", "--val-fraction 0.01"])
        self.refused_training("--data", short, "--batch-size", "1000000", "--sequence-length", "1000000", says=["1000000 x 1000000 + 1 = 1000000000001"])

    def test_plan_without_an_end(self):
        self.refused_training("--data", self.text, "--epochs", "0", says=["at least one limit"])

    def test_missing_gpu(self):
        self.refused_training("--data", self.text, *SMALL, "--device", "cuda", says=["CUDA", "--device cpu"])

    def test_run_folder_in_the_way(self):
        self.write("r", "a file")
        self.refused("train", "--data", self.text, *SMALL, "--out", self.path("r"), says=["run folder"])

    def test_files_that_are_no_checkpoints(self):
        for name, content in (("empty", b""), ("png", b"\x89PNG\r\n\x1a\n" + bytes(100)), ("text", b"hello, this is text, not a model")):
            for command in ("sample", "eval", "info"):
                self.refused(command, self.write(name, content), says=[name, "expected:"])
        os.mkdir(self.path("folder"))
        self.refused("sample", self.path("folder"), says=["has no checkpoint", "charnn train"])

    def test_damaged_checkpoint(self):
        self.train("good", "--max-steps", "3")
        data = bytearray((self.folder / "good/last.safetensors").read_bytes())
        data[-5] ^= 1
        self.refused("info", self.write("bad.safetensors", bytes(data)), says=["checksum"])
        self.refused("info", self.write("cut.safetensors", bytes(data[:-100])), says=["cut.safetensors"])

    def test_help_and_version(self):
        self.assertIn(b"charnn 0", self.out("--version"))
        for command in ([], ["train"], ["sample"], ["eval"], ["info"]):
            self.assertIn(b"Usage", self.out(*command, "--help"))
