#!/usr/bin/env python3
"""Several processes on one machine: steps a second of one process with all threads, with one thread, and of two
processes of one thread each, alternating; and what a step's exchange costs. Medians.

    bench/processes.py --charnn build/release/charnn --text TEXT
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("--charnn", required=True)
parser.add_argument("--text", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=6, help="of each run, about")
a = parser.parse_args()

SIZES = {"2 x 128, 50 x 50": ["--hidden", "128", "--batch-size", "50", "--sequence-length", "50"],
         "2 x 256, 64 x 64": ["--hidden", "256", "--batch-size", "64", "--sequence-length", "64"],
         "2 x 512, 64 x 128": ["--hidden", "512", "--batch-size", "64", "--sequence-length", "128"]}
WAYS = {"1 process, 2 threads": ["--threads", "2"], "1 process, 1 thread": ["--threads", "1"],
        "2 processes, 1 thread each": ["--processes", "2", "--threads", "1"]}


def run(size, way):
    """Steps a second, seconds of exchange a step, and bytes of gradients."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        subprocess.run([a.charnn, "train", "--data", a.text, "--out", out, *SIZES[size], *WAYS[way], "--epochs", "0",
                        "--val-fraction", "0", "--max-minutes", str(a.seconds / 60), "--log-every", "4",
                        "--checkpoint-every", "0", "--precision", "fp32", "--quiet"], check=True)
        records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [r for r in records if r["event"] == "step"]
    steps = steps[1:] or steps  # the first ones allocate
    chars = steps[-1]["chars"] / steps[-1]["step"]
    rate = statistics.median(r["chars_per_second"] for r in steps) / chars
    return rate, statistics.median(r.get("exchange_share", 0) for r in steps) / rate, 4 * records[0]["parameters"]


print(f"{'':20} {'':28} {'steps/s':>9} {'ratio':>6} {'exchange':>22}")
for size in SIZES:
    results = {way: [] for way in WAYS}
    for _ in range(a.rounds):
        for way in WAYS:
            results[way].append(run(size, way))
    reference = statistics.median(r[0] for r in results["1 process, 2 threads"])
    for way, runs in results.items():
        rate, exchange = (statistics.median(r[i] for r in runs) for i in (0, 1))
        text = f"{1e3 * exchange:7.1f} ms, {runs[0][2] / 1e6:.1f} MB" if exchange else ""
        print(f"{size:20} {way:28} {rate:9.1f} {rate / reference:6.2f} {text:>22}")
