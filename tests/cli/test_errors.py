"""Wrong input: exit 2, what was found, what was expected, what to do; and nothing is left behind."""
import json
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
        self.refused_training(config, says=["c.json:1:", "train.batch_size", "a whole number"])
        config = self.write("c.json", '{"optimizer": {"lr": 1e999}}')
        self.refused_training(config, says=["c.json:1:"])
        config = self.write("c.json", '{"optimizer": {"lr": 0.1}')
        self.refused_training(config, says=["c.json:1:"])
        self.refused_training(self.path("none.json"), says=["none.json", "No such file"])

    def test_flag_mistakes(self):
        self.refused_training("--data", self.text, "--batch-size", "0", says=["--batch-size", "1 to"])
        self.refused_training("--data", self.text, "--hidden", "12x", says=["--hidden", "a whole number"])
        self.refused_training("--data", self.text, "--lr", "inf", says=["--lr"])
        self.refused_training("--data", self.text, "--cell", "lstn", says=["did you mean \"lstm\""])
        self.refused_training("--data", self.text, "--set", "train.lr=1", says=["unknown key", "optimizer.lr"])
        self.refused_training("--data", self.text, "--set", "x", says=["section.key=value"])
        self.refused_training("--data", self.text, "--val-fraction", "0.6", "--test-fraction", "0.5", says=["leave nothing"])
        self.refused_training("--data", self.text, "--document-separator", "\u20ac", says=["document_separator", "\u20ac", "never occurs"])
        self.refused("train", "--no-such-flag", says=["--no-such-flag", "--help-all"])
        self.refused("fly", says=['"fly"', "one of train"])

    def test_corpus_mistakes(self):
        self.refused_training(says=["no corpus", "--data FILE"])
        self.refused_training("--data", self.path("none.txt"), says=["none.txt", "No such file"])
        self.refused_training("--data", self.write("empty.txt", ""), says=["empty"])
        (self.folder / "none").mkdir()
        self.refused_training("--data", self.path("none"), says=["no text files"])
        self.refused_training("--data", "/dev/null", says=["not a regular file"])
        self.refused_training("--data", self.write("latin1.txt", b"caf\xe9 " * 2000), says=["invalid UTF-8 at byte 3", "0xe9", "--tokens bytes"])
        if os.geteuid() != 0:  # root may read everything
            secret = self.write("secret.txt", "x")
            os.chmod(secret, 0)
            self.refused_training("--data", secret, says=["Permission denied"])

    def test_wrong_kinds_of_file(self):
        utf16 = "so it is\n".encode("utf-16-le") * 200
        for name, content, says in (("t.gz", b"\x1f\x8b\x08\0" + b"\xff" * 50, ["gzip", "gunzip"]), ("t.pdf", b"%PDF-1.4\n\xff" * 50, ["PDF"]),
                                    ("mark.txt", b"\xff\xfe" + utf16, ["UTF-16", "iconv -f UTF-16 "]), ("plain.txt", utf16, ["iconv -f UTF-16LE"]),
                                    ("bad.txt", "déjà\nvu ".encode() + b"\xe9" + "à\n".encode() * 400, ["line 2, column 4", 'after "vu "', "iconv -c"])):
            self.refused_training(self.write(name, content), says=says)
        self.refused("sample", self.text, says=["is a text", f"charnn train {self.text}"])
        self.refused("sample", self.write("x.pt", b"PK\x03\x04" + b"\0" * 600), says=["torch.save", "safetensors.torch.save_file"])
        self.train("runs/one", "--max-steps", "2")
        self.refused("sample", self.path("runs"), says=["folder of runs", "runs/one"])
        self.refused("sample", self.path("runs/one"), "--prompt", "a\u00a0b", says=["U+00A0"])

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

    def test_slips(self):
        self.train("run", "--max-steps", "5")
        for typed, says in (("trian x", 'did you mean "train"?'), ("--seeed 1", "--help"), (self.text, f"charnn train {self.text}"),
                            ("train --hiden 64", "--hidden"), ("train --batch_size 20", "--batch-size"), ("train --epoch 3", "--epochs"),
                            ("train --learning-rate 0.01", "--lr"), ("sample run --temp 0.5", "--temperature"),
                            ("sample run hello", '--prompt "hello"'), ("sample run --seed abc", "a whole number"),
                            ("sample run --seed -1", "at least 0"), ("train --quite", "--quiet"), ("train --help-al", "--help-all")):
            self.assertLess(len(self.refused(*typed.split(), says=[says])), 300, typed)
        self.assertNotIn("did you mean", self.refused("train", self.text, "--cell", "transformer", "--out", self.path("r"), says=["lstm"]))
        self.refused("help", "nosuch", says=['"nosuch"'])
        self.assertEqual(self.out(), self.out("help"))
        self.assertEqual(self.out("help", "train"), self.out("train", "--help"))

    def test_texts_follow_train(self):
        more = self.write("more.txt", "and more. " * 50)
        self.run_charnn("train", self.text, more, *SMALL, "--cell", "LSTM", "--max-steps", "2", "--out", self.path("run"))
        config = json.loads((self.folder / "run" / "config.json").read_text())
        self.assertEqual((config["data"]["files"], config["model"]["cell"]), ([self.text, more], "lstm"))
        self.run_charnn("train", "--resume", self.path("run"), "--max-steps", "3")
        self.refused("train", "configs/counting.json", self.path("run/config.json"), says=["two configs"])

    def test_help_and_version(self):
        self.assertIn(b"charnn 0", self.out("--version"))
        for command in ([], ["train"], ["sample"], ["eval"], ["info"]):
            self.assertIn(b"Usage", self.out(*command, "--help"))
