"""charnn bench: figures that can be right, as a table and as JSON."""
import json

from tests.cli.support import Case

SMALL = ["--hidden", "16", "--embedding", "8", "--batch-size", "4", "--sequence-length", "10", "--seconds", "0.02"]


class Bench(Case):
    def test_json_holds_every_combination(self):
        report = json.loads(self.out("bench", *SMALL, "--threads", "1", "--json"))
        self.assertIn(report["bf16_unit"], ["none", "AVX-512 BF16", "AMX"])
        precisions = {r["precision"] for r in report["train"]}
        both = {"fp32", "bf16"}  # AVX-512 BF16 is fast on some processors only
        self.assertIn(precisions, {"none": [{"fp32"}], "AMX": [both]}.get(report["bf16_unit"], [{"fp32"}, both]))
        for record in report["train"]:
            self.assertEqual((record["hidden"], record["batch_size"], record["threads"]), (16, 4, 1))
            self.assertGreater(record["chars_per_second"], 0)
            self.assertGreater(record["peak_mb"], record["base_mb"] / 2)
            self.assertAlmostEqual(record["gflops"] * 1e9 / record["chars_per_second"],
                                   6 * (4 * 16 * 16 * 3 + 16 * 65), delta=1)
            self.assertLess(record["loss"], 4.5, "about log 65, or less once it has learned the batch by heart")
        self.assertEqual({r["precision"] for r in report["score"]}, precisions)
        for record in report["score"]:
            self.assertAlmostEqual(record["gflops"] * 1e9 / record["chars_per_second"], 2 * (4 * 16 * 16 * 3 + 16 * 65), delta=1)
        self.assertEqual({(r["streams"], r["weights"]) for r in report["sample"]},
                         {(1, "fp32"), (1, "bf16"), (1, "int8"), (64, "fp32")})

    def test_table_and_parts(self):
        text = self.out("bench", *SMALL, "--threads", "1", "--precision", "fp32", "--only", "train").decode()
        self.assertIn("lstm 2 x 16, 4 x 10", text)
        self.assertNotIn("sampling", text)
        self.assertIn("sampling", self.out("bench", *SMALL, "--threads", "1", "--only", "sample").decode())
        self.assertIn("scoring", self.out("bench", *SMALL, "--threads", "1", "--only", "score").decode())

    def test_another_device(self):
        report = json.loads(self.out("bench", *SMALL, "--device", "torch", "--only", "train", "--json"))
        self.assertEqual(report["device"], "torch")
        self.assertEqual([r["precision"] for r in report["train"]], ["fp32"])
        self.assertNotIn("products", report)
        self.refused("bench", *SMALL, "--device", "torch", "--precision", "fp16", says=["a GPU's"])

    def test_refusals(self):
        self.refused("bench", "--hidden", "0", says=["from 1 to 65536"])
        self.refused("bench", "--only", "eval")
        self.refused("bench", self.path("none.json"), says=["none.json"])
