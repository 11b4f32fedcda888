"""Several processes train one network together. CHARNN names the binary."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import unittest
import unittest.mock

from tests.cli.support import BINARY, SMALL, Case

TRAIN = [*SMALL, "--shards", "4", "--drop-state-probability", "0.1", "--average-decay", "0.9"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipIf(b"built without c10d" in subprocess.run([BINARY, "train", "x", "--processes", "2"], capture_output=True,
                                                         cwd="/").stderr, "charnn was built without c10d")
class Processes(Case):
    def start(self, ranks, *arguments, timeout=None, restarts=None, size=None, each=lambda rank: []):
        """The processes, as a launcher starts them."""
        port = free_port()
        processes = []
        for rank in ranks:
            environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(size or len(ranks)),
                           "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(len(ranks)), "MASTER_ADDR": "127.0.0.1",
                           "MASTER_PORT": str(port)}
            if timeout:
                environment["CHARNN_GROUP_TIMEOUT"] = str(timeout)
            if restarts is not None:
                environment["TORCHELASTIC_RESTART_COUNT"] = str(restarts)
            processes.append(subprocess.Popen([BINARY, "train", *map(str, arguments), *each(rank)], env=environment,
                                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            self.addCleanup(self.end, processes[-1])
        return processes

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def finish(self, processes, seconds=60):
        """Exit statuses and messages."""
        ends = [p.communicate(timeout=seconds) for p in processes]
        return [p.returncode for p in processes], [stderr.decode() for _, stderr in ends]

    def wait_for_step(self, out, step):
        """Until metrics.jsonl has a record of that step."""
        for _ in range(2000):
            try:
                if self.metrics(out)[-1].get("step", 0) >= step:
                    return
            except (FileNotFoundError, IndexError, ValueError):
                pass
            time.sleep(0.01)
        self.fail(f"{out} does not get to step {step}")

    def arguments(self, out, *more):
        return ["--data", self.text, *TRAIN, "--out", out, *more]

    def same_run(self, a, b):
        self.same_file(f"{a}/last.safetensors", f"{b}/last.safetensors")
        self.same_file(f"{a}/best.safetensors", f"{b}/best.safetensors")

    def test_any_number_of_processes_trains_the_same_bits(self):
        self.run_charnn("train", *self.arguments("one"))
        for count in ("2", "4"):
            done = self.run_charnn("train", *self.arguments(count, "--processes", count))
            self.same_run("one", count)
            self.assertRegex(done.stderr.decode(), f"cpu, (fp32|bf16), {count} processes of 1 thread, 4 shards")
            self.assertEqual(done.stderr.decode().count("best model:"), 1, "the others are silent")
        drop = ("elapsed_seconds", "chars_per_second", "seconds", "seconds_left", "exchange_share")
        self.assertEqual(self.metrics("one", drop), self.metrics("4", drop))
        self.assertTrue(all(0 < r["exchange_share"] < 1 for r in self.metrics("4") if r["event"] == "step"))

    def test_documents_and_every_kind_of_dropout(self):
        more = ["--document-separator", r"\n", "--window-jitter", "0.5", "--weight-dropout", "0.2", "--input-dropout", "0.1",
                "--embedding-dropout", "0.1", "--dropout-mask", "window", "--cell", "gru", "--batch-size", "6"]
        self.run_charnn("train", *self.arguments("one", *more))
        self.run_charnn("train", *self.arguments("two", *more, "--processes", "2"))
        self.same_run("one", "two")

    def test_one_shard_is_a_run_as_ever(self):
        self.train("plain")
        self.train("one", "--shards", "1")
        self.same_run("plain", "one")

    def test_a_new_run_takes_as_many_shards_as_processes(self):
        self.train("two", "--processes", "2")
        self.train("one", "--shards", "2")
        self.same_run("one", "two")

    def test_resumed_with_another_number_of_processes(self):
        self.run_charnn("train", *self.arguments("whole"))
        self.run_charnn("train", *self.arguments("cut", "--stop-at", "60"))
        self.run_charnn("train", "--resume", "--out", "cut", "--stop-at", "130", "--processes", "4")
        self.run_charnn("train", "--resume", "--out", "cut", "--processes", "2")
        self.same_run("whole", "cut")

    def test_a_rank_that_dies_ends_the_others(self):
        for victim in (0, 1):
            out = f"dies{victim}"
            processes = self.start([0, 1], *self.arguments(out, "--max-steps", "100000"))
            self.wait_for_step(out, 60)
            processes[victim].kill()
            start = time.monotonic()
            codes, messages = self.finish(processes)
            self.assertLess(time.monotonic() - start, 10)
            self.assertEqual(codes[1 - victim], 1)
            self.assertIn("another process has ended", messages[1 - victim])
            self.assertIn("--resume", messages[1 - victim])
            self.run_charnn("train", "--resume", "--out", out, "--stop-at", "1", "--max-steps", "100000")

    def test_a_process_started_here_that_dies_is_named(self):
        parent = subprocess.Popen([BINARY, "train", *self.arguments("out", "--max-steps", "100000", "--processes", "2")],
                                  cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, parent)
        self.wait_for_step("out", 30)
        child = int(pathlib.Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()[0])
        os.kill(child, signal.SIGKILL)
        codes, messages = self.finish([parent])
        self.assertEqual(codes, [1])
        self.assertIn("process 1 of 2 was killed by SIGKILL", messages[0])

    def test_a_rank_that_hangs_is_given_up(self):
        processes = self.start([0, 1], *self.arguments("out", "--max-steps", "100000"), timeout=2)
        self.wait_for_step("out", 30)
        processes[1].send_signal(signal.SIGSTOP)
        start = time.monotonic()
        codes, messages = self.finish(processes[:1])
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(codes, [1])
        self.assertIn("does not answer", messages[0])

    def test_one_that_never_comes(self):
        codes, messages = self.finish(self.start([0], *self.arguments("out"), timeout=1, size=2))
        self.assertEqual(codes, [1])
        self.assertIn("process 1 of 2 has not come within 1 s", messages[0])
        codes, messages = self.finish(self.start([1], *self.arguments("out"), timeout=1, size=2))
        self.assertEqual(codes, [1])
        self.assertIn("no connection to 127.0.0.1", messages[0])
        self.assertIn("TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1", messages[0])

    def test_a_signal_to_any_rank_stops_all(self):
        self.run_charnn("train", *self.arguments("whole"))
        for victim, number in ((0, signal.SIGTERM), (1, signal.SIGTERM), (1, signal.SIGINT)):
            shutil.rmtree(self.path("cut"), ignore_errors=True)
            processes = self.start([0, 1], *self.arguments("cut"))
            self.wait_for_step("cut", 20)
            processes[victim].send_signal(number)
            codes, messages = self.finish(processes)
            self.assertEqual(codes, [128 + number] * 2, messages)
            self.assertIn(f"stopped by {number.name}, saved", messages[0])
            self.assertEqual(messages[1], "")
            self.run_charnn("train", "--resume", "--out", "cut")
            self.same_run("whole", "cut")

    def test_restarted_by_the_launcher_it_goes_on(self):
        self.run_charnn("train", *self.arguments("whole"))
        command = self.arguments("cut")
        processes = self.start([0, 1], *command, restarts=0)
        self.wait_for_step("cut", 80)
        processes[1].kill()
        self.finish(processes)
        codes, messages = self.finish(self.start([0, 1], *command, restarts=1))
        self.assertEqual(codes, [0, 0], messages)
        self.assertIn("resumed at step", messages[0])
        self.same_run("whole", "cut")

    def test_a_launchers_restart_resumes_nothing_that_was_there_before(self):
        self.run_charnn("train", *self.arguments("old", "--stop-at", "20"))
        before = (self.folder / "old/last.safetensors").read_bytes()
        codes, messages = self.finish(self.start([0, 1], *self.arguments("old"), restarts=1))
        self.assertEqual(codes, [2, 2], messages)
        self.assertIn("--overwrite", messages[0])
        self.assertEqual((self.folder / "old/last.safetensors").read_bytes(), before)

    def test_divergence_is_told_once(self):
        more = ["--lr", "10", "--clip-norm", "0", "--on-divergence", "stop", "--warmup-steps", "0", "--max-steps", "2000"]
        codes, messages = self.finish(self.start([0, 1], *self.arguments("out", *more)))
        self.assertEqual(codes, [3, 3], messages)
        self.assertIn("training diverged", messages[0])
        self.assertEqual(messages[1], "")

    def refused_by(self, rank, says, processes):
        codes, messages = self.finish(processes)
        self.assertEqual(codes, [2] * len(codes), messages)
        self.assertIn(f"process {rank} of {len(codes)}", messages[0])
        for part in says:
            self.assertIn(part, messages[0])
        self.assertFalse(os.path.exists(self.path("out")))

    def test_ranks_that_differ_are_refused(self):
        self.refused_by(1, ["another config", '"lr": 0.004', '"lr": 0.003'],
                        self.start([0, 1], *self.arguments("out"), each=lambda r: ["--lr", f"0.00{3 + r}"]))
        self.refused_by(1, ["another config", "--resume"],
                        self.start([0, 1], *self.arguments("out"), each=lambda r: ["--resume"] * r))

    def test_one_text_that_differs_is_refused(self):
        processes = []
        port = free_port()
        for rank in (0, 1):
            folder = self.folder / f"machine{rank}"
            folder.mkdir()
            (folder / "text.txt").write_text((self.folder / "text.txt").read_text().replace("cat", ("cat", "cow")[rank]))
            environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                           "MASTER_PORT": str(port)}
            processes.append(subprocess.Popen([BINARY, "train", "--data", "text.txt", *TRAIN, "--out", "out"],
                                              env=environment, cwd=folder, stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE))
        self.refused_by(1, ["another text", "hash"], processes)

    def test_two_network_namespaces(self):
        """Two machines, as far as the network is concerned: each has an address of its own, and no other."""
        names = [f"charnn{os.getpid()}{end}" for end in "ab"]
        ends = [f"c{os.getpid() % 100000}{end}" for end in "ab"]
        commands = [["ip", "netns", "add", name] for name in names]
        commands += [["ip", "link", "add", ends[0], "netns", names[0], "type", "veth", "peer", "name", ends[1], "netns", names[1]]]
        for i, (name, end) in enumerate(zip(names, ends)):
            commands += [["ip", "-n", name, "address", "add", f"10.77.0.{i + 1}/24", "dev", end],
                         ["ip", "-n", name, "link", "set", end, "up"], ["ip", "-n", name, "link", "set", "lo", "up"]]
        for name in names:
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
        try:
            for command in commands:
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.skipTest(f"this machine makes no network namespaces: {error}")
        environment = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29400"}
        processes = [subprocess.Popen(["ip", "netns", "exec", name, BINARY, "train", *self.arguments("apart")],
                                      env={**environment, "RANK": str(rank)}, cwd=self.folder, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) for rank, name in enumerate(names)]
        codes, messages = self.finish(processes)
        self.assertEqual(codes, [0, 0], messages)
        self.run_charnn("train", *self.arguments("whole"))
        self.same_run("whole", "apart")

    def test_an_interface_that_is_not_there(self):
        with unittest.mock.patch.dict(os.environ, GLOO_SOCKET_IFNAME="nosuch0"):
            codes, messages = self.finish(self.start([0, 1], *self.arguments("out")))
        self.assertEqual(codes, [2, 2], messages)
        self.assertIn("network interface nosuch0", messages[0])

    def test_wrong_numbers_and_input(self):
        self.refused("train", *self.arguments("out", "--processes", "3"), says=["3 processes", "1, 2, 4"])
        self.refused("train", *self.arguments("out", "--processes", "8"), says=["train.shards = 4"])
        self.refused("train", *self.arguments("out", "--shards", "3"), says=["a power of two"])
        self.refused("train", *self.arguments("out", "--shards", "8"), says=["a batch of 4 streams"])
        self.refused("train", "--data", "-", "--out", "out", "--processes", "2", says=["standard input"])
        codes, messages = self.finish(self.start([0, 1], "--data", "missing.txt", "--out", "out"))
        self.assertEqual(codes, [2, 2])
        self.assertIn("missing.txt", messages[0])
        self.assertEqual(messages[1], "", "what all processes would say, one says")


if __name__ == "__main__":
    unittest.main()
