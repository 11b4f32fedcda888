"""charnn train as a new user meets it: run folder, output, limits, evaluation, info."""
import json
import math
import os
import unittest.mock

from tests.cli.support import EXTRAS, ROOT, SMALL, Case


class Train(Case):
    def test_counting_counts(self):
        self.run_charnn("train", "configs/counting.json", "--out", self.path("r"), cwd=ROOT)
        text = self.out("sample", self.path("r"), "--prompt", "1 2", "--length", "40", "--temperature", "0").decode()
        self.assertEqual(text, ("1 2 3 " * 10)[:43])

    def test_run_folder_is_complete_and_repeats_the_run(self):
        self.train("a")
        files = sorted(p.name for p in (self.folder / "a").iterdir())
        self.assertEqual([name.startswith("events.out.tfevents.") for name in files].count(True), int("tensorboard" in EXTRAS))
        files = [name for name in files if not name.startswith("events") and name != "loss.svg"]
        self.assertEqual(files, [".lock", "best.safetensors", "config.json", "last.safetensors", "metrics.jsonl", "train.log"])
        self.assertEqual((self.folder / "a/loss.svg").exists(), "plot" in EXTRAS)
        self.run_charnn("train", self.path("a/config.json"), "--out", self.path("b"))
        self.same_file("a/last.safetensors", "b/last.safetensors")
        self.same_file("a/best.safetensors", "b/best.safetensors")
        self.assertEqual(self.metrics("a"), self.metrics("b"))

    def test_a_cpu_without_its_best_instructions(self):
        losses = []
        for level in ("avx512", "avx2", "sse4", "plain"):
            with self.subTest(level), unittest.mock.patch.dict(os.environ, CHARNN_CPU=level):
                self.train(level)
                self.refused("train", "--data", self.text, "--precision", "bf16", "--out", self.path("bf16"),
                             says=["no instructions for bfloat16"])
                losses.append([r["loss"] for r in self.metrics(level) if r["event"] == "eval"][-1])
        self.assertLess(max(losses) / min(losses), 1.001)
        self.assertGreater(len(set(losses)), 1, "all levels use the same instructions")
        with unittest.mock.patch.dict(os.environ, CHARNN_CPU="avx3"):
            self.refused("info", self.path("avx2"), says=["CHARNN_CPU=avx3", "one of amx, avx512_bf16, avx512, avx2, sse4, plain"])

    def test_precision_is_chosen_when_a_run_begins_and_stays(self):
        for level, choices in (("avx512", {"fp32"}), ("amx", {"fp32", "bf16"})):
            with self.subTest(level), unittest.mock.patch.dict(os.environ, CHARNN_CPU=level):
                self.train(level, "--stop-at", "50")
                chosen = json.loads((self.folder / level / "config.json").read_text())["train"]["precision"]
                self.assertIn(chosen, choices)
                self.assertIn(f"; cpu, {chosen}, ", (self.folder / level / "train.log").read_text())
                self.run_charnn("train", "--resume", self.path(level), "--precision", "auto")
                self.train("asked", "--precision", chosen, "--overwrite")
                self.same_file(f"{level}/last.safetensors", "asked/last.safetensors")
                best = min(r["loss"] for r in self.metrics(level) if r["event"] == "eval")
                self.assertIn(f"nats/char   {best:.6f}", self.out("eval", self.path(level)).decode())
        with unittest.mock.patch.dict(os.environ, CHARNN_CPU="avx2"):
            self.out("eval", self.path("amx"))
            if chosen == "bf16":
                self.refused("train", "--resume", self.path("amx"), "--max-steps", "300", says=["bfloat16", "--init-from"])

    def test_metrics(self):
        self.train("a")
        records = self.metrics("a", drop=())
        self.assertEqual((records[0]["event"], records[0]["schema_version"]), ("run", 1))
        steps = [r for r in records if r["event"] == "step"]
        evals = [r for r in records if r["event"] == "eval"]
        self.assertEqual([r["step"] for r in steps], list(range(7, 201, 7)))
        self.assertEqual([r["step"] for r in evals], [30, 60, 90, 120, 150, 180, 200])
        for record in steps:
            self.assertLessEqual({"step", "epoch", "chars", "loss", "bits_per_char", "lr", "grad_norm",
                                  "chars_per_second", "elapsed_seconds"}, set(record))
            self.assertAlmostEqual(record["bits_per_char"], record["loss"] / math.log(2), places=12)
        self.assertLess(steps[-1]["loss"], 0.9 * steps[0]["loss"])

    def test_pipe_gets_plain_lines_and_quiet_says_nothing(self):
        noisy = self.train("a")
        self.assertEqual(noisy.stdout, b"")
        self.assertNotIn(b"\x1b", noisy.stderr)
        self.assertIn(b"validation loss", noisy.stderr)
        self.assertIn(b"charnn sample " + self.path("a").encode(), noisy.stderr)
        quiet = self.train("b", "--quiet")
        self.assertEqual(quiet.stderr + quiet.stdout, b"")

    def test_nothing_is_overwritten_unasked(self):
        self.train("a", "--max-steps", "5")
        before = (self.folder / "a/last.safetensors").read_bytes()
        self.refused("train", "--data", self.text, "--out", self.path("a"), says=["--resume", "--overwrite"])
        self.assertEqual((self.folder / "a/last.safetensors").read_bytes(), before)
        self.write("a/notes.txt", "mine")
        self.train("a", "--max-steps", "6", "--overwrite")
        self.assertEqual((self.folder / "a/notes.txt").read_text(), "mine")
        self.assertNotEqual((self.folder / "a/last.safetensors").read_bytes(), before)

    def test_bytes(self):
        data = self.write("noise.bin", bytes(range(256)) * 30)
        self.run_charnn("train", "--data", data, "--tokens", "bytes", "--hidden", "8", "--layers", "1", "--batch-size", "4",
                        "--max-steps", "3", "--out", self.path("r"))
        self.assertEqual(json.loads(self.out("info", self.path("r"), "--json"))["vocabulary_size"], 256)

    def test_without_validation(self):
        self.train("a", "--val-fraction", "0", "--max-steps", "20")
        self.assertFalse((self.folder / "a/best.safetensors").exists())
        done = self.run_charnn("sample", self.path("a"), "--length", "5", "--seed", "1")
        self.assertEqual(len(done.stdout), 5)
        self.assertEqual(done.stderr.count(b"last checkpoint"), 1)

    def test_max_minutes(self):
        self.train("a", "--max-steps", "0", "--max-minutes", "0.02", "--schedule", "constant")
        self.assertIn("finished", (self.folder / "a/train.log").read_text())
        # The schedule is made to end in time, with no need for any other limit.
        done = self.train("b", "--max-steps", "0", "--max-minutes", "0.03", "--schedule", "cosine", "--verbose")
        self.assertRegex(done.stderr.decode(), r"finished at step \d+ ")
        self.assertRegex((self.folder / "b/train.log").read_text(), r"step \d+ of \d+, epoch")
        rates = [r["lr"] for r in self.metrics("b") if r["event"] == "step"]
        self.assertLess(rates[-1], 0.99 * max(rates))
        config = json.loads((self.folder / "b/config.json").read_text())
        self.assertEqual(config["train"]["epochs"], 0)

    def test_patience(self):
        done = self.train("a", "--lr", "0", "--patience", "2")
        self.assertIn(b"ended early", done.stderr)
        self.assertEqual([r["step"] for r in self.metrics("a") if r["event"] == "eval"], [30, 60, 90])
        self.refused("train", "--data", self.text, "--val-fraction", "0", "--patience", "2", "--out", self.path("b"),
                     says=["train.patience", "--val-fraction"])

    def test_the_last_words_name_the_best_model(self):
        done = self.train("a")
        best = min((r for r in self.metrics("a") if r["event"] == "eval"), key=lambda r: r["loss"])
        for part in (self.path("a/best.safetensors"), f"{best['loss']:.4f} nats/char ({best['bits_per_char']:.3f} bits/char)",
                     f"at step {best['step']}", "of training", "charnn sample " + self.path("a")):
            self.assertIn(part, done.stderr.decode())

    def test_divergence_is_rolled_back(self):
        done = self.train("a", "--cell", "rnn", "--lr", "3", "--clip-norm", "0")
        self.assertIn(b"back to the weights of step", done.stderr)
        self.refused("train", "--data", self.text, *SMALL, "--cell", "rnn", "--lr", "3", "--clip-norm", "0", "--quiet",
                     "--on-divergence", "stop", "--out", self.path("b"), code=3, says=["has risen to", "is intact", "--lr"])
        self.run_charnn("train", "--resume", "--out", self.path("b"), "--lr", "0.003")
        self.assertLess(min(r["loss"] for r in self.metrics("b") if r["event"] == "eval"), 3.5)

    def test_divergence(self):
        self.refused("train", "--data", self.text, "--hidden", "8", "--batch-size", "4", "--cell", "rnn", "--lr", "10",
                     "--clip-norm", "0", "--warmup-steps", "0", "--weight-decay", "3e38", "--out", self.path("r"), "--quiet",
                     code=3, says=["diverged", "--lr"])
        self.run_charnn("info", self.path("r"), "--checkpoint", "last")


class EvalAndInfo(Case):
    def test_eval(self):
        self.train("a")
        last_eval = [r for r in self.metrics("a") if r["event"] == "eval"][-1]
        report = json.loads(self.out("eval", self.path("a"), "--checkpoint", "last", "--json"))
        self.assertAlmostEqual(report["nats_per_char"], last_eval["loss"], places=6)
        self.assertAlmostEqual(report["bits_per_char"], report["nats_per_char"] / math.log(2), places=12)
        self.assertAlmostEqual(report["perplexity"], math.exp(report["nats_per_char"]), places=9)
        size = (self.folder / "text.txt").stat().st_size
        self.assertEqual(report["chars"], int(size * 0.1) - 1)
        whole = json.loads(self.out("eval", self.path("a"), "--data", self.text, "--json"))
        self.assertEqual((whole["split"], whole["chars"]), ("all", size))
        windowed = json.loads(self.out("eval", self.path("a"), "--window", "16", "--json"))
        self.assertGreater(windowed["nats_per_char"], report["nats_per_char"] * 0.9)
        self.assertIn(b"bits/char", self.out("eval", self.path("a")))
        self.refused("eval", self.path("a"), "--split", "test", says=["test split has 0 characters"])
        odd = self.write("odd.txt", "The cat ß ß")
        self.refused("eval", self.path("a"), "--data", odd, says=["'ß' (position 8, 2 times)"])
        self.write("text.txt", "changed")
        self.refused("eval", self.path("a"), says=["has changed", "--data"])

    def test_info(self):
        self.train("a")
        info = json.loads(self.out("info", self.path("a"), "--checkpoint", "last", "--json"))
        self.assertEqual(info["step"], 200)
        self.assertEqual(info["config"]["model"]["hidden"], 16)
        self.assertEqual(info["vocabulary_size"], len(info["symbols"]))
        self.assertEqual(info["best"]["step"], 200)
        text = self.out("info", self.path("a")).decode()
        self.assertIn("lstm, 2 layers of 16", text)
        self.assertIn("'\\n'", text)
