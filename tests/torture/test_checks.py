"""The torture's own checks see what they are there to see: each is shown damaged files."""
import pathlib
import shutil
import struct
import tempfile
import unittest

from tests.torture import run_files, soak
from tests.torture.run_files import Damage


def step(number, **other):
    return {"event": "step", "step": number, "loss": 1.0, "grad_norm": 1.0, "lr": 0.1, "elapsed_seconds": number / 10, **other}


def framed(payload):
    head = struct.pack("<Q", len(payload))
    return head + run_files.packed_sum(head) + payload + run_files.packed_sum(payload)


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="charnn-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, data):
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def test_crc32c_is_the_published_one(self):
        self.assertEqual(run_files.crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(run_files.crc32c(bytes(32)), 0x8A9136AA)

    def test_events(self):
        good = framed(b"\x10\x05") + framed(b"\x09" + bytes(8) + b"\x10\xac\x02")
        self.assertEqual(run_files.event_steps(run_files.events(self.write("a", good))), [5, 300])
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1
            with self.assertRaises(Damage, msg=f"byte {at}"):
                run_files.events(self.write("b", bytes(bad)))
        for cut in (1, 4, 11, 13, 20):
            path = self.write("c", good[:-cut])
            with self.assertRaises(Damage):
                run_files.events(path)
            self.assertEqual(len(run_files.events(path, may_be_cut=True)), 1)

    def test_metrics_lines(self):
        self.assertEqual(len(run_files.metrics(self.write("a", b'{"a":1}\n{"b":2}\n'))), 2)
        for bad in (b'{"a":1}\n{"b":2}', b'{"a":1}\n{"b"\n', b'{"a":1}{"b":2}\n'):
            with self.assertRaises(Damage):
                run_files.metrics(self.write("b", bad))

    def test_metrics_records(self):
        run = {"event": "run"}
        good = [run, step(10), step(20), {"event": "eval", "step": 20, "loss": 2.0}, step(30)]
        self.assertEqual(run_files.check_metrics(good, 10, 39), [])
        for bad, says in (([run, step(10), step(30)], "[30] instead of [20, 30]"),
                          ([run, step(10), step(20), step(20), step(30)], "4 step records"),
                          ([run, step(10), step(20)], "2 step records"),
                          ([run, *good], "2 records of the run"),
                          (good[1:], "0 records of the run"),
                          ([*good, good[3]], "repeated"),
                          ([run, step(10, loss=None), step(20), step(30)], "no finite number"),
                          ([run, step(10, elapsed_seconds=9), step(20), step(30)], "falls 1 times")):
            self.assertIn(says, "; ".join(run_files.check_metrics(bad, 10, 39)))

    def test_difference(self):
        self.assertIsNone(run_files.difference([step(1)], [step(1)]))
        self.assertIn("line 2 differs in loss", run_files.difference([step(1), step(2)], [step(1), step(2, loss=3)]))
        self.assertIn("1 lines, expected 2", run_files.difference([step(1), step(2)], [step(1)]))

    def test_checkpoint_sizes(self):
        header = b'{"__metadata__":{"train_state":"{\\"step\\":7}"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
        good = struct.pack("<Q", len(header)) + header + b"abcd"
        self.assertEqual(run_files.checkpoint_step(self.write("a", good)), 7)
        for bad in (b"", good[:5], good[:-1], good + b"x", good[:40]):
            with self.assertRaises(Damage):
                run_files.checkpoint(self.write("b", bad))

    def test_growth_of_memory(self):
        samples = [(second, 10 * second, 50000 if second > 5 else 1000) for second in range(100)]
        self.assertEqual(soak.growth(samples)["kb_per_1000_steps"], 0)
        leak = [(second, steps, kb + 2 * steps) for second, steps, kb in samples]
        self.assertEqual(soak.growth(leak)["kb_per_1000_steps"], 2000)
        self.assertEqual(soak.marks([(0, 10, 1), (1, 1001, 2), (2, 1005, 3), (3, 2001, 4)]), {1000: 2, 2000: 4})
