"""Ends one training N times, by a signal, and resumes it; it must end as the same training that was left alone does.

In half of the rounds the signal comes at a random step, or while the program is still loading; in the others at a random
place inside a save, by the shim: before, in the middle of, or after a write, fsync or rename of one of the files of the
run. The training is tiny and saves all the time."""
import argparse
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tests.torture import run_files

CHECKPOINT_EVERY, EVAL_EVERY, LOG_EVERY = 7, 20, 3
STEPS_A_ROUND = 150
TRAINING = ["--layers", "2", "--hidden", "16", "--embedding", "8", "--dropout", "0.1", "--batch-size", "4",
            "--sequence-length", "20", "--epochs", "0", "--schedule", "constant", "--threads", "1",
            "--checkpoint-every", str(CHECKPOINT_EVERY), "--eval-every", str(EVAL_EVERY), "--log-every", str(LOG_EVERY)]

WRITTEN = ("open", "write", "fsync", "rename")
# Files, the calls made on them, and how many steps lie between two times they are written; 0: once, at the beginning.
PLACES = [("last.safetensors", WRITTEN, CHECKPOINT_EVERY)] * 3 + [
    ("best.safetensors", WRITTEN, EVAL_EVERY), ("best.safetensors", WRITTEN, EVAL_EVERY),
    ("metrics.jsonl$", ("write",), LOG_EVERY), ("metrics.jsonl$", ("write",), LOG_EVERY),
    ("events.out.tfevents", ("open", "write"), LOG_EVERY),
    ("folder", ("fsync",), CHECKPOINT_EVERY),
    ("metrics.jsonl.tmp", WRITTEN, 0), ("config.json.tmp", WRITTEN, 0)]


def training(steps):
    # A low rate: validation gets better all the time, so that best.safetensors is written to the end.
    return [*TRAINING, "--max-steps", str(steps), "--lr", f"{1.5 / steps:.3g}"]


class Failure(Exception):
    pass


def text():
    words = [f"{a}{b}{c}" for a in ("ma", "to", "sel", "pru") for b in ("n", "rri", "ke", "") for c in ("da", "st", "o", "ing")]
    choose = random.Random(1)
    return "".join(" ".join(choose.choices(words, k=choose.randint(3, 9))).capitalize() + ".\n" for _ in range(800))


def environment(faults):
    if not faults:
        return None
    return {**os.environ, "LD_PRELOAD": os.environ["FAULTS"], "CHARNN_FAULTS": faults}


def last_step(metrics):
    with open(metrics, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
        steps = re.findall(rb'"step":(\d+)', file.read())
    return int(steps[-1]) if steps else 0


class Interrupted:
    """The run that is ended again and again."""

    def __init__(self, folder, name, steps, start_up, choose):
        self.folder, self.name, self.steps, self.start_up, self.choose = folder, name, steps, start_up, choose
        self.run = folder / name
        self.in_save = self.loading = self.idle = self.rounds = 0
        self.diary = open(folder / f"rounds-{name}.txt", "w")

    def step(self):
        last = self.run / "last.safetensors"
        return run_files.checkpoint_step(last) if last.exists() else None

    def command(self):
        if self.step() is None:  # not even the first save was made
            begin = ["--overwrite"] if self.run.exists() else []
            return [os.environ["CHARNN"], "train", "--data", "text.txt", *training(self.steps), "--out", self.name, *begin]
        return [os.environ["CHARNN"], "train", "--resume", "--out", self.name]

    def fault(self, allowance):
        """A rule for the shim that sends the signal within about `allowance` steps."""
        file, calls, every = self.choose.choice(PLACES)
        call = self.choose.choice(calls)
        kinds = ["kill", "kill-after"] + (["kill-half"] * 2 if call == "write" else [])
        times = 1 if every == 0 or call == "open" and every == LOG_EVERY else max(1, round(allowance / every))
        path = f"/{self.name}$" if file == "folder" else file
        return f"{call}:{path}:{self.choose.choice(kinds)}={self.name}:{self.choose.randint(1, times)}"

    def round(self, left):
        before = self.step()
        remaining = self.steps - (before or 0)
        allowance = min(0.9 * remaining, max(1.0, remaining / left * self.choose.uniform(0, 2)))
        faults, sleep, far = "", 0.0, math.inf
        kind = self.choose.choice(("save", "save", "save", "step", "step", "loading"))
        if kind == "save":
            faults = self.fault(allowance)
            far = 2 * allowance + 60  # that save may never come, as that of a best that is none
        elif kind == "step":
            far, sleep = allowance, self.choose.uniform(0, 0.02)
        else:
            sleep = self.choose.uniform(0, 1.2 * self.start_up)
        command, started = self.command(), run_files.file_number(self.run / "metrics.jsonl")
        process = subprocess.Popen(command, cwd=self.folder, env=environment(faults), stderr=subprocess.PIPE)
        if kind != "loading":
            self.wait_for_step(process, started, (before or 0) + far)
        time.sleep(sleep)
        sent = process.poll() is None
        if sent:
            process.send_signal(getattr(signal, "SIG" + self.name))
        _, message = process.communicate(timeout=120)
        self.judge(before, process.returncode, bool(faults) and not sent, faults or kind, message)

    def wait_for_step(self, process, started, step):
        """Until metrics.jsonl shows the step, or the process has ended. At its start it makes a new file of the old one."""
        path = self.run / "metrics.jsonl"
        end = time.monotonic() + 300
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
                raise Failure(f"round {self.rounds + 1}: no end after 300 s")
            if run_files.file_number(path) not in (None, started) and last_step(path) >= step:
                return
            time.sleep(0.004)

    def judge(self, before, status, in_save, what, message):
        number = getattr(signal, "SIG" + self.name)
        after = self.step()
        self.rounds += 1
        print(f"round {self.rounds}: {what}: from step {before}, ended with {status}, saved step {after}", file=self.diary, flush=True)
        # A signal that comes before the program takes care of it ends it as it does any program.
        if status not in (0, -number, 128 + number):
            raise Failure(f"round {self.rounds} ({what}): exit status {status}\n{message.decode(errors='replace')}")
        if after is None and before is not None or after is not None and before is not None and after < before:
            raise Failure(f"round {self.rounds} ({what}): step {before} was saved before, {after} after it")
        if (self.run / "best.safetensors").exists():
            run_files.checkpoint(self.run / "best.safetensors")
        self.in_save += in_save and status != 0
        self.loading += after is None
        self.idle += after == before

    def finish(self):
        done = subprocess.run(self.command(), cwd=self.folder, stderr=subprocess.PIPE, timeout=600)
        if done.returncode != 0:
            raise Failure(f"the last resumption: exit status {done.returncode}\n{done.stderr.decode(errors='replace')}")


def compare(whole, parts):
    for name in ("last.safetensors", "best.safetensors"):
        if (whole / name).read_bytes() != (parts / name).read_bytes():
            raise Failure(f"{name} is not, byte for byte, that of the run that was left alone")
    difference = run_files.difference(*(run_files.metrics(run / "metrics.jsonl", run_files.TIMES) for run in (whole, parts)))
    if difference:
        raise Failure(f"metrics.jsonl: {difference}")
    if left := run_files.temporary_files(parts):
        raise Failure(f"left behind: {', '.join(left)}")
    for file in run_files.event_files(parts):
        run_files.events(file, may_be_cut=True)


def uninterrupted(folder, steps):
    """Makes the run to compare with; how many seconds the program takes before it trains."""
    begin = time.monotonic()
    with open(folder / "whole.txt", "wb") as log:
        process = subprocess.Popen([os.environ["CHARNN"], "train", "--data", "text.txt", *training(steps), "--out", "whole"],
                                   cwd=folder, stderr=log)
    while process.poll() is None and not (folder / "whole/metrics.jsonl").exists():
        time.sleep(0.01)
    start_up = time.monotonic() - begin
    if process.wait() != 0:
        raise Failure(f"the run that is left alone: exit status {process.returncode}\n{(folder / 'whole.txt').read_text()}")
    print(f"left alone: {steps} steps in {time.monotonic() - begin:.0f} s", flush=True)
    return start_up


def torture(folder, rounds, name, seed, steps, start_up):
    begin = time.monotonic()
    run = Interrupted(folder, name, steps, start_up, random.Random(f"{seed} {name}"))
    for left in range(rounds, 0, -1):
        run.round(left)
    reached = run.step() or 0
    run.finish()
    compare(folder / "whole", run.run)
    print(f"{name}: {rounds} rounds in {time.monotonic() - begin:.0f} s, {run.in_save} inside a save, {run.loading} before the "
          f"first save, {rounds - run.idle} with progress, step {reached} of {steps} reached; the same bytes as undisturbed",
          flush=True)


def main():
    parser = argparse.ArgumentParser(prog="kill_resume.sh", description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("signals", nargs="*", default=["KILL", "TERM", "INT"], metavar="SIGNAL")
    parser.add_argument("--seed", type=int, default=random.randrange(10 ** 6), help="of the random choices")
    parser.add_argument("--keep", action="store_true", help="keep the runs, and what was done in each round")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it would be ignored, here and below
    print(f"seed {options.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="charnn-kill-"))
    (folder / "text.txt").write_text(text())
    steps = STEPS_A_ROUND * max(options.rounds, 4)
    name = ""
    try:
        start_up = uninterrupted(folder, steps)
        for name in options.signals:
            torture(folder, options.rounds, name, options.seed, steps, start_up)
    except (Failure, run_files.Damage) as failure:
        print(f"{name}: FAILED: {failure}\nthe runs and the rounds (rounds-*.txt) are in {folder}; "
              f"again: kill_resume.sh {options.rounds} {name} --seed {options.seed}")
        return 1
    if options.keep:
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
