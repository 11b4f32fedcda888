#!/usr/bin/env python3
"""Is charnn faster than PyTorch's own nn.LSTM, nn.GRU and nn.RNN on this machine? Runs both in turn, several times, and
compares medians: the machine may be noisy, only a ratio from one run means anything.

    python3 bench/compare_speed.py --charnn build/release/charnn --python .venv/bin/python \\
        --peer pytorch_lstm.py --runs 5 --out bench/results/NAME.json

--peer is the script that trains and samples with PyTorch: it prints one JSON line with chars_per_second for
`train --cell C --layers L --hidden H --batch B --seq T [--bf16]` and `sample ... [--no-mkldnn]`.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--charnn", required=True)
parser.add_argument("--python", required=True)
parser.add_argument("--peer", required=True)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--only", default="", help="cases whose name contains this")
parser.add_argument("--out")
a = parser.parse_args()

SIZES = {128: (50, 50), 512: (64, 100)}  # hidden: batch, sequence


def cases():
    for hidden in SIZES:
        for precision in ("fp32", "bf16"):
            yield {"what": "train", "cell": "lstm", "hidden": hidden, "precision": precision}
    for cell in ("gru", "rnn"):
        for hidden in SIZES:
            yield {"what": "train", "cell": cell, "hidden": hidden, "precision": "fp32"}
    for hidden in SIZES:
        yield {"what": "sample", "cell": "lstm", "hidden": hidden}


def last_json(command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])["chars_per_second"]


def pytorch(case):
    batch, sequence = SIZES[case["hidden"]]
    command = [a.python, a.peer, case["what"], "--cell", case["cell"], "--hidden", case["hidden"], "--seconds", a.seconds]
    if case["what"] == "train":
        command += ["--batch", batch, "--seq", sequence, "--threads", a.threads] + ["--bf16"] * (case["precision"] == "bf16")
    else:
        command += ["--no-mkldnn"]  # PyTorch's fastest setting for one stream
    return {"pytorch": last_json([str(c) for c in command])}


def charnn(case):
    batch, sequence = SIZES[case["hidden"]]
    command = [a.charnn, "bench", "--cell", case["cell"], "--hidden", case["hidden"], "--batch-size", batch,
               "--sequence-length", sequence, "--threads", a.threads, "--seconds", a.seconds, "--json",
               "--only", case["what"]]
    if case["what"] == "train":
        command += ["--precision", case["precision"]]
    report = json.loads(subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout)
    if case["what"] == "sample":
        return {f"charnn {r['streams']} x {r['weights']}": r["chars_per_second"] for r in report["sample"]}
    record = report["train"][0]
    return {"charnn": record["chars_per_second"], "charnn GFLOP/s": record["gflops"], "peak MB": record["peak_mb"],
            "base + needed MB": record["base_mb"] + record["needed_mb"],
            "best product GFLOP/s of floats": max([p["gflops"] for p in report["products"] if p["format"] == "float"] or [0])}


def run(case):
    name = " ".join(str(v) for v in case.values())
    figures = {}
    for _ in range(a.runs):
        for measure in (pytorch, charnn):
            for key, value in measure(case).items():
                figures.setdefault(key, []).append(round(value))
    medians = {key: statistics.median(values) for key, values in figures.items()}
    ratios = {key: round(medians[key] / medians["pytorch"], 2) for key in medians
              if key.startswith("charnn") and "GFLOP" not in key}
    print(f"{name}: {medians}  ratios {ratios}", flush=True)
    return {"case": case, "runs": figures, "medians": medians, "over_pytorch": ratios}


results = [run(case) for case in cases() if a.only in " ".join(str(v) for v in case.values())]
if a.out:
    path = pathlib.Path(a.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"threads": a.threads, "seconds_a_run": a.seconds, "results": results}, indent=1) + "\n")
