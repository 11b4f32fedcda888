"""metrics.jsonl and TensorBoard's file on a disk that fails: their lines wait until it works again."""
from tests.cli.support import EXTRAS
from tests.cli.test_storage import StorageCase, undisturbed
from tests.torture import run_files

LINE_FILES = ["metrics.jsonl$"] + ["tfevents"] * ("tensorboard" in EXTRAS)


class FailingLines(StorageCase):
    def check_steps_of_events(self, warned=()):
        """`warned`: steps at which something was said about the disk, which is in the event files, too."""
        files = [run_files.event_steps(run_files.events(file)) for file in run_files.event_files(self.folder / "r")]
        for step in warned:
            next(steps for steps in files if step in steps).remove(step)
        self.assertEqual([sorted(steps) for steps in files], [sorted(steps) for steps in undisturbed()[2]])

    def check_lines(self):
        """Everything there once, in order, whatever else was said about the disk."""
        known = {record.get("name") for record in undisturbed()[1]}
        records = run_files.metrics(self.folder / "r/metrics.jsonl", run_files.TIMES)
        of_disk = [record for record in records if record["event"] == "warning" and record["name"] not in known]
        got = [record for record in records if record not in of_disk]
        self.assertIsNone(run_files.difference(undisturbed()[1], got))
        self.check_bytes("last.safetensors", undisturbed()[0]["last.safetensors"])
        self.check_bytes("best.safetensors", undisturbed()[0]["best.safetensors"])
        self.check_steps_of_events([record["step"] for record in of_disk])

    def test_lines_wait_for_the_disk(self):
        for file in LINE_FILES:
            for rules in (f"write:{file}:ENOSPC:4-9", f"write:{file}:EIO:1-3", f"write:{file}:EDQUOT:6-30"):
                with self.subTest(rules):
                    self.start("--overwrite", faulty=rules)
                    self.check_lines()

    def test_a_line_written_in_part_is_completed(self):
        for file in LINE_FILES:
            with self.subTest(file):
                self.start("--overwrite", faulty=f"write:{file}:short:5;write:{file}:ENOSPC:6-10;write:{file}:short:15;write:{file}:ENOSPC:16-17")
                self.check_lines()

    def test_a_file_that_cannot_be_opened_at_first(self):
        for rules in ("open:tfevents:EACCES:1-3", "open:metrics.jsonl$:EACCES:1"):
            with self.subTest(rules):
                self.start("--overwrite", faulty=rules)
                self.check_lines()

    def test_lines_that_could_never_be_written_are_not_passed_over(self):
        for file in LINE_FILES:
            with self.subTest(file):
                said = self.start("--overwrite", code=1, faulty=f"write:{file}:ENOSPC:5-")
                self.assertIn(file.rstrip("$"), said)
                self.assertIn("No space left on device", said)
                # The training itself is done and saved.
                self.check_bytes("last.safetensors", undisturbed()[0]["last.safetensors"])
                self.check_bytes("best.safetensors", undisturbed()[0]["best.safetensors"])
                self.assertLessEqual(len(run_files.metrics(self.folder / "r/metrics.jsonl")), len(undisturbed()[1]))

    def test_lines_that_wait_when_the_process_is_killed_are_written_again(self):
        # Killed at a save after lines 6 to 8 failed: the resumption brings them, as they follow the last checkpoint.
        self.start(code=-9, faulty="write:metrics.jsonl$:ENOSPC:6-;open:last.safetensors.tmp:kill:3")
        self.resume()
        self.assertIsNone(run_files.difference(undisturbed()[1], run_files.metrics(self.folder / "r/metrics.jsonl", run_files.TIMES)))
        self.check_bytes("last.safetensors", undisturbed()[0]["last.safetensors"])

    def test_everything_fails_for_a_while(self):
        self.start(faulty="write:/r/:ENOSPC:12-40")
        self.check_lines()
        self.assertTrue(self.warnings("not_saved"))
