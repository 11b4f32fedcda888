"""A disk that fails in the middle of training, by the shim of tests/torture/faults.c. FAULTS names it."""
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from unittest import mock

from tests.cli.support import BINARY, SMALL, TEXT, Case
from tests.torture import run_files

# SMALL saves the last checkpoint at steps 0, 25, 30, 50, 60, 75, 90, 100, 120, 125, 150, 175, 180, 200.
TRAIN = ["train", "--data", "text.txt", *SMALL]  # relative, so that the configs of all folders are the same


@contextlib.contextmanager
def faults(rules):
    """Rules for what is started meanwhile."""
    with mock.patch.dict(os.environ, LD_PRELOAD=os.environ["FAULTS"], CHARNN_FAULTS=rules):
        yield


@functools.cache
def undisturbed(*arguments):
    """The files of a run on a good disk, by name, and its metrics."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="charnn-"))
    try:
        (folder / "text.txt").write_text(TEXT)
        subprocess.run([BINARY, *TRAIN, "--out", "r", *arguments], cwd=folder, check=True, capture_output=True)
        files = {path.name: path.read_bytes() for path in (folder / "r").iterdir()}
        events = [run_files.event_steps(run_files.events(file)) for file in run_files.event_files(folder / "r")]
        return files, run_files.metrics(folder / "r/metrics.jsonl", run_files.TIMES), events
    finally:
        shutil.rmtree(folder)


class StorageCase(Case):
    def file(self, name):
        return (self.folder / "r" / name).read_bytes()

    def start(self, *arguments, code=0, faulty=""):
        with faults(faulty) if faulty else contextlib.nullcontext():
            return self.run_charnn(*TRAIN, "--out", "r", *arguments, code=code).stderr.decode()

    def resume(self, *arguments, code=0, faulty=""):
        with faults(faulty) if faulty else contextlib.nullcontext():
            return self.run_charnn("train", "--resume", "--out", "r", *arguments, code=code).stderr.decode()

    def check_bytes(self, name, expected):
        self.assertTrue(self.file(name) == expected, f"{name} is another one")  # bytes would fill the screen

    def warnings(self, name):
        return [r for r in self.metrics("r") if r["event"] == "warning" and r["name"] == name]

    def check_checkpoint(self, stop_at):
        """The last checkpoint is that of this step, byte for byte, and nothing half-written lies about."""
        whole, _, _ = undisturbed("--stop-at", str(stop_at))
        self.check_bytes("last.safetensors", whole["last.safetensors"])
        self.assertEqual(run_files.temporary_files(self.folder / "r"), [])

    def check_as_undisturbed(self, ignore="not_saved"):
        files, metrics, _ = undisturbed()
        for name in ("last.safetensors", "best.safetensors"):
            self.check_bytes(name, files[name])
        got = [r for r in run_files.metrics(self.folder / "r/metrics.jsonl", run_files.TIMES) if r.get("name") != ignore]
        self.assertIsNone(run_files.difference(metrics, got))
        self.assertEqual(run_files.temporary_files(self.folder / "r"), [])

    def wait_for(self, process, file, text, seconds=60):
        end = time.monotonic() + seconds
        path = self.folder / file
        while not (path.exists() and text in path.read_text(errors="replace")):
            self.assertIsNone(process.poll(), f"the program has ended, waiting for {text}")
            self.assertLess(time.monotonic(), end, f"no {text} in {file}")
            time.sleep(0.01)

    def background(self, *arguments, faulty=""):
        """A training that runs on until it is stopped. What it says goes to said.txt: nobody reads a pipe meanwhile."""
        with faults(faulty) if faulty else contextlib.nullcontext(), open(self.folder / "said.txt", "ab") as said:
            process = subprocess.Popen([BINARY, *TRAIN, "--out", "r", "--max-steps", "10000000", *arguments],
                                       cwd=self.folder, stderr=said)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def stop(self, process, number, code):
        """Sends the signal; what the process has said."""
        process.send_signal(number)
        status = process.wait(timeout=60)
        said = (self.folder / "said.txt").read_text()
        self.assertEqual(status, code, said[-2000:])
        return said


class FailingSaves(StorageCase):
    def test_a_save_that_fails_on_the_way_costs_nothing(self):
        for call, errors in (("open", ("EACCES", "EROFS", "ENOSPC")), ("write", ("ENOSPC", "EDQUOT", "EIO")),
                             ("fsync", ("EIO", "ENOSPC")), ("rename", ("EACCES", "EIO"))):
            for error in errors:
                with self.subTest(call=call, error=error):
                    said = self.start("--overwrite", faulty=f"{call}:last.safetensors.tmp:{error}:3-5")
                    self.assertIn("the earlier checkpoint is kept", said)
                    steps = [warning["step"] for warning in self.warnings("not_saved")]
                    self.assertIn(30, steps, "the third save")
                    self.assertTrue(set(steps) <= {30, 50, 60}, steps)
                    self.check_as_undisturbed()

    def test_half_a_checkpoint_is_no_checkpoint(self):
        self.start(faulty="write:last.safetensors.tmp:short:4;write:last.safetensors.tmp:ENOSPC:5")
        self.assertEqual(len(self.warnings("not_saved")), 1)
        self.check_as_undisturbed()

    def test_the_checkpoint_is_kept_when_every_later_save_fails(self):
        said = self.start(code=1, faulty="write:last.safetensors.tmp:ENOSPC:3-")
        self.assertIn("No space left on device", said)
        self.check_checkpoint(25)
        self.resume()
        self.check_as_undisturbed()

    def test_the_folder_cannot_be_synced(self):
        # The rename has been done by then: what the folder holds is the new checkpoint, though perhaps not yet for good.
        self.start(faulty="fsync:/r$:EIO:8-9")
        self.check_as_undisturbed()

    def test_the_last_save_must_work(self):
        said = self.start("--stop-at", "40", code=1, faulty="rename:last.safetensors:EACCES:4-")
        self.assertIn("Permission denied", said)
        self.check_checkpoint(30)
        self.resume("--stop-at", "80", code=1, faulty="write:last.safetensors:EDQUOT")
        self.check_checkpoint(30)
        self.resume()
        self.check_as_undisturbed()

    def test_stopped_by_a_signal_without_a_save(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                process = self.background("--overwrite", faulty="write:last.safetensors.tmp:ENOSPC:3-")
                self.wait_for(process, "r/metrics.jsonl", "not_saved")
                said = self.stop(process, number, code=1)
                self.assertIn("No space left on device", said)
                self.assertEqual(run_files.checkpoint_step(self.folder / "r/last.safetensors"), 25)
                self.assertEqual(run_files.temporary_files(self.folder / "r"), [])
                self.resume("--stop-at", "50")

    def test_stopped_by_a_signal_when_the_disk_works_again(self):
        process = self.background(faulty="write:last.safetensors.tmp:ENOSPC:3-20")
        self.wait_for(process, "r/metrics.jsonl", "not_saved")
        last, end = self.folder / "r/last.safetensors", time.monotonic() + 60
        while run_files.checkpoint_step(last) <= 100:
            self.assertLess(time.monotonic(), end, "saving never works again")
            time.sleep(0.05)
        self.stop(process, signal.SIGTERM, code=143)
        self.assertGreater(run_files.checkpoint_step(last), 100)

    def test_the_first_save_must_work(self):
        for call in ("open", "write", "fsync", "rename"):
            with self.subTest(call=call):
                said = self.start(code=1, faulty=f"{call}:last.safetensors.tmp:ENOSPC:1")
                self.assertIn("No space left on device", said)
                self.assertIn("charnn: ", said)
                self.assertNotIn("Traceback", said)
                self.assertFalse((self.folder / "r/last.safetensors").exists())
                self.assertEqual(os.listdir(self.folder / "r"), [".lock"], "nothing is in the way of the next start")

    def test_the_best_is_saved_as_soon_as_it_works(self):
        said = self.start(faulty="write:best.safetensors:ENOSPC:2-3")
        self.assertIn("the earlier checkpoint is kept", said)
        self.check_as_undisturbed()

    def test_a_best_that_was_never_saved_is_not_passed_over(self):
        said = self.start(code=1, faulty="write:best.safetensors:ENOSPC:3-")
        self.assertIn("best.safetensors", said)
        early, _, _ = undisturbed("--stop-at", "60")
        self.check_bytes("best.safetensors", early["best.safetensors"])

    def test_a_best_that_could_not_be_saved_comes_with_the_resumption(self):
        # What waited in memory is gone with the process; last.safetensors must not speak of a best that is not there.
        for rules, stop in (("write:best.safetensors:ENOSPC:4-", "130"), ("rename:best.safetensors:EACCES:7-", "0")):
            with self.subTest(rules):
                self.start("--overwrite", "--stop-at", stop, code=1, faulty=rules)
                self.resume()
                self.check_as_undisturbed()


class FailingReads(StorageCase):
    def test_what_was_learned_is_saved_when_the_text_cannot_be_read_any_more(self):
        said = self.start(code=1, faulty="read:text.txt:EIO:300-")
        self.assertIn("Input/output error", said)
        step = run_files.checkpoint_step(self.folder / "r/last.safetensors")
        self.assertNotEqual(step % 5, 0, "not one of the steps at which it is saved anyway")
        self.resume(faulty="read:text.txt:EINTR:50-90;read:text.txt:short")
        self.check_as_undisturbed()


class FailingStart(StorageCase):
    def test_a_limit_on_the_size_of_files_is_a_failing_save(self):
        limit = ["bash", "-c", 'ulimit -f 4; exec "$@"', "-", BINARY, *TRAIN, "--out", "r"]
        done = subprocess.run(limit, cwd=self.folder, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"File too large", done.stderr)
        # Nothing of it is in the way of the next start.
        self.start("--max-steps", "5")

    def test_a_resumption_that_cannot_begin_changes_nothing(self):
        self.start("--stop-at", "100")
        before = {p.name: p.read_bytes() for p in (self.folder / "r").iterdir() if p.name != "train.log"}
        for file in ("config.json", "metrics.jsonl"):
            for call in ("open", "write", "fsync", "rename"):
                with self.subTest(file=file, call=call):
                    said = self.resume(code=1, faulty=f"{call}:{file}:ENOSPC:1")
                    self.assertIn(file, said)
                    after = {p.name: p.read_bytes() for p in (self.folder / "r").iterdir() if p.name != "train.log"}
                    after.pop(".lock", before.pop(".lock", None))
                    self.assertEqual(sorted(after), sorted(before))
                    self.assertEqual(after, before)
        self.resume()
        self.check_as_undisturbed()


class OddDisks(StorageCase):
    def test_short_and_interrupted_writes(self):
        for rules in ("write:/r/:short", "write:/r/:EINTR:10-30", "write:/r/:short;write:/r/:EINTR:9-20"):
            with self.subTest(rules):
                self.start("--overwrite", faulty=rules)
                self.check_as_undisturbed(ignore="")
                steps = [run_files.event_steps(run_files.events(file)) for file in run_files.event_files(self.folder / "r")]
                self.assertEqual(steps, undisturbed()[2])

    def test_a_slow_disk(self):
        self.start(faulty="fsync:/r/:sleep=40;rename:/r/:sleep=10;write:/r/:sleep=10")
        self.check_as_undisturbed(ignore="")

    def test_the_picture_is_not_that_important(self):
        for call in ("open", "write", "fsync", "rename"):
            with self.subTest(call=call):
                self.start("--overwrite", faulty=f"{call}:loss.svg:ENOSPC")
                self.check_as_undisturbed(ignore="")
