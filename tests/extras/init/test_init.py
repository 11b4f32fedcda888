"""charnn init: a config for a text."""
import json
import random

from tests.cli.support import Case


class Init(Case):
    def init(self, *arguments, **options):
        return self.run_charnn("init", *arguments, **options)

    def test_its_config_trains(self):
        done = self.init(self.text)
        for part in ("characters (UTF-8)", "entropy", "CPUs", "expect", "charnn train text.json"):
            self.assertIn(part, done.stdout.decode())
        config = (self.folder / "text.json").read_text()
        self.assertIn("    // ", config)
        self.run_charnn("train", self.path("text.json"), "--max-steps", "30", "--out", self.path("r"))
        self.assertEqual(json.loads((self.folder / "r/config.json").read_text())["data"]["files"], [self.text])

    def test_nothing_is_overwritten_unasked(self):
        self.write("text.json", "mine")
        self.refused("init", self.text, says=["text.json", "--overwrite"])
        self.assertEqual((self.folder / "text.json").read_text(), "mine")
        self.init(self.text, "--out", self.path("other.json"))
        self.init(self.text, "--overwrite")
        self.assertNotEqual((self.folder / "text.json").read_text(), "mine")

    def test_the_text_is_never_written_over(self):
        text = self.write("mine.json", "not a config but a text. " * 50)
        self.refused("init", text, "--overwrite", says=["the text itself"])
        self.refused("init", self.text, "--out", self.text, "--overwrite", says=["the text itself"])
        self.refused("init", self.text, "--out", "-", "--json", says=["--out FILE"])
        self.assertEqual(self.init(self.text, "--quiet").stdout, b"")

    def test_stdout_and_json(self):
        done = self.init(self.text, "--out", "-")
        self.run_charnn("train", self.write("c.json", done.stdout), "--max-steps", "3", "--out", self.path("r"))
        self.assertIn(b"entropy", done.stderr)
        self.assertFalse((self.folder / "text.json").exists())
        report = json.loads(self.init(self.text, "--json").stdout)
        self.assertEqual(report["chars"], len((self.folder / "text.txt").read_text()))
        self.assertEqual(report["lines"], 200)
        self.assertEqual(len(report["entropy_bits"]), 4)
        self.assertEqual(sorted(report["entropy_bits"], reverse=True), report["entropy_bits"])
        self.assertGreater(report["chars_per_second"], 0)

    def test_what_is_not_text(self):
        random.seed(1)
        data = self.write("noise.bin", bytes(random.randrange(256) for _ in range(3000)))
        done = self.init(data)
        self.assertIn(b"bytes (not UTF-8)", done.stdout)
        self.run_charnn("train", self.path("noise.json"), "--max-steps", "3", "--out", self.path("r"))

    def test_odd_texts(self):
        for name, text in {"tiny": "The cat sat on the mat.\n" * 2, "same": "a" * 5000, "crlf": "one\r\ntwo\r\n" * 100}.items():
            with self.subTest(name):
                done = self.init(self.write(f"{name}.txt", text))
                self.run_charnn("train", self.path(f"{name}.json"), "--max-steps", "3", "--out", self.path(name))
                if name == "crlf":
                    self.assertIn(b"carriage returns", done.stdout)

    def test_wrong_input(self):
        self.refused("init", says=["TEXT"])
        self.refused("init", self.path("missing.txt"), says=["missing.txt"])
        self.refused("init", self.write("empty.txt", ""), says=["empty"])
        self.refused("init", self.write("short.txt", "abc"), says=["3 characters", "longer text"])
        (self.folder / "none").mkdir()
        self.refused("init", self.path("none"), says=["no text files"])
        self.assertFalse((self.folder / "short.json").exists())
