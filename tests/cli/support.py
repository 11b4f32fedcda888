"""Runs the real binary in a folder of its own. CHARNN names the binary; EXTRAS, if set, which extras are built in."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BINARY = os.environ["CHARNN"]
EXTRAS = os.environ.get("EXTRAS", "bench init interactive lr_find play plot pytorch report score serve shell tensorboard").split()
ROOT = pathlib.Path(__file__).resolve().parents[2]

# Small and quick, but with everything in it: dropout, several layers, evaluations, an epoch that ends within the run.
SMALL = ["--layers", "2", "--hidden", "16", "--embedding", "8", "--dropout", "0.2", "--batch-size", "4",
         "--sequence-length", "20", "--epochs", "0", "--max-steps", "200", "--eval-every", "30",
         "--checkpoint-every", "25", "--log-every", "7", "--warmup-steps", "10"]

TEXT = "".join(f"The cat {i * i % 97} sat on the mat, and the dog {i % 13} saw it.\n" for i in range(200))


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="charnn-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.text = self.write("text.txt", TEXT)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def path(self, name):
        return str(self.folder / name)

    def run_charnn(self, *arguments, code=0, stdin=b"", cwd=None):
        """The finished process; its exit status must be `code`."""
        done = subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd or self.folder,
                              timeout=300)
        self.assertEqual(done.returncode, code, f"{arguments}\nstderr: {done.stderr.decode(errors='replace')}")
        return done

    def out(self, *arguments, **options):
        return self.run_charnn(*arguments, **options).stdout

    def train(self, out, *arguments, code=0):
        return self.run_charnn("train", "--data", self.text, *SMALL, "--out", self.path(out), *arguments, code=code)

    def refused(self, *arguments, code=2, says=()):
        """The message of a run that must end with `code`, nothing on stdout, and a hint in the message."""
        done = self.run_charnn(*arguments, code=code)
        self.assertEqual(done.stdout, b"")
        message = done.stderr.decode()
        for part in says:
            self.assertIn(part, message)
        self.assertTrue(message.startswith("charnn: "), message)
        return message

    def metrics(self, out, drop=("elapsed_seconds", "chars_per_second", "seconds", "seconds_left")):
        """metrics.jsonl without the times."""
        records = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in record.items() if k not in drop} for record in records]

    def same_file(self, a, b):
        self.assertEqual((self.folder / a).read_bytes(), (self.folder / b).read_bytes(), f"{a} and {b} differ")
