#!/usr/bin/env python3
"""What filters cost, and what scoring gains: compare_sampling.py CHARNN TEXT [--hidden 128 512] [--repeats 5].

For each size a network is trained for a few steps on TEXT. Then, alternating, medians of characters a second:
  plain     one text with nothing but a temperature
  filters   the same with every filter and penalty on
  score     charnn score of TEXT, on all cores; plain is what reading it one character after another costs at best
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

FILTERS = ["--top-k", "40", "--top-p", "0.95", "--min-p", "0.01", "--typical", "0.98", "--repetition-penalty", "1.1",
           "--frequency-penalty", "0.02", "--bias", "e=-0.5"]


def seconds(*command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def rate(command, short, long):
    """Characters a second between two lengths, so that starting up does not count. command(length)."""
    return (long - short) / (seconds(*command(long)) - seconds(*command(short)))


def measure(charnn, text, hidden, repeats, folder):
    run = f"{folder}/run-{hidden}"
    subprocess.run([charnn, "train", "--data", text, "--hidden", str(hidden), "--epochs", "0", "--max-steps", "20", "--out", run, "-q"], check=True)
    letters = "".join(sorted(set(pathlib.Path(text).read_text())))
    sample = [charnn, "sample", run, "--seed", "1", "--checkpoint", "last", "--weights", "fp32", "--threads", "1", "--quiet"]
    chars = len(pathlib.Path(text).read_text())
    half, whole = f"{folder}/half.txt", f"{folder}/whole.txt"
    pathlib.Path(whole).write_text(pathlib.Path(text).read_text())
    pathlib.Path(half).write_text(pathlib.Path(text).read_text()[:chars // 2])
    write = 100 * 128 * 1000 // hidden
    cases = {
        "plain": lambda: rate(lambda n: [*sample, "--length", str(n)], write // 20, write),
        "filters": lambda: rate(lambda n: [*sample, "--length", str(n), *FILTERS, "--only", letters], write // 20, write),
        **{f"score {p}": lambda p=p: rate(lambda n: [charnn, "score", run, half if n < chars else whole, "--checkpoint", "last",
                                                     "--precision", p], chars // 2, chars) for p in ("fp32", "bf16")},
    }
    rates = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            rates[name].append(case())
    return {name: statistics.median(values) for name, values in rates.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("charnn")
    parser.add_argument("text")
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for hidden in options.hidden:
            median = measure(options.charnn, options.text, hidden, options.repeats, folder)
            print(json.dumps({"hidden": hidden, **{name: round(value) for name, value in median.items()},
                              "filters / plain": round(median["filters"] / median["plain"], 3),
                              "score fp32 / plain": round(median["score fp32"] / median["plain"], 2),
                              "score bf16 / plain": round(median["score bf16"] / median["plain"], 2)}), flush=True)


main()
