"""Files of strangers and wrong files: refused with exit 2 and a message that helps; nothing of them acts on a terminal."""
import io
import json
import os
import pickle
import pty
import struct
import subprocess
import unittest
import zipfile

from tests.cli.support import BINARY, EXTRAS, Case

ESCAPE = "\x1b]0;gotcha\x07\x1b[31m"  # sets a terminal's title, then turns it red


def other_safetensors():
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2)


def torch_zip():
    """As torch.save() writes it: a zip file with a pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"model_state_dict": {}}))
    return file.getvalue()


class WrongFiles(Case):
    def wrong_files(self):
        yield self.write("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
        yield self.write("empty", b"")
        yield self.write("model.pt", torch_zip())
        yield self.write("other.safetensors", other_safetensors())
        yield self.write("text", "This is text, not what was asked for.\n" * 100)
        sparse = self.write("sparse", b"")
        os.truncate(sparse, 5 << 30)
        yield sparse
        os.mkfifo(self.path("fifo"))
        yield self.path("fifo")
        yield self.folder
        yield "/dev/zero"
        yield "/dev/null"
        yield self.path("missing")

    def test_every_reader_refuses_every_wrong_file(self):
        self.train("run", "--max-steps", "5")
        for wrong in list(self.wrong_files()):
            # What is text or bytes is a text to learn from, and a prompt.
            is_text = wrong == self.folder or (os.path.isfile(wrong) and os.path.basename(wrong) in ("text", "sparse"))
            commands = [["info", wrong], ["sample", wrong], ["eval", wrong], ["train", "--data", self.text, "--init-from", wrong, "--out", self.path("new")]]
            if "plot" in EXTRAS:
                commands.append(["plot", wrong])
            if not is_text:
                commands += [["train", wrong, "--out", self.path("new")],
                             ["train", "--data", wrong, "--out", self.path("new")], ["eval", self.path("run"), "--data", wrong]]
            if not is_text and os.path.basename(wrong) != "empty":
                commands += [["sample", self.path("run"), "--prompt-file", wrong]]
            for command in commands:
                with self.subTest(command=command):
                    message = self.refused(*command, says=[])
                    self.assertRegex(message, r"expected: |hint: ")
                    self.assertFalse(os.path.exists(self.path("new")))

    def test_a_run_folder_leads_nowhere_else(self):
        victim = self.folder / "victim"
        for name in ("train.log", ".lock", "last.safetensors.tmp", "metrics.jsonl", "config.json.tmp"):
            self.train("run", "--max-steps", "5", "--overwrite")
            victim.write_text("precious")
            link = self.folder / "run" / name
            link.unlink(missing_ok=True)
            link.symlink_to(victim)
            subprocess.run([BINARY, "train", "--resume", "--out", self.path("run"), "--max-steps", "8"], capture_output=True, timeout=60)
            self.assertEqual(victim.read_text(), "precious", name)
            link.unlink(missing_ok=True)
        self.train("run", "--max-steps", "5", "--overwrite")
        os.remove(self.path("run/train.log"))
        os.mkfifo(self.path("run/train.log"))
        self.refused("train", "--resume", "--out", self.path("run"), says=["train.log"])

    def test_a_run_folder_of_wrong_files(self):
        for name, says in (("last.safetensors", ["header length"]), ("config.json", ["config.json:1:"]), ("metrics.jsonl", ["metrics", "move it away"])):
            self.train("run", "--max-steps", "5", "--overwrite")
            (self.folder / "run" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
            self.refused("train", "--resume", "--out", self.path("run"), says=says)


class Terminals(Case):
    def on_terminal(self, *arguments):
        leader, follower = pty.openpty()
        with subprocess.Popen([BINARY, *map(str, arguments)], stdout=follower, stderr=follower, stdin=subprocess.DEVNULL) as process:
            os.close(follower)
            text = b""
            try:
                while part := os.read(leader, 1 << 16):
                    text += part
            except OSError:  # the other end is closed
                pass
            os.close(leader)
            process.wait()
        return text

    def test_names_do_not_act(self):
        name = self.path(ESCAPE)
        extras = [[command, name] for command in ("plot", "init") if command in EXTRAS]
        for command in (["info", name], ["sample", name], ["train", name], ["train", "--data", name],
                        ["train", "--" + ESCAPE], ["train", "--cell", ESCAPE], ["train", "--set", ESCAPE],
                        ["train", "--resume", "--out", name], *extras):
            text = self.on_terminal(*command)
            self.assertNotIn(b"\x1b", text, command)
            self.assertIn(b"\\x1b", text, command)

    def test_a_vocabulary_does_not_act(self):
        text = self.write(ESCAPE + ".txt", (ESCAPE + "\u202e\x9b\r\n") * 500)
        out = self.path("run" + ESCAPE)
        self.run_charnn("train", "--data", text, "--out", out, "--hidden", "8", "--layers", "1", "--batch-size", "4",
                        "--sequence-length", "10", "--max-steps", "30", "--epochs", "0", "--warmup-steps", "0")
        for command in (["info", out], ["eval", out], ["sample", out, "--seed", "1"],
                        ["sample", out, "--num", "2", "--seed", "1"]):
            shown = self.on_terminal(*command)
            self.assertNotIn(b"\x1b", shown, command)
            self.assertNotIn("\u202e".encode(), shown, command)
            self.assertTrue(b"x1b" in shown or b"u001b" in shown or b"U+001B" in shown, shown)
        self.assertIn(b"\x1b", self.on_terminal("sample", out, "--seed", "1", "--raw"))
        self.assertIn(b"\x1b", self.out("sample", out, "--seed", "1"), "in a pipe, text is what the network wrote")
        shown = self.on_terminal("train", "--resume", "--out", out, "--max-steps", "60", "--eval-every", "20", "--quiet")
        self.assertNotIn(b"\x1b]", shown)


if __name__ == "__main__":
    unittest.main()
