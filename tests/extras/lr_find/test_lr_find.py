"""charnn lr-find."""
import json
import signal
import subprocess

from tests.cli.support import BINARY, Case

NETWORK = ["--layers", "1", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--sequence-length", "20"]


class LrFindCase(Case):
    def find(self, *arguments, **options):
        return self.run_charnn("lr-find", "--data", self.text, *NETWORK, *arguments, **options)

    def check_ctrl_c(self, *arguments):
        """A test that is interrupted prints nothing on stdout and leaves no file."""
        before = sorted(self.folder.iterdir())
        with subprocess.Popen([BINARY, "lr-find", "--data", self.text, *NETWORK, "--steps", "1000000", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertIn(b"1000000 steps", process.stderr.readline())  # the test has begun
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 130)
            self.assertEqual(process.stdout.read(), b"")
        self.assertEqual(sorted(self.folder.iterdir()), before)


class LrFind(LrFindCase):
    def test_suggests_and_leaves_nothing_behind(self):
        before = sorted(self.folder.iterdir())
        text = self.find().stdout.decode()
        self.assertRegex(text, r"\n  --lr 0\.\d+\n")
        self.assertIn("fell fastest at", text)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_json_is_the_same_every_time(self):
        first, second = (self.find("--json", "--steps", "100").stdout for _ in range(2))
        self.assertEqual(first, second)
        report = json.loads(first)
        self.assertEqual(len(report["curve"]), 100)
        self.assertLess(report["suggestion"], report["enough"])
        self.assertLessEqual(report["enough"], report["lowest"])
        self.assertNotEqual(self.find("--json", "--steps", "100", "--seed", "2").stdout, first)

    def test_the_suggestion_trains(self):
        rate = json.loads(self.find("--json").stdout)["suggestion"]
        losses = {}
        for lr in (rate, 1e-5, 3):
            self.train(f"r{lr}", *NETWORK, "--lr", str(lr), "--dropout", "0", "--on-divergence", "ignore")
            losses[lr] = [r["loss"] for r in self.metrics(f"r{lr}") if r["event"] == "eval"][-1]
        self.assertEqual(min(losses, key=losses.get), rate, losses)

    def test_a_range_that_ends_too_early(self):
        self.assertIn(b"Try a higher --max-lr", self.find("--max-lr", "1e-3").stdout)
        self.assertNotIn(b"Try a higher --max-lr", self.find().stdout)
        self.assertTrue(json.loads(self.find("--json", "--max-lr", "1e-3").stdout)["falls_at_end"])

    def test_quiet(self):
        self.assertEqual(self.find("--quiet").stderr, b"")

    def test_wrong_input(self):
        self.refused("lr-find", says=["data.files"])
        self.refused("lr-find", "--data", self.text, "--min-lr", "1", "--max-lr", "0.1", says=["--min-lr 1 --max-lr 0.1"])
        self.refused("lr-find", "--data", self.text, "--min-lr", "0", says=["--min-lr"])
        self.refused("lr-find", "--data", self.write("short", "abc"), says=["too few"])
        done = self.run_charnn("lr-find", "--data", self.text, *NETWORK, "--cell", "rnn", "--clip-norm", "0",
                               "--min-lr", "50", "--max-lr", "1000", code=3)
        self.assertIn(b"--min-lr", done.stderr)

    def test_ctrl_c(self):
        self.check_ctrl_c()
