"""Hours of real training, killed and resumed at random times, and a look at everything it leaves.

    soak.py --data FILE --out DIR --minutes 60 --kills 20     trains so long; SIGKILL so often, each time resumed
    soak.py --data FILE --out DIR --steps 10000               trains so many steps, and tells the memory at each 1000th

Checked at the end: every loss is finite; memory does not grow while a process trains; metrics.jsonl has each record once,
in order; TensorBoard's files are whole; the checkpoints load. Told as well: the speed, for each tenth of the training.
DIR gets the run (run), what it said (said.txt), report.txt and report.json. CHARNN names the program; other options
(--hidden 256 ...) go to charnn train. Exit status 1 if a check fails."""
import argparse
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.torture import run_files  # noqa: E402

LOG_EVERY = 10
MOST_GROWTH_KB = 4096  # from the first third of a process to the last: the curves of a picture may grow by less than 1 MB
FEWEST_SAMPLES, FEWEST_STEPS = 15, 100  # of a process whose memory is judged


def memory(pid):
    """VmRSS in KB; None once the process is gone."""
    try:
        return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    except (OSError, TypeError):
        return None


def steps_so_far(metrics):
    try:
        with open(metrics, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
            found = re.findall(rb'"event":"step","step":(\d+)', file.read())
        return int(found[-1]) if found else 0
    except OSError:
        return 0


class Soak:
    def __init__(self, options, extra):
        self.options, self.extra = options, extra
        self.out = pathlib.Path(options.out)
        self.run = self.out / "run"
        self.processes = []  # a list of (seconds, step, KB) for each
        self.begin = time.monotonic()

    def start(self):
        resumes = (self.run / "last.safetensors").exists()  # else it was killed before its first save, if it began at all
        plan = ["--max-steps", str(self.options.steps)] if self.options.steps else ["--max-steps", "1000000000", "--schedule", "constant"]
        train = ["--resume"] if resumes else ["--data", self.options.data, "--epochs", "0", *plan, "--log-every", str(LOG_EVERY),
                                              "--threads", str(self.options.threads), "--overwrite", *self.extra]
        self.before = run_files.file_number(self.run / "metrics.jsonl")
        with open(self.out / "said.txt", "ab") as said:
            process = subprocess.Popen([os.environ["CHARNN"], "train", "--out", str(self.run), *train], stderr=said)
        self.processes.append([])
        return process

    def trains(self):
        """Not so while it is still loading: metrics.jsonl is made anew after that."""
        return run_files.file_number(self.run / "metrics.jsonl") not in (None, self.before)

    def watch(self, process, until):
        """Takes samples until the time is up or the process has ended."""
        interval = 0.1 if self.options.steps else min(5.0, self.options.minutes / 4)
        samples = self.processes[-1]
        while process.poll() is None and time.monotonic() < until:
            size = memory(process.pid)
            if size is not None and self.trains():
                samples.append((time.monotonic() - self.begin, steps_so_far(self.run / "metrics.jsonl"), size))
            time.sleep(max(0.0, min(interval, until - time.monotonic())))

    def train(self):
        """The exit status of the last process, and what it should be."""
        if self.options.steps:
            process = self.start()
            self.watch(process, float("inf"))
            return process.wait(), 0
        end = self.begin + 60 * self.options.minutes
        choose = random.Random(self.options.seed)
        kills = sorted(self.begin + choose.uniform(0.01, 0.97) * 60 * self.options.minutes for _ in range(self.options.kills))
        for kill in kills:
            process = self.start()
            self.watch(process, kill)
            if process.poll() is not None:
                return process.returncode, "none: it was to be killed"
            process.kill()
            process.wait()
        process = self.start()
        self.watch(process, end)
        while process.poll() is None and not self.trains():
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=600), 143


def growth(samples):
    """Memory of the first and the last third of a process after its first fifth, and growth in KB in 1000 steps."""
    settled = samples[len(samples) // 5:]
    third = max(1, len(settled) // 3)
    early, late = settled[:third], settled[-third:]
    kb = [statistics.median(sample[2] for sample in part) for part in (early, late)]
    steps = statistics.median(s[1] for s in late) - statistics.median(s[1] for s in early)
    return {"samples": len(samples), "early_kb": kb[0], "late_kb": kb[1], "steps": steps,
            "kb_per_1000_steps": round((kb[1] - kb[0]) / max(1, steps) * 1000, 2)}


def marks(samples):
    """The memory at each 1000th step."""
    found = {}
    for _, step, size in samples:
        if step >= 1000:
            found.setdefault(step // 1000 * 1000, size)
    return found


def speed(records):
    """The median of chars_per_second in each tenth of the records."""
    values = [record["chars_per_second"] for record in records if record["event"] == "step"]
    size = len(values) / 10
    return [round(statistics.median(values[int(i * size):max(int((i + 1) * size), int(i * size) + 1)])) for i in range(10)] if values else []


def check_files(run, killed):
    """Complaints about the files of the run, and its records."""
    found, records = [], []
    try:
        step = run_files.checkpoint_step(run / "last.safetensors")
        records = run_files.metrics(run / "metrics.jsonl")
        found += run_files.check_metrics(records, LOG_EVERY, step)
        for file in run_files.event_files(run):
            steps = run_files.event_steps(run_files.events(file, may_be_cut=killed))
            if steps != sorted(steps):
                found.append(f"{file.name}: steps are out of order")
    except (OSError, run_files.Damage) as error:
        found.append(str(error))
    for which in ("last", "best"):
        done = subprocess.run([os.environ["CHARNN"], "info", str(run), "--checkpoint", which], capture_output=True)
        if done.returncode != 0:
            found.append(f"charnn info --checkpoint {which}: {done.stderr.decode()}")
    if left := run_files.temporary_files(run):
        found.append(f"left behind: {', '.join(left)}")
    return found, records


def report(soak, status, expected):
    found, records = check_files(soak.run, soak.options.kills > 0)
    if status != expected:
        found.append(f"exit status {status}, expected {expected}; see said.txt")
    memory_of = [growth(samples) for samples in soak.processes if len(samples) >= FEWEST_SAMPLES]
    memory_of = [part for part in memory_of if part["steps"] >= FEWEST_STEPS]
    for i, part in enumerate(memory_of):
        if part["late_kb"] - part["early_kb"] > MOST_GROWTH_KB:
            found.append(f"process {i + 1}: memory grows from {part['early_kb']} to {part['late_kb']} KB in {part['steps']} steps")
    warnings = [f"step {r['step']}: {r['name']}" for r in records if r["event"] == "warning"]
    losses = [r["loss"] for r in records if r["event"] == "eval"]
    result = {"ok": not found, "complaints": found, "seed": soak.options.seed, "seconds": round(time.monotonic() - soak.begin),
              "processes": len(soak.processes), "last_step": max((r["step"] for r in records if r["event"] == "step"), default=0),
              "validation_losses": losses, "warnings": warnings, "memory": memory_of, "chars_per_second": speed(records)}
    if soak.options.steps:
        result["memory_at_steps"] = marks(soak.processes[0])
    (soak.out / "report.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [f"{result['seconds']} s, {result['processes']} processes, {result['last_step']} steps, seed {result['seed']}",
             f"validation loss: {', '.join(f'{loss:.4f}' for loss in losses[:1] + losses[-1:])} (first, last of {len(losses)})",
             f"chars/s, tenths: {' '.join(map(str, result['chars_per_second']))}",
             f"warnings: {', '.join(warnings) or 'none'}"]
    lines += [f"memory: {m['early_kb']} -> {m['late_kb']} KB in {m['steps']:.0f} steps, {m['kb_per_1000_steps']} KB in 1000 steps "
              f"({m['samples']} samples)" for m in memory_of]
    lines += [f"step {step}: {size} KB" for step, size in result.get("memory_at_steps", {}).items()]
    lines += [f"FAILED: {complaint}" for complaint in found] or ["everything as it must be"]
    text = "\n".join(lines) + "\n"
    (soak.out / "report.txt").write_text(text)
    print(text, end="")
    return 1 if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True, help="a folder that is not there yet")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0, help="train so many steps instead, without kills")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(10 ** 6), help="of the times of the kills")
    options, extra = parser.parse_known_args()
    if options.steps and options.kills:
        parser.error("--steps goes without --kills")
    pathlib.Path(options.out).mkdir(parents=True)
    soak = Soak(options, extra)
    return report(soak, *soak.train())


if __name__ == "__main__":
    sys.exit(main())
