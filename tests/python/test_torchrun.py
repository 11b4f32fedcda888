"""torchrun starts the processes, and starts them again when one is killed. CHARNN_ROUNDS: how many runs are so treated."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from tests.cli.support import BINARY, SMALL, Case

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
TRAIN = ["train", *SMALL, "--shards", "2", "--max-steps", "300"]


def children_of(process):
    try:
        return [int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return []


class Torchrun(Case):
    def run_torchrun(self, out, *options):
        return subprocess.Popen([*TORCHRUN[:-1], *options, TORCHRUN[-1], BINARY, *TRAIN, "--data", self.text, "--out", out],
                                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def setUp(self):
        super().setUp()
        self.run_charnn(*TRAIN, "--data", self.text, "--out", "whole")

    def test_two_processes(self):
        process = self.run_torchrun("two")
        output = process.communicate(timeout=120)[0].decode()
        self.assertEqual(process.returncode, 0, output)
        self.assertIn("2 processes of 1 thread", output)
        self.same_file("whole/last.safetensors", "two/last.safetensors")

    def test_killed_at_random_moments_it_goes_on_by_itself(self):
        for seed in range(int(os.environ.get("CHARNN_ROUNDS", "2"))):
            chance = random.Random(seed)
            process = self.run_torchrun(f"cut{seed}", "--max-restarts", "3")
            time.sleep(3)
            for _ in range(3):
                time.sleep(chance.uniform(0.3, 1.5))
                if ranks := children_of(process):
                    os.kill(chance.choice(ranks), signal.SIGKILL)
            output = process.communicate(timeout=120)[0].decode()
            self.assertEqual(process.returncode, 0, output)
            self.same_file("whole/last.safetensors", f"cut{seed}/last.safetensors")
            self.same_file("whole/best.safetensors", f"cut{seed}/best.safetensors")
