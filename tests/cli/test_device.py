"""Training through LibTorch's operators, as on a GPU. DEVICE=cuda does it there."""
import os
import unittest

from tests.cli.support import Case

DEVICE = os.environ.get("DEVICE", "torch")
DROPOUT = ["--dropout", "0.2", "--input-dropout", "0.1", "--embedding-dropout", "0.1", "--output-dropout", "0.1",
           "--weight-dropout", "0.1", "--drop-state-probability", "0.1"]
DOCUMENTS = ["--document-separator", "\n", "--average-decay", "0.9", "--decoder-input", "sum"]
SHORT = ["--max-steps", "60"]
PLAIN = ["--dropout", "0", "--precision", "fp32", *SHORT]


class Devices(Case):
    def losses(self, out):
        return [r["loss"] for r in self.metrics(out) if r["event"] in ("step", "eval")]

    def near(self, a, b, places):
        a, b = self.losses(a), self.losses(b)
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b):
            self.assertAlmostEqual(x, y, places)

    def test_resumes_exactly(self):
        for cell, mask in (("lstm", "step"), ("gru", "window"), ("rnn", "step")):
            with self.subTest(cell=cell):
                given = ["--device", DEVICE, "--cell", cell, "--dropout-mask", mask, *DROPOUT, *DOCUMENTS, *SHORT]
                self.train(f"{cell}-whole", *given)
                self.train(f"{cell}-parts", *given, "--stop-at", "31")
                self.run_charnn("train", "--resume", "--out", f"{cell}-parts")
                for name in ("last", "best"):
                    self.same_file(f"{cell}-whole/{name}.safetensors", f"{cell}-parts/{name}.safetensors")

    def test_trains_as_a_cpu_does(self):
        for cell in ("lstm", "gru", "rnn"):
            for more in ([], DOCUMENTS):
                with self.subTest(cell=cell, more=more):
                    for device in ("cpu", DEVICE):
                        self.train(device, "--device", device, "--cell", cell, *PLAIN, *more, "--overwrite")
                    self.near("cpu", DEVICE, 3)

    def test_checkpoints_move_between_devices(self):
        given = [*PLAIN, *DOCUMENTS]
        self.train("cpu", *given, "--device", "cpu")
        for first, second in (("cpu", DEVICE), (DEVICE, "cpu")):
            out = f"{first}-{second}"
            started = self.train(out, *given, "--device", first, "--stop-at", "31")
            self.assertIn(f"; {first},", started.stderr.decode())
            self.assertIn(f"; {second},", self.run_charnn("train", "--resume", "--out", out, "--device", second).stderr.decode())
            self.near("cpu", out, 3)

    def test_processes_share_the_work(self):
        given = ["--device", DEVICE, *DROPOUT, *DOCUMENTS, "--shards", "2", *SHORT]
        self.train("one", *given)
        self.train("two", *given, "--processes", "2")
        self.same_file("one/last.safetensors", "two/last.safetensors")

    def test_bf16(self):
        given = ["--device", DEVICE, *DROPOUT, *DOCUMENTS, *SHORT]
        self.train("exact", *given, "--precision", "fp32")
        self.train("rounded", *given, "--precision", "bf16")
        self.near("exact", "rounded", 1)
        self.assertNotEqual(self.losses("exact"), self.losses("rounded"))
        if DEVICE == "torch":
            for precision in ("tf32", "fp16"):
                self.refused("train", "--data", self.text, "--device", "torch", "--precision", precision, "--out", "no",
                             says=["on a CPU"])


if __name__ == "__main__":
    unittest.main()
