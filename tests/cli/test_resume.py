"""Stopping and going on: bit for bit as if nothing had happened."""
import json
import os
import random
import signal
import subprocess
import time

from tests.cli.support import BINARY, SMALL, Case


class Resume(Case):
    def check_same(self, a, b):
        self.same_file(f"{a}/last.safetensors", f"{b}/last.safetensors")
        self.same_file(f"{a}/best.safetensors", f"{b}/best.safetensors")
        self.assertEqual(self.metrics(a), self.metrics(b))
        sample = ["--length", "200", "--seed", "3", "--checkpoint", "last"]
        self.assertEqual(self.out("sample", self.path(a), *sample), self.out("sample", self.path(b), *sample))

    def test_stop_at_and_resume_is_exact_for_every_cell(self):
        for cell in ("rnn", "gru", "lstm"):
            with self.subTest(cell=cell):
                self.train(f"{cell}-whole", "--cell", cell)
                # 100: in the middle of an epoch and of a metrics record.
                self.train(f"{cell}-parts", "--cell", cell, "--stop-at", "100")
                self.run_charnn("train", "--resume", "--out", self.path(f"{cell}-parts"))
                self.check_same(f"{cell}-whole", f"{cell}-parts")

    def test_averaged_weights_resume_exactly_and_write_the_samples(self):
        average = ["--average-decay", "0.95"]
        self.train("whole", *average)
        self.train("parts", *average, "--stop-at", "100")
        self.run_charnn("train", "--resume", "--out", self.path("parts"))
        self.check_same("whole", "parts")
        self.train("plain")
        sample = ["--length", "200", "--seed", "3", "--checkpoint", "last"]
        self.assertNotEqual(self.out("sample", self.path("whole"), *sample), self.out("sample", self.path("plain"), *sample))

    def test_threads_change_no_byte_of_the_weights(self):
        for precision in self.precisions():
            with self.subTest(precision=precision):
                tensors = [self.info(self.train_with(precision, threads)) for threads in (1, 3)]
                self.assertEqual(*tensors)

    def train_with(self, precision, threads):
        out = f"{precision}-{threads}"
        self.train(out, "--precision", precision, "--threads", threads, "--max-steps", "60")
        return out

    def info(self, out):
        """Everything in the checkpoint but its metadata, which holds the config and so the number of threads."""
        data = (self.folder / out / "last.safetensors").read_bytes()
        return data[8 + int.from_bytes(data[:8], "little"):]

    def precisions(self):
        """fp32, and bf16 if this processor has it."""
        done = subprocess.run([BINARY, "train", "--data", self.text, *SMALL, "--precision", "bf16", "--stop-at", "1",
                               "--out", self.path("bf16")], capture_output=True)
        self.assertIn(done.returncode, (0, 2))
        return ["fp32"] + ["bf16"] * (done.returncode == 0)

    def test_bf16_resumes_exactly(self):
        if "bf16" not in self.precisions():
            self.refused("train", "--data", self.text, "--precision", "bf16", "--out", self.path("r"), says=["AMX or AVX-512 BF16"])
            return
        self.train("whole", "--precision", "bf16")
        self.train("parts", "--precision", "bf16", "--stop-at", "100")
        self.run_charnn("train", "--resume", "--out", self.path("parts"))
        self.check_same("whole", "parts")

    def test_what_went_wrong_before_is_remembered(self):
        # Diverges, is rolled back and warned of several times; a plateau lowers the rate.
        wild = ["--cell", "rnn", "--lr", "3", "--clip-norm", "0", "--max-steps", "260", "--checkpoint-every", "30",
                "--schedule", "plateau", "--plateau-patience", "1"]
        self.train("whole", *wild)
        names = [r["name"] for r in self.metrics("whole") if r["event"] == "warning"]
        self.assertGreaterEqual(names.count("rollback"), 1, names)
        self.assertIn("lr_drop", names)
        for step in (45, 130, 205):
            self.train("parts", *wild, "--stop-at", str(step), "--overwrite")
            self.run_charnn("train", "--resume", "--out", self.path("parts"))
            self.check_same("whole", "parts")

    def test_another_schedule_keeps_the_moments(self):
        self.train("a", "--stop-at", "100")
        self.run_charnn("train", "--resume", "--out", self.path("a"), "--schedule", "wsd", "--lr", "0", "--max-steps", "101")
        info = json.loads(self.out("info", self.path("a"), "--checkpoint", "last", "--json"))
        self.assertEqual((info["step"], info["optimizer_step"]), (101, 101))
        records = [r for r in self.metrics("a") if r["event"] == "step"]
        self.train("b", "--stop-at", "100")
        self.run_charnn("train", "--resume", "--out", self.path("b"), "--schedule", "constant", "--max-steps", "103", "--log-every", "1")
        after = [r["loss"] for r in self.metrics("b") if r["event"] == "step"][-3:]
        self.assertLess(max(after), 1.2 * records[-1]["loss"], "training goes on where it was")

    def test_longer_plan_given_on_resume(self):
        self.train("whole", "--schedule", "constant")
        self.train("parts", "--schedule", "constant", "--max-steps", "90")
        self.run_charnn("train", "--resume", "--out", self.path("parts"), "--max-steps", "200")
        self.same_file("whole/last.safetensors", "parts/last.safetensors")

    def test_signals_save_and_resume_is_exact(self):
        arguments = ["train", "--data", self.text, *SMALL, "--max-steps", "3000"]
        self.run_charnn(*arguments, "--out", self.path("whole"))
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGHUP, 129),
                             (signal.SIGQUIT, 131), (signal.SIGXCPU, 152)):
            with self.subTest(signal=number):
                out = f"parts-{code}"
                process = subprocess.Popen([BINARY, *arguments, "--out", self.path(out)], stderr=subprocess.DEVNULL)
                metrics = self.folder / out / "metrics.jsonl"
                while process.poll() is None and not (metrics.exists() and '"event":"step"' in metrics.read_text()):
                    time.sleep(0.005)
                time.sleep(random.uniform(0, 0.5))
                process.send_signal(number)
                self.assertIn(process.wait(timeout=60), (code, 0))
                self.run_charnn("train", "--resume", "--out", self.path(out))
                self.check_same("whole", out)

    def test_sigusr1_saves_and_training_goes_on(self):
        process = subprocess.Popen([BINARY, "train", "--data", self.text, *SMALL, "--max-steps", "10000000", "--eval-every", "0",
                                    "--checkpoint-every", "0", "--out", self.path("r")], stderr=subprocess.DEVNULL)
        metrics, last = self.folder / "r/metrics.jsonl", self.folder / "r/last.safetensors"
        while not (metrics.exists() and '"event":"step"' in metrics.read_text()):
            time.sleep(0.005)
        before = last.stat().st_ino
        process.send_signal(signal.SIGUSR1)
        while last.stat().st_ino == before and process.poll() is None:
            time.sleep(0.005)
        self.assertIsNone(process.poll(), "training goes on")
        self.assertGreater(json.loads(self.out("info", self.path("r"), "--checkpoint", "last", "--json"))["step"], 0)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 143)

    def test_second_sigint_leaves_at_once_and_the_checkpoint_is_whole(self):
        process = subprocess.Popen([BINARY, "train", "--data", self.text, *SMALL, "--max-steps", "1000000", "--out",
                                    self.path("r"), "--hidden", "256"], stderr=subprocess.DEVNULL)
        metrics = self.folder / "r/metrics.jsonl"
        while not (metrics.exists() and '"event":"step"' in metrics.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130)
        self.run_charnn("info", self.path("r"), "--checkpoint", "last")

    def test_resuming_a_finished_run_changes_nothing(self):
        self.train("a", "--max-steps", "40")
        before = {p.name: p.read_bytes() for p in (self.folder / "a").iterdir() if p.name != "train.log"}
        self.run_charnn("train", "--resume", "--out", self.path("a"))
        self.assertEqual(before, {p.name: p.read_bytes() for p in (self.folder / "a").iterdir() if p.name != "train.log"})

    def test_what_may_change_and_what_may_not(self):
        self.train("a", "--max-steps", "20")
        run = ["train", "--resume", "--out", self.path("a")]
        for flag, value in (("--hidden", 32), ("--cell", "gru"), ("--batch-size", 5), ("--tokens", "bytes"), ("--seed", 2)):
            self.refused(*run, flag, value, says=["as this run began"])
        self.run_charnn(*run, "--max-steps", "30", "--lr", "0.001", "--schedule", "constant", "--eval-every", "5",
                        "--threads", "1", "--hidden", "16")
        lines = self.metrics("a")
        self.assertEqual(lines[-1]["step"], 30)
        self.assertEqual([r["lr"] for r in lines if r["event"] == "step"][-1], 0.001)

    def test_changed_corpus_is_refused(self):
        self.train("a", "--max-steps", "20")
        self.write("text.txt", (self.folder / "text.txt").read_text().replace("cat", "cut"))
        self.refused("train", "--resume", "--out", self.path("a"), says=["has changed", "--init-from"])

    def test_moved_corpus_can_be_named(self):
        self.train("a", "--max-steps", "20")
        os.rename(self.text, self.path("moved.txt"))
        self.refused("train", "--resume", "--out", self.path("a"), says=["text.txt is not here", "--data PATH"])
        self.refused("eval", self.path("a"), says=["text.txt is not here", "--data PATH"])
        self.run_charnn("train", "--resume", "--out", self.path("a"), "--data", self.path("moved.txt"), "--max-steps", "25")

    def test_reset_optimizer_only_when_told(self):
        self.train("kept", "--max-steps", "60", "--stop-at", "30")
        self.train("lost", "--max-steps", "60", "--stop-at", "30")
        self.same_file("kept/last.safetensors", "lost/last.safetensors")
        self.run_charnn("train", "--resume", "--out", self.path("kept"))
        self.run_charnn("train", "--resume", "--out", self.path("lost"), "--reset-optimizer")
        self.assertNotEqual((self.folder / "kept/last.safetensors").read_bytes(),
                            (self.folder / "lost/last.safetensors").read_bytes())
        self.refused("train", "--data", self.text, "--reset-optimizer", says=["--resume"])

    def test_nothing_to_resume(self):
        self.refused("train", "--resume", says=["train --resume DIR"])
        self.refused("train", "--resume", "--out", self.path("none"), says=["no checkpoint"])


class InitFrom(Case):
    def test_new_run_from_trained_weights(self):
        self.train("a", "--cell", "gru")
        other = self.write("other.txt", "the mat sat on the cat, and it saw The dog.\n" * 100)
        done = self.run_charnn("train", "--init-from", self.path("a"), "--data", other, "--out", self.path("b"), "--lr", "0",
                               "--max-steps", "1", "--batch-size", "2", "--warmup-steps", "0")
        self.assertIn(b"gru 2 x 16", done.stderr)
        a, b = (self.out("eval", self.path(run), "--data", other, "--window", "50", "--json") for run in ("a", "b"))
        self.assertEqual(json.loads(a)["nats_per_char"], json.loads(b)["nats_per_char"],
                         "a learning rate of 0 keeps the weights as they were")

    def test_unknown_characters_and_other_shapes_are_refused(self):
        self.train("a", "--max-steps", "5")
        odd = self.write("odd.txt", "Über the cat." * 100)
        self.refused("train", "--init-from", self.path("a"), "--data", odd, "--out", self.path("b"), says=["'Ü'", "vocabulary lacks"])
        self.refused("train", "--init-from", self.path("a"), "--data", self.text, "--hidden", "99", "--out", self.path("b"),
                     says=["model.hidden = 99", "16"])
        self.assertFalse((self.folder / "b").exists(), "a refused run leaves nothing behind")
