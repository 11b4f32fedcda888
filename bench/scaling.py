#!/usr/bin/env python3
"""How the time for a character grows with the sizes: measures with `charnn bench`, writes the figures and draws them.
Needs matplotlib.

    .venv/bin/python bench/scaling.py --charnn build/release/charnn --out bench/results/scaling.json --svg docs/scaling.svg
"""
import argparse
import json
import pathlib
import subprocess

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt

parser = argparse.ArgumentParser()
parser.add_argument("--charnn", required=True)
parser.add_argument("--seconds", type=float, default=1)
parser.add_argument("--out", required=True)
parser.add_argument("--svg", required=True)
parser.add_argument("--draw-only", action="store_true", help="draw the figures in --out")
a = parser.parse_args()

BASE = {"hidden": 128, "layers": 2, "batch-size": 50, "sequence-length": 50, "vocabulary": 65}
AXES = {"hidden": [32, 64, 128, 256, 512, 1024], "layers": [1, 2, 3, 4, 6], "batch-size": [1, 4, 16, 50, 128, 256],
        "sequence-length": [5, 15, 50, 150, 400], "vocabulary": [16, 65, 256, 1024, 4096]}


def measure(**sizes):
    flags = [x for key, value in {**BASE, **sizes}.items() for x in (f"--{key}", str(value))]
    done = subprocess.run([a.charnn, "bench", *flags, "--json", "--only", "train", "--seconds", str(a.seconds)],
                          capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    threads = max(r["threads"] for r in report["train"])
    return {r["precision"]: round(r["chars_per_second"]) for r in report["train"] if r["threads"] == threads}


out = pathlib.Path(a.out)
if a.draw_only:
    figures = json.loads(out.read_text())
else:
    figures = {axis: [{"at": value, **measure(**{axis: value})} for value in values] for axis, values in AXES.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")

plt.rcParams["svg.hashsalt"] = "charnn"
plt.rcParams["font.size"] = 9
figure, plots = plt.subplots(1, len(AXES), figsize=(14, 3.2), sharey=True)
for plot, (axis, points) in zip(plots, figures.items()):
    for precision in sorted({key for point in points for key in point} - {"at"}):
        plot.plot([p["at"] for p in points], [1e6 / p[precision] for p in points], marker="o", markersize=3, label=precision)
    plot.set_xscale("log", base=2 if axis != "layers" else 10)
    plot.set_xticks([p["at"] for p in points], [str(p["at"]) for p in points], rotation=60)
    plot.minorticks_off()
    plot.set_yscale("log")
    plot.set_xlabel(axis.replace("-", " "))
    plot.grid(True, alpha=0.3)
plots[0].set_ylabel("microseconds a character")
plots[0].legend(frameon=False)
figure.patch.set_facecolor("white")
figure.suptitle("Training time, the other sizes being LSTM 2 x 128, batch 50, sequence 50, vocabulary 65", fontsize=10)
figure.tight_layout()
figure.savefig(a.svg, metadata={"Date": None})
