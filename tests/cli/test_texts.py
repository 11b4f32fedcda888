"""Any text: odd ones, huge ones, ones that change, ones made of documents."""
import json
import os
import subprocess
import time
import unittest

from tests.cli.support import BINARY, SMALL, Case

TINY = ["--hidden", "8", "--layers", "1", "--embedding", "4", "--batch-size", "2", "--sequence-length", "5", "--epochs", "0",
        "--warmup-steps", "0", "--max-steps", "20", "--eval-every", "0", "--checkpoint-every", "0"]


class OddTexts(Case):
    def symbols(self, content, *arguments):
        """The symbols of a run's vocabulary, after training on `content` and sampling from it."""
        self.run_charnn("train", "--data", self.write("odd.txt", content), *TINY, *arguments, "--out", self.path("odd"), "--overwrite")
        report = json.loads(self.out("info", self.path("odd"), "--json"))
        self.assertEqual(len(self.out("sample", self.path("odd"), "--length", "20", "--seed", "1").decode(errors="replace")) > 0, True)
        return report["symbols"]

    def test_nothing_is_changed_or_left_out(self):
        self.assertEqual(self.symbols("one\r\ntwo\r\n" * 50), sorted(set("one\r\ntwo")), "CRLF stays as it is")
        self.assertEqual(self.symbols("\ufeffabc" * 50), ["a", "b", "c", "\ufeff"], "a BOM is a character like any other")
        self.assertEqual(self.symbols("a\0b" * 50), ["\0", "a", "b"], "NUL too")
        self.assertEqual(self.symbols("abc" * 50 + "d"), ["a", "b", "c", "d"], "the last line needs no newline")

    def test_one_character(self):
        self.assertEqual(self.symbols("a" * 500), ["a"])
        self.assertEqual(self.out("sample", self.path("odd"), "--length", "5", "--seed", "1"), b"aaaaa")
        loss = json.loads(self.out("eval", self.path("odd"), "--json"))["nats_per_char"]
        self.assertEqual(loss, 0, "there is nothing to predict")

    def test_very_many_characters(self):
        count = 20_000 if "asan" in BINARY else 200_000  # the sanitizers take minutes for more
        text = "".join([chr(c) for c in range(0x20, 0x110000) if not 0xd800 <= c < 0xe000][:count])
        symbols = self.symbols(text)
        self.assertEqual(len(symbols), count)
        self.assertIn(b"and %d more" % (count - 300), self.out("info", self.path("odd")))
        first = self.out("sample", self.path("odd"), "--length", "5", "--seed", "1")
        self.assertEqual(self.out("sample", self.path("odd"), "--length", "5", "--seed", "1"), first)

    def test_a_line_of_a_gigabyte(self):
        path = self.write("line.txt", "a")
        os.truncate(path, 1 << 30)  # then it is NUL throughout, and takes no room
        for tokens in ("bytes", "chars"):
            done = subprocess.Popen([BINARY, "train", "--data", path, *TINY, "--tokens", tokens, "--val-fraction", "0.0000001", "--out", self.path(tokens)],
                                    stderr=subprocess.PIPE)
            most = 0
            while done.poll() is None:
                try:
                    with open(f"/proc/{done.pid}/status") as status:
                        most = max([most] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
                except OSError:
                    pass
                time.sleep(0.05)
            done.stderr.close()
            self.assertEqual(done.returncode, 0)
            if "asan" not in BINARY:  # which takes memory of its own
                self.assertLess(most, 600_000, "KB: memory does not grow with the text")


class ChangingTexts(Case):
    def begin(self, *arguments):
        """A training that goes on until something stops it."""
        process = subprocess.Popen([BINARY, "train", "--data", self.text, *SMALL, "--max-steps", "1000000", "--out", self.path("r"), *arguments],
                                   stderr=subprocess.PIPE)
        while not os.path.exists(self.path("r/best.safetensors")):
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process

    def refused_in_the_middle(self, process, says):
        message = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, 2, message)
        self.assertIn(says, message)
        saved = json.loads(self.out("info", self.path("r"), "--checkpoint", "last", "--json"))["step"]
        self.assertGreater(saved, 0)
        return saved

    def test_a_text_that_shrinks_is_an_error_and_costs_nothing(self):
        process = self.begin("--checkpoint-every", "100000", "--eval-every", "30")
        os.truncate(self.text, 100)
        self.refused_in_the_middle(process, "text.txt has")

    def test_a_text_that_is_written_to_is_an_error(self):
        whole = (self.folder / "text.txt").read_bytes()
        process = self.begin()
        with open(self.text, "r+b") as file:  # never shorter meanwhile
            file.write(whole[:-1] + b"!")
        saved = self.refused_in_the_middle(process, "has changed while it was in use")
        self.refused("train", "--resume", "--out", self.path("r"), says=["the corpus has changed since this run began"])
        self.write("text.txt", whole)
        self.run_charnn("train", "--resume", "--out", self.path("r"), "--max-steps", saved + 3)

    def test_a_text_that_is_replaced_is_an_error(self):
        process = self.begin()
        os.replace(self.write("other.txt", (self.folder / "text.txt").read_bytes()), self.text)
        self.refused_in_the_middle(process, "another file has taken its place")

    def test_a_text_that_grows_is_an_error(self):
        process = self.begin()
        with open(self.text, "a") as file:
            file.write("more")
        self.refused_in_the_middle(process, "has changed while it was in use")


class ChangedTexts(Case):
    def test_a_change_that_leaves_size_and_time_alone_is_found(self):
        big = self.write("big.txt", "The quick brown f\u00f6x jumps over the lazy dog.\n".encode() * 40_000)
        self.run_charnn("train", "--data", big, *TINY, "--val-fraction", "0.01", "--out", self.path("r"))
        times = os.stat(big)
        with open(big, "r+b") as file:
            file.seek(1_000_001)
            file.write(b"Q")
        os.utime(big, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.refused("train", "--resume", "--out", self.path("r"), "--max-steps", "40", says=["the corpus has changed"])


class Documents(Case):
    def setUp(self):
        super().setUp()
        names = ["ada", "bob", "cyd", "dora", "eve", "fay"]
        self.names = self.write("names.txt", "".join(names[(i * i + i // 5) % 6] + "\n" for i in range(3000)))
        self.trained = ["--data", self.names, "--document-separator", "\n", "--hidden", "24", "--layers", "1", "--batch-size", "8",
                        "--sequence-length", "20", "--epochs", "0", "--max-steps", "400", "--lr", "0.01", "--warmup-steps", "0", "--eval-every", "200"]

    def test_a_sample_can_be_one_document(self):
        self.run_charnn("train", *self.trained, "--out", self.path("r"))
        texts = {self.out("sample", self.path("r"), "--one-document", "--seed", seed, "--temperature", "0.5").decode().removesuffix("\n")
                 for seed in range(12)}
        self.assertLessEqual(texts, {"ada", "bob", "cyd", "dora", "eve", "fay"}, "a name, without the separator")
        self.assertGreater(len(texts), 1)
        lines = self.out("sample", self.path("r"), "--one-document", "--num", "12", "--seed", "0", "--temperature", "0.5").splitlines()
        self.assertEqual({json.loads(line)["text"] for line in lines}, texts)
        self.assertEqual(self.out("sample", self.path("r"), "--one-document", "--prompt", "do", "--temperature", "0"), b"dora\n")

    def test_one_document_follows_another(self):
        self.run_charnn("train", *self.trained, "--out", self.path("r"))
        known = {"ada", "bob", "cyd", "dora", "eve", "fay"}
        text = self.out("sample", self.path("r"), "--length", "200", "--seed", "1", "--temperature", "0.5").decode()
        self.assertLessEqual(set(text.split("\n")[:-1]), known)
        lines = self.out("sample", self.path("r"), "--length", "40", "--temperature", "0").decode().split("\n")[:-1]
        self.assertEqual(len(set(lines)), 1, "each begins anew, so that the likeliest is always the same")
        continued = self.out("sample", self.path("r"), "--prompt", "ada\nd", "--one-document", "--temperature", "0", "--no-echo")
        self.assertEqual(continued, b"ora\n")
        # A network made of this one reads documents too.
        self.run_charnn("train", "--init-from", self.path("r"), *TINY, "--out", self.path("more"), "--data", self.names, code=2)
        self.run_charnn("train", "--init-from", self.path("r"), "--data", self.names, "--max-steps", "2", "--epochs", "0", "--out", self.path("more"))
        self.assertIn(json.loads((self.folder / "more/config.json").read_text())["data"]["document_separator"], "\n")

    def test_resuming_is_exact(self):
        self.run_charnn("train", *self.trained, "--out", self.path("whole"))
        self.run_charnn("train", *self.trained, "--out", self.path("parts"), "--stop-at", "130")
        self.run_charnn("train", "--resume", "--out", self.path("parts"))
        self.same_file("whole/best.safetensors", "parts/best.safetensors")
        self.same_file("whole/last.safetensors", "parts/last.safetensors")
        self.refused("train", "--resume", "--out", self.path("parts"), "--document-separator", "a", says=["as this run began"])

    def test_a_continuous_text_has_no_documents(self):
        self.train("r", "--max-steps", "5")
        self.refused("sample", self.path("r"), "--one-document", says=["--document-separator"])
        self.refused("train", "--data", self.text, *SMALL, "--document-separator", r"\\n", "--out", self.path("x"), says=["document_separator", "never occurs"])


class Kept(Case):
    def test_checkpoints_that_stay(self):
        self.train("r", "--keep-every", "40", "--keep", "3")
        steps = sorted(p.name for p in (self.folder / "r").glob("step-*"))
        self.assertEqual(steps, ["step-120.safetensors", "step-160.safetensors", "step-200.safetensors"])
        self.same_file("r/step-200.safetensors", "r/last.safetensors")
        self.assertEqual(json.loads(self.out("info", self.path("r"), "--checkpoint", "120", "--json"))["step"], 120)
        self.refused("sample", self.path("r"), "--checkpoint", "80", says=["120, 160, 200"])
        # Resuming changes nothing of it.
        self.train("parts", "--keep-every", "40", "--keep", "3", "--stop-at", "130")
        self.run_charnn("train", "--resume", "--out", self.path("parts"))
        for step in (120, 160, 200):
            self.same_file(f"r/step-{step}.safetensors", f"parts/step-{step}.safetensors")
        self.train("r", "--overwrite", "--max-steps", "5")
        self.assertEqual(list((self.folder / "r").glob("step-*")), [])


if __name__ == "__main__":
    unittest.main()


class ManyFiles(Case):
    def setUp(self):
        super().setUp()
        for name in ("a.py", "b.py", "deep/c.py", ".git/d.py", "notes.txt"):
            path = self.folder / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {name}\nprint('{name}')\n" * 40)
        (self.folder / "src" / "e.bin").write_bytes(b"\0\1" * 100)

    def characters(self, *data):
        done = self.run_charnn("train", *data, *TINY, "--out", self.path("r"), "--overwrite")
        self.message = done.stderr.decode()
        return json.loads(self.out("eval", self.path("r"), "--split", "all", "--json"))["chars"]

    def test_folders_patterns_lists_and_stdin(self):
        files = [self.path("src/" + name) for name in ("a.py", "b.py", "deep/c.py", "notes.txt")]
        sizes = [os.path.getsize(file) for file in files]
        self.assertEqual(self.characters(self.path("src")), sum(sizes))
        for part in ("1 hidden", ".git", "1 binary", "e.bin"):
            self.assertIn(part, self.message)
        self.assertEqual(self.characters(self.path("src/*.py")), sum(sizes[:2]))
        self.assertEqual(self.characters("--data", files[0], files[3]), sizes[0] + sizes[3], "as a shell expands a pattern")
        self.assertEqual(self.characters("@" + self.write("list", "\n".join(files[:3]))), sum(sizes[:3]))
        self.run_charnn("train", "-", *TINY, "--out", self.path("p"), stdin=b"from a pipe. " * 50)
        self.run_charnn("train", "--resume", self.path("p"), "--max-steps", "30", stdin=b"from a pipe. " * 50)
        self.refused("train", "--resume", self.path("p"), "--max-steps", "40", says=["empty"])
        self.assertTrue((self.folder / "r").exists())

    def test_files_are_documents(self):
        self.run_charnn("train", self.path("src"), "--documents", "files", *TINY, "--max-steps", "60", "--out", self.path("r"))
        config = json.loads((self.folder / "r/config.json").read_text())["data"]
        self.assertEqual((config["document_separator"], config["order"]), ("\x1c", "shuffled"))
        self.out("sample", self.path("r"), "--one-document", "--num", "2")
        self.refused("train", self.path("src"), "--documents", "files", "--document-separator", "\n", says=["leave the separator out"])


class Lists(Case):
    def setUp(self):
        super().setUp()
        self.words = sorted({f"{a}{b}{c}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "aeiou" for c in ("st", "nd", "l")})
        self.list = self.write("words.txt", "\n".join(self.words) + "\n")

    def test_a_sorted_list(self):
        done = self.run_charnn("train", self.list, *TINY, "--out", self.path("plain"))
        self.assertIn(b"sorted", done.stderr)
        done = self.run_charnn("train", self.list, *TINY, "--document-separator", r"\n", "--out", self.path("r"))
        self.assertNotIn(b"sorted", done.stderr)
        self.assertEqual(json.loads((self.folder / "r/config.json").read_text())["data"]["order"], "shuffled")
        for run in ("plain", "r"):
            self.run_charnn("train", "--resume", self.path(run), "--max-steps", "400", "--lr", "0.02")
        losses = [json.loads(self.out("eval", self.path(run), "--json"))["nats_per_char"] for run in ("plain", "r")]
        self.assertLess(losses[1], losses[0], "validation has letters that were trained on")
        self.refused("train", self.text, *TINY, "--document-separator", "qq", "--out", self.path("x"), says=["document_separator"])

    def test_resuming_keeps_the_order(self):
        options = ["--document-separator", r"\n", "--eval-every", "7", *TINY[:-6], "--max-steps", "40"]
        self.run_charnn("train", self.list, *options, "--out", self.path("whole"))
        self.run_charnn("train", self.list, *options, "--out", self.path("parts"), "--stop-at", "17")
        self.run_charnn("train", "--resume", self.path("parts"))
        self.same_file("whole/last.safetensors", "parts/last.safetensors")

    def test_runs_from_before_stay_in_order(self):
        self.run_charnn("train", self.list, *TINY, "--document-separator", r"\n", "--order", "as_is", "--out", self.path("old"))
        path = self.folder / "old/config.json"
        config = json.loads(path.read_text())
        for key in ("order", "shuffle_seed", "documents"):
            del config["data"][key]
        path.write_text(json.dumps(config))
        self.run_charnn("train", "--resume", self.path("old"), "--max-steps", "25")
        self.assertEqual(json.loads(path.read_text())["data"]["order"], "as_is")
