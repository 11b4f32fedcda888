#!/usr/bin/env python3
"""Is charnn faster than PyTorch's own nn.LSTM, nn.GRU and nn.RNN on this machine? Runs both in turn, several times, and
compares medians: the machine may be noisy, only a ratio from one run means anything. Prints a table.

    python3 bench/compare_speed.py --charnn build/release/charnn --python .venv/bin/python \\
        --peer pytorch_lstm.py --runs 5 --out bench/results/NAME.json

--peer is the script that trains and samples with PyTorch: it prints one JSON line with chars_per_second for
`train --cell C --layers L --hidden H --batch B --seq T [--bf16]` and `sample ... [--no-mkldnn]`.
--cpu holds both to the instructions of an older processor, --only picks cases: `--cpu avx2 --only "lstm 2 x 512"`.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess

# charnn's CHARNN_CPU, and what PyTorch, its oneDNN and its MKL call the same.
CPUS = {"amx": ("avx512", "AVX512_CORE_AMX", "AVX512"), "avx512_bf16": ("avx512", "AVX512_CORE_BF16", "AVX512"),
        "avx512": ("avx512", "AVX512_CORE", "AVX512"), "avx2": ("avx2", "AVX2", "AVX2")}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--charnn", required=True)
parser.add_argument("--python", required=True, help="with torch")
parser.add_argument("--peer", required=True)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--cpu", choices=CPUS)
parser.add_argument("--only", default="", help="cases whose name contains this")
parser.add_argument("--out")
a = parser.parse_args()

SIZES = {128: (50, 50), 512: (64, 100)}  # hidden: batch, sequence
ENVIRONMENT = dict(os.environ)
if a.cpu:
    names = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
    ENVIRONMENT |= {"CHARNN_CPU": a.cpu, **dict(zip(names, CPUS[a.cpu]))}


def case(what, cell, hidden, precision, batch=None, sequence=None):
    size = SIZES[hidden] if batch is None else (batch, sequence)
    name = f"{what} {cell} 2 x {hidden}" + (f", {size[0]} x {size[1]}" if what == "train" else "") + (f", {precision}" if precision else "")
    return {"name": name, "what": what, "cell": cell, "hidden": hidden, "precision": precision, "size": size}


def cases(precisions):
    for cell in ("lstm", "gru", "rnn"):
        for hidden in SIZES:
            for precision in precisions:
                yield case("train", cell, hidden, precision)
    for batch in (16, 32):
        for precision in precisions:
            yield case("train", "lstm", 512, precision, batch, 64)
    for hidden in SIZES:
        for precision in precisions:
            yield case("score", "lstm", hidden, precision)
    for hidden in SIZES:
        yield case("sample", "lstm", hidden, "")


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return done.stdout


def pytorch(c):
    command = [a.python, a.peer, c["what"], "--cell", c["cell"], "--hidden", c["hidden"], "--seconds", a.seconds]
    if c["what"] == "score":
        return {}
    if c["what"] == "train":
        command += ["--batch", c["size"][0], "--seq", c["size"][1], "--threads", a.threads] + ["--bf16"] * (c["precision"] == "bf16")
    else:
        command += ["--no-mkldnn"]  # PyTorch's fastest setting for one stream
    return {"pytorch": json.loads(run(command).strip().splitlines()[-1])["chars_per_second"]}


def charnn(c):
    command = [a.charnn, "bench", "--cell", c["cell"], "--hidden", c["hidden"], "--batch-size", c["size"][0],
               "--sequence-length", c["size"][1], "--threads", a.threads, "--seconds", a.seconds, "--json", "--only", c["what"]]
    if c["precision"]:
        command += ["--precision", c["precision"]]
    report = json.loads(run(command))
    if c["what"] == "sample":
        return {f"{r['streams']} text{'s' * (r['streams'] > 1)}, {r['weights']}": r["chars_per_second"] for r in report["sample"]}
    record = report[c["what"]][0]
    figures = {"charnn": record["chars_per_second"], "GFLOP/s": record["gflops"], "percent of peak": 100 * record["share_of_products"]}
    if c["what"] == "train":
        figures |= {"peak MB": record["peak_mb"], "base + needed MB": record["base_mb"] + record["needed_mb"]}
    return figures


def measure(c):
    figures = {}
    for _ in range(a.runs):
        for side in (pytorch, charnn):
            for key, value in side(c).items():
                figures.setdefault(key, []).append(round(value))
    medians = {key: statistics.median(values) for key, values in figures.items()}
    peer = medians.get("pytorch")
    for key, value in medians.items():
        if key == "charnn" or "text" in key:
            cells = [c["name"] if key == "charnn" else f"{c['name']}, {key}", f"{peer:,.0f}" if peer else "", f"{value:,.0f}",
                     f"{value / peer:.2f}" if peer else "", medians.get("GFLOP/s", ""),
                     f"{medians['percent of peak']:.0f} %" if "percent of peak" in medians else ""]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return {"case": c, "runs": figures, "medians": medians}


def main():
    report = json.loads(run([a.charnn, "bench", "--only", "score", "--hidden", 16, "--seconds", 0.05, "--json"]))
    precisions = ["fp32"] + ["bf16"] * (report["bf16_unit"] != "none")
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")][0]
    print(f"{model}, {a.threads} threads" + (f", held to {a.cpu}" if a.cpu else "") + "\n")
    print("| | PyTorch | charnn | ratio | GFLOP/s | of the products' peak |\n|---|---|---|---|---|---|", flush=True)
    results = [measure(c) for c in cases(precisions) if a.only in c["name"]]
    if a.out:
        path = pathlib.Path(a.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"processor": model, "held_to": a.cpu, "threads": a.threads, "seconds_a_run": a.seconds,
                                    "results": results}, indent=1) + "\n")


main()
