"""Where a run lies and who works in it: full and read-only disks, a second training, moved folders, clocks and time zones."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from unittest import mock

from tests.cli.support import EXTRAS
from tests.cli.test_storage import StorageCase
from tests.torture import run_files

READERS = ["sample", "eval", "info"] + ["plot"] * ("plot" in EXTRAS)  # commands that only read


@contextlib.contextmanager
def mounted(folder, options):
    """A file system in memory, on `folder`; the test is skipped where mounting is not permitted."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "charnn-test", str(folder)], capture_output=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"mounting is not permitted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class RealDisks(StorageCase):
    def fill(self, leave):
        """Takes all the room but `leave` bytes."""
        ballast = self.folder / "r/ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
            file.truncate(max(0, file.tell() - leave))
        return ballast

    def test_a_disk_that_is_full_for_a_while(self):
        with mounted(self.folder / "r", "size=8m"):  # more than the lines of some seconds take
            process = self.background()
            self.wait_for(process, "r/metrics.jsonl", '"step":100')
            ballast = self.fill(leave=0)
            time.sleep(1)
            last = self.file("last.safetensors")
            time.sleep(0.5)
            self.assertTrue(self.file("last.safetensors") == last, "nothing can have been saved")
            self.assertIsNone(process.poll(), "training goes on")
            ballast.unlink()
            self.wait_for(process, "r/metrics.jsonl", "not_saved")
            time.sleep(0.5)  # a save that was failing just then is over
            said = self.stop(process, signal.SIGTERM, code=143)
            self.assertIn("the earlier checkpoint is kept", said)
            step = run_files.checkpoint_step(self.folder / "r/last.safetensors")
            self.assertEqual(run_files.check_metrics(run_files.metrics(self.folder / "r/metrics.jsonl"), 7, step), [])
            for file in run_files.event_files(self.folder / "r"):
                run_files.events(file)
            self.assertEqual(run_files.temporary_files(self.folder / "r"), [])

    def test_a_disk_that_stays_full(self):
        with mounted(self.folder / "r", "size=8m"):  # more than the lines of some seconds take
            process = self.background()
            self.wait_for(process, "r/metrics.jsonl", '"step":100')
            self.fill(leave=0)
            time.sleep(1)
            last = self.file("last.safetensors")
            said = self.stop(process, signal.SIGTERM, code=1)
            self.assertIn("No space left on device", said)
            self.assertTrue(self.file("last.safetensors") == last, "the checkpoint is intact")
            (self.folder / "r/ballast").unlink()
            self.resume("--stop-at", str(run_files.checkpoint_step(self.folder / "r/last.safetensors") + 20))

    def test_a_disk_that_is_too_small_from_the_beginning(self):
        with mounted(self.folder / "r", "size=40k"):
            said = self.start(code=1)
            self.assertIn("No space left on device", said)
            self.assertEqual(run_files.temporary_files(self.folder / "r"), [])

    def test_a_read_only_disk(self):
        with mounted(self.folder / "r", "size=4m"):
            self.start("--stop-at", "40")
            before = {p.name: p.read_bytes() for p in (self.folder / "r").iterdir()}
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder / "r")], check=True)
            for said in (self.resume(code=1), self.start("--overwrite", code=1)):
                self.assertIn("Read-only file system", said)
                self.assertTrue(said.startswith("charnn: "), said)
            self.assertEqual({p.name: p.read_bytes() for p in (self.folder / "r").iterdir()}, before)
            for command in READERS:
                self.run_charnn(command, "r")
            subprocess.run(["mount", "-o", "remount,rw", str(self.folder / "r")], check=True)
            self.resume()
            self.check_as_undisturbed(ignore="")

    def test_the_text_may_lie_on_a_read_only_disk(self):
        with mounted(self.folder / "texts", "size=1m"):
            shutil.copy(self.text, self.folder / "texts/text.txt")
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder / "texts")], check=True)
            self.start("--data", "texts/text.txt", "--stop-at", "20")


class SecondTraining(StorageCase):
    def running(self):
        process = self.background()
        self.wait_for(process, "r/metrics.jsonl", '"step":28')
        return process

    def test_a_second_training_is_refused(self):
        process = self.running()
        os.symlink("r", self.folder / "same")
        for out in ("r", "./r/", self.path("r"), "same"):
            for arguments in (["--resume"], ["--overwrite", "--data", "text.txt"]):
                message = self.refused("train", "--out", out, *arguments)
                self.assertIn(str(process.pid), message)
        self.run_charnn("train", "--data", "text.txt", "--out", "other", "--stop-at", "1", "--batch-size", "4")  # elsewhere it may
        for command in READERS:
            self.run_charnn(command, "r")
        self.assertIsNone(process.poll(), "the first one is not disturbed")
        self.stop(process, signal.SIGTERM, code=143)
        step = run_files.checkpoint_step(self.folder / "r/last.safetensors")
        self.assertEqual(run_files.check_metrics(run_files.metrics(self.folder / "r/metrics.jsonl"), 7, step), [])
        self.resume("--stop-at", str(step + 5))

    def test_the_lock_goes_with_the_process(self):
        for number, status in ((signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGABRT, -6)):
            with self.subTest(signal=number):
                shutil.rmtree(self.folder / "r", ignore_errors=True)
                process = self.running()
                self.refused("train", "--resume", "--out", "r")
                self.stop(process, number, code=status)
                self.resume("--stop-at", str(run_files.checkpoint_step(self.folder / "r/last.safetensors") + 5))

    def test_a_stopped_process_still_holds_it(self):
        process = self.running()
        process.send_signal(signal.SIGSTOP)
        self.refused("train", "--resume", "--out", "r", says=[str(process.pid)])
        process.send_signal(signal.SIGCONT)

    def test_two_at_once_and_one_wins(self):
        for _ in range(5):
            shutil.rmtree(self.folder / "r", ignore_errors=True)
            both = [self.background("--overwrite") for _ in range(2)]
            end = time.monotonic() + 60
            while all(process.poll() is None for process in both) and time.monotonic() < end:
                time.sleep(0.01)
            self.assertEqual(sorted(process.poll() is None for process in both), [False, True])
            loser, winner = sorted(both, key=lambda process: process.poll() is None)
            self.assertEqual(loser.wait(), 2, (self.folder / "said.txt").read_text())
            self.wait_for(winner, "r/metrics.jsonl", '"step":28')
            self.stop(winner, signal.SIGTERM, code=143)
            step = run_files.checkpoint_step(self.folder / "r/last.safetensors")
            self.assertEqual(run_files.check_metrics(run_files.metrics(self.folder / "r/metrics.jsonl"), 7, step), [])


class Moved(StorageCase):
    def test_a_run_that_moved(self):
        self.start("--stop-at", "70")
        os.rename(self.folder / "r", self.folder / "elsewhere")
        shutil.copytree(self.folder / "elsewhere", self.folder / "r")
        for run in ("elsewhere", "r"):
            self.run_charnn("train", "--resume", "--out", run)
        self.same_file("elsewhere/last.safetensors", "r/last.safetensors")
        self.check_as_undisturbed(ignore="")

    def test_a_copy_made_while_the_training_runs(self):
        process = self.background()
        self.wait_for(process, "r/metrics.jsonl", '"step":98')
        shutil.copytree(self.folder / "r", self.folder / "copy", ignore=shutil.ignore_patterns("*.tmp"))
        step = run_files.checkpoint_step(self.folder / "copy/last.safetensors")
        self.run_charnn("train", "--resume", "--out", "copy", "--stop-at", str(step + 30))
        self.assertIsNone(process.poll())
        self.assertEqual(run_files.check_metrics(run_files.metrics(self.folder / "copy/metrics.jsonl"), 7, step + 30), [])


class Clocks(StorageCase):
    def check_time(self, processes):
        self.check_as_undisturbed(ignore="")
        records = run_files.metrics(self.folder / "r/metrics.jsonl")
        self.assertEqual(run_files.check_metrics(records, 7, 200), [])
        self.assertLess(max(record.get("elapsed_seconds", 0) for record in records), 300)
        files = run_files.event_files(self.folder / "r")
        steps = [run_files.event_steps(run_files.events(file)) for file in files]
        self.assertEqual(len(files), processes)
        self.assertEqual(sorted(part[0] for part in steps), [part[0] for part in steps], "the files sort as they were written")

    def test_the_clock_jumps_in_a_training(self):
        self.start(faulty="clock::jump=7")
        self.check_time(processes=1)
        days = set(re.findall(r"^\d{4}-\d\d-\d\d \d\d", self.file("train.log").decode(), re.MULTILINE))
        self.assertGreater(len(days), 1, "the clock did jump")

    def test_the_clock_is_set_between_two(self):
        self.start("--stop-at", "60", faulty="clock::shift=48")
        self.resume("--stop-at", "130", faulty="clock::shift=-900")
        self.resume()
        self.check_time(processes=3)

    def test_time_zones(self):
        for i, zone in enumerate(("Pacific/Kiritimati", "America/Los_Angeles", "Nowhere/At_All")):
            with mock.patch.dict(os.environ, TZ=zone):
                self.start("--stop-at", "60") if i == 0 else self.resume("--stop-at", str(60 + 70 * i))
        self.check_time(processes=3)
