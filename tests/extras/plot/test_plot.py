"""charnn plot, and the picture that training keeps."""
import xml.etree.ElementTree as ElementTree

from tests.cli.support import ROOT, Case


class Plot(Case):
    def svg(self, data):
        root = ElementTree.fromstring(data)
        self.assertTrue(root.tag.endswith("svg"))
        return [e.text for e in root.iter() if e.text], len([e for e in root.iter() if e.tag.endswith("polyline")])

    def test_one_run_and_many(self):
        self.train("a")
        self.train("b", "--lr", "0.01")
        words, lines = self.svg(self.out("plot", self.path("a")))
        self.assertIn("loss (nats per character)", words)
        self.assertIn("validation", words)
        self.assertGreaterEqual(lines, 5)
        self.run_charnn("plot", self.path("a"), self.path("b"), "--out", self.path("both.svg"), "--val-only", "--x", "epochs")
        words, lines = self.svg((self.folder / "both.svg").read_bytes())
        self.assertIn("a validation", words)
        self.assertIn("b validation", words)
        self.assertIn("epoch", words)
        self.assertEqual(lines, 4)
        sketch = self.out("plot", self.path("a/metrics.jsonl"), "--terminal").decode()
        self.assertIn("gradient norm", sketch)
        self.assertLessEqual(max(map(len, sketch.splitlines())), 80)
        self.assertNotIn("\x1b", sketch)

    def test_training_keeps_a_picture(self):
        self.train("a", "--stop-at", "100")
        before = self.svg((self.folder / "a/loss.svg").read_bytes())
        self.run_charnn("train", "--resume", "--out", self.path("a"))
        picture = (self.folder / "a/loss.svg").read_bytes()
        self.assertNotEqual(self.svg(picture), before)
        self.train("b", "--quiet")
        whole = (self.folder / "b/loss.svg").read_bytes().replace(b"/b:", b"/a:")
        self.assertEqual(self.svg(picture), self.svg(whole), "what was before the resumption is in it")

    def test_a_schedule_before_training(self):
        words, lines = self.svg(self.out("plot", "--schedule", "configs/counting.json", cwd=ROOT))
        self.assertIn("learning rate", words)
        self.assertEqual(lines, 1)
        cosine = self.out("plot", "--schedule", "configs/counting.json", "--set", "schedule.kind=cosine", cwd=ROOT)
        self.assertIn(b"cosine, lr 0.005", cosine)
        config = self.write("c.json", '{"data": {"files": ["missing.txt"]}, "train": {"max_steps": 50, "epochs": 0}}')
        self.assertIn(b"cosine", self.out("plot", "--schedule", config), "without epochs the text does not matter")
        self.refused("plot", "--schedule", config, "--set", "train.epochs=2", says=["missing.txt"])

    def test_wrong_input(self):
        self.refused("plot", says=["charnn plot runs/"])
        self.refused("plot", self.path("nothing"), says=["nothing"])
        self.refused("plot", self.text, says=["line 1", "metrics.jsonl"])
        self.refused("plot", self.write("empty", ""), says=["empty"])
        self.train("a", "--max-steps", "20")
        self.refused("plot", self.path("a"), "--x", "parsecs", says=["--x"])
        self.refused("plot", self.path("a"), "--out", self.path("no/such/folder.svg"), code=1, says=["folder.svg"])
