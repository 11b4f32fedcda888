#!/usr/bin/env python3
"""The law by which charnn init foretells losses: trains networks of all its sizes for different times on each text, and fits
what src/extras/init/loss_law.cpp computes.

  bench/init_law.py run --charnn build/release/charnn --table bench/results/init-law.jsonl TEXT...
  bench/init_law.py fit --table bench/results/init-law.jsonl [--svg FILE]

`run` appends a line for each training, and leaves out what the table has already; two may run side by side with texts of their
own. `fit` needs scipy, and matplotlib for the picture."""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

SIZES = {(1, 64): 0.006, (2, 128): 0.005, (2, 256): 0.0035, (2, 512): 0.0025}  # learning rates
CHARS = {(1, 64): [1e6, 4e6, 16e6], (2, 128): [1e6, 4e6, 16e6], (2, 256): [5e5, 2e6, 4e6], (2, 512): [5e5, 1e6, 4e6]}
YARDSTICK = 1e6


def dropout(hidden, passes):
    return min(0.5, max(0.0, 0.12 * (math.log2(passes) + math.log2(hidden / 128) - 1.5)))


def train(a, text, layers, hidden, chars, size):
    fraction = 0.05 if size >= 1e6 else 0.1
    train_chars, batch = size * (1 - fraction), 16 if size * (1 - fraction) < 300_000 else 32
    drop = round(dropout(hidden, chars / train_chars), 3)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.charnn, "train", "--data", text, "--out", folder + "/r", "--quiet", "--layers", str(layers),
                        "--hidden", str(hidden), "--embedding", "64", "--lr", str(SIZES[layers, hidden]),
                        "--batch-size", str(batch), "--sequence-length", "64", "--epochs", "0",
                        "--max-steps", str(int(chars // (batch * 64))), "--eval-every", "0", "--checkpoint-every", "0",
                        "--val-fraction", str(fraction), "--eval-max-chars", "200000", "--threads", str(a.threads),
                        "--dropout", str(drop), "--dropout-mask", "window"], check=True)
        records = [json.loads(line) for line in open(folder + "/r/metrics.jsonl")]
    last = [r for r in records if r["event"] == "eval"][-1]
    return {"text": pathlib.Path(text).stem, "train_chars": int(train_chars), "layers": layers, "hidden": hidden,
            "chars": last["chars"], "dropout": drop, "loss": round(last["loss"], 5),
            "seconds": round(last["elapsed_seconds"] - last["seconds"], 1)}


def run(a):
    table = pathlib.Path(a.table)
    known = {(r["text"], r["layers"], r["hidden"], round(r["chars"], -4)) for r in read(a.table)} if table.exists() else set()
    for text in a.texts:
        size = len(pathlib.Path(text).read_text())
        for (layers, hidden), all_chars in CHARS.items():
            for chars in all_chars:
                if (pathlib.Path(text).stem, layers, hidden, round(chars, -4)) in known:
                    continue
                record = train(a, text, layers, hidden, chars, size)
                with table.open("a") as out:
                    print(json.dumps(record), file=out)
                print(record, flush=True)


def read(path):
    return [json.loads(line) for line in open(path)]


def level(p, layers, hidden, chars, train_chars):
    b, c, d, e, worth_of_passes = p
    passes, worth = chars / train_chars, chars
    if passes > 1:
        worth = train_chars * (1 + worth_of_passes * (1 - math.exp((1 - passes) / worth_of_passes)))
    return b * (4 * hidden**2 * (2 * layers - 1) / 1e5) ** -c + d * (worth / 1e6) ** -e


def fit(a):
    import numpy
    from scipy.optimize import least_squares
    records = [r for r in read(a.table) if r["chars"] >= 4e5]  # fewer steps than four warm-ups say little
    yardstick = {r["text"]: r["loss"] for r in records if (r["layers"], r["hidden"]) == (1, 64) and abs(r["chars"] - YARDSTICK) < 1e4}
    records = [r for r in records if r["text"] in yardstick and r["text"] not in a.without]

    def expected(p, r):
        sizes = (r["layers"], r["hidden"], r["chars"], r["train_chars"])
        return yardstick[r["text"]] * level(p, *sizes) / level(p, 1, 64, YARDSTICK, r["train_chars"])

    def errors(p):
        return [math.log(expected(p, r) / r["loss"]) for r in records]

    random = numpy.random.default_rng(1)
    fits = [least_squares(errors, [random.uniform(0, 2), random.uniform(0.05, 0.8), random.uniform(0, 1),
                                   random.uniform(0.1, 1.5), random.uniform(1, 20)], loss="soft_l1", f_scale=0.02,
                          bounds=([0, 0.02, 0, 0.05, 0.3], [8, 2, 8, 2, 60])) for _ in range(40)]
    best = min(fits, key=lambda f: f.cost)
    print("b, c, d, e, worth_of_passes =", ", ".join(f"{x:.4g}" for x in best.x))
    for r, error in zip(records, errors(best.x)):
        print(f"{r['text']:12} {r['layers']} x {r['hidden']:<4} {r['chars'] / 1e6:6.2f} M  {r['loss']:.4f}  {100 * error:+.1f} %")
    print(f"{len(records)} runs, typical error {100 * numpy.median(numpy.abs(errors(best.x))):.1f} %")
    if a.svg:
        draw(a.svg, records, lambda r: expected(best.x, r))


def draw(path, records, expected):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "charnn"
    from matplotlib import pyplot
    texts = sorted({r["text"] for r in records})
    figure, axes = pyplot.subplots(1, len(texts), figsize=(3.2 * len(texts), 3.2), layout="constrained")
    for axis, text in zip(axes, texts):
        for number, (layers, hidden) in enumerate(SIZES):
            runs = sorted((r for r in records if (r["text"], r["hidden"]) == (text, hidden)), key=lambda r: r["chars"])
            axis.plot([r["chars"] for r in runs], [r["loss"] for r in runs], "o", color=f"C{number}", label=f"{layers} x {hidden}")
            axis.plot([r["chars"] for r in runs], [expected(r) for r in runs], "-", color=f"C{number}", linewidth=1)
        axis.set(xscale="log", title=text, xlabel="characters trained on")
    axes[0].set_ylabel("validation loss, nats per character")
    axes[-1].legend(title="points: seen, lines: law", fontsize=8, title_fontsize=8)
    figure.savefig(path, metadata={"Date": None})


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(required=True)
one = commands.add_parser("run")
one.add_argument("--charnn", default="build/release/charnn")
one.add_argument("--table", required=True)
one.add_argument("--threads", default=1, type=int)
one.add_argument("texts", nargs="+")
one.set_defaults(work=run)
two = commands.add_parser("fit")
two.add_argument("--table", required=True)
two.add_argument("--svg")
two.add_argument("--without", default=[], action="append", help="leave this text out")
two.set_defaults(work=fit)
arguments = parser.parse_args()
arguments.work(arguments)
