#!/usr/bin/env python3
"""The law by which charnn init foretells losses: trains networks of all its sizes for different times on each text, and fits
what src/extras/init/loss_law.cpp computes.

  bench/init_law.py run --charnn build/release/charnn --table bench/results/init-law.jsonl TEXT...
  bench/init_law.py fit --table bench/results/init-law.jsonl [--svg FILE]

`run` appends a line for each training, and leaves out what the table has already; two may run side by side with texts of their
own. `fit` needs scipy, and matplotlib for the picture.

The table's texts, named as its lines name them: shakespeare (data/get_shakespeare.sh), tinyshakespeare and its first 100,000
characters (tiny-100k), russian (all files of Debian's fortunes-ru one after the other), and c-5m (the first five million characters
of the .c and .h files of Debian's glibc-source, in the order of their paths)."""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

SIZES = {(1, 64): 0.006, (2, 128): 0.005, (2, 256): 0.0035, (2, 512): 0.0025}  # learning rates
EMBEDDING = {1: 64, 2: 256}  # by layers
CHARS = {(1, 64): [1e6, 4e6, 16e6], (2, 128): [1e6, 4e6, 16e6], (2, 256): [1e6, 4e6, 12e6], (2, 512): [1e6, 2e6, 8e6, 20e6]}
YARDSTICK = 1e6
# Nats per character of a 5-gram model, as charnn init prints them.
COUNTING = {"tiny-100k": 1.5977, "tinyshakespeare": 1.7421, "russian": 1.4659, "c-5m": 1.1263, "shakespeare": 1.4804}


def dropout(hidden, passes):
    return min(0.5, max(0.0, 0.12 * (math.log2(passes) + math.log2(hidden / 128) - 1.5)))


def train(a, text, layers, hidden, chars, size):
    fraction = 0.05 if size >= 1e6 else 0.1
    train_chars, batch = size * (1 - fraction), 16 if size * (1 - fraction) < 300_000 else 32
    passes, steps = chars / train_chars, int(chars // (batch * 64))
    drop = round(dropout(hidden, passes), 3)
    evaluations = 20 if passes > 4 else 0  # the best of them counts where a network remembers the text
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.charnn, "train", "--data", text, "--out", folder + "/r", "--quiet", "--layers", str(layers),
                        "--hidden", str(hidden), "--embedding", str(EMBEDDING[layers]), "--lr", str(SIZES[layers, hidden]),
                        "--batch-size", str(batch), "--sequence-length", "64", "--epochs", "0",
                        "--max-steps", str(steps), "--eval-every", str(evaluations and steps // evaluations), "--checkpoint-every", "0",
                        "--val-fraction", str(fraction), "--eval-max-chars", "200000", "--threads", str(a.threads),
                        "--dropout", str(drop), "--dropout-mask", "window", "--decoder-input", "sum",
                        "--precision", a.precision], check=True)
        records = [json.loads(line) for line in open(folder + "/r/metrics.jsonl")]
    evals = [r for r in records if r["event"] == "eval"]
    last, seconds = evals[-1], evals[-1]["elapsed_seconds"] - sum(r["seconds"] for r in evals)
    return {"text": pathlib.Path(text).stem, "train_chars": int(train_chars), "layers": layers, "hidden": hidden,
            "chars": last["chars"], "dropout": drop, "loss": round(min(r["loss"] for r in evals), 5), "seconds": round(seconds, 1)}


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


def weights(layers, hidden):
    return hidden**2 * (2 * layers - 1)


def level(p, layers, hidden, chars, train_chars):
    by_size, by_chars, fades, together, bend, worth_of_passes = p[:6]
    passes, worth = chars / train_chars, chars
    if passes > 1:
        worth = train_chars * (1 + worth_of_passes * (1 - math.exp((1 - passes) / worth_of_passes)))
    n, e = math.log(weights(layers, hidden) / weights(1, 64)), math.log(worth / 1e6)
    return by_size * n + bend * n * n + (by_chars + together * n) * fades * (1 - math.exp(-e / fades))


def fit(a):
    import numpy
    from scipy.optimize import least_squares
    records = [r for r in read(a.table) if r["text"] not in a.without]

    def yardstick(text, hidden):
        return next((r["loss"] for r in records if r["text"] == text and r["hidden"] == hidden
                     and abs(r["chars"] - YARDSTICK) < 1e4), None)

    records = [r for r in records if yardstick(r["text"], 64) and yardstick(r["text"], 128)]

    def log_expected(p, r):
        first, second, length = yardstick(r["text"], 64), yardstick(r["text"], 128), r["train_chars"]
        fall = math.log(first / second)
        room = max(min(p[8], math.log(first / COUNTING[r["text"]] / p[9])), 1.1 * fall)
        base = level(p, 1, 64, YARDSTICK, length)
        slope = -math.log(1 - fall / room) / (base - level(p, 2, 128, YARDSTICK, length))
        remembers = r["chars"] / length * (weights(r["layers"], r["hidden"]) / weights(2, 512))**p[10] / p[7]
        fallen = slope * (base - level(p, r["layers"], r["hidden"], r["chars"], length))
        return math.log(first) - room * (1 - math.exp(min(-fallen, 50))) + p[6] * math.log(max(1, remembers))

    def errors(p):
        return [log_expected(p, r) - math.log(r["loss"]) for r in records]

    def weighted(p):  # the smallest networks are proposed for seconds only
        return [error * (1 if r["hidden"] >= 256 else 0.4) for error, r in zip(errors(p), records)]

    random = numpy.random.default_rng(1)
    start = [-0.12, -0.18, 9, -0.03, 0.002, 8, 0.04, 8, 0.75, 0.8, 0.5]
    low, high = [-1, -1, 0.5, -0.2, -0.2, 0.3, 0, 1, 0.2, 0.2, 0], [0, 0, 20, 0.2, 0.2, 30, 1, 60, 2, 0.97, 3]
    fits = [least_squares(weighted, numpy.clip(random.uniform(0.7, 1.3, len(start)) * start, low, high), loss="soft_l1",
                          f_scale=0.02, bounds=(low, high)) for _ in range(30)]
    best = min(fits, key=lambda f: f.cost)
    print("by_size, by_chars, fades, together, bend, worth_of_passes, power, begins, deepest, of_counting, by_weights =", ", ".join(f"{x:.4g}" for x in best.x))
    for r, error in zip(records, errors(best.x)):
        print(f"{r['text']:16} {r['layers']} x {r['hidden']:<4} {r['chars'] / 1e6:6.2f} M  {r['loss']:.4f}  {100 * error:+.1f} %")
    large = [abs(error) for r, error in zip(records, errors(best.x)) if r["hidden"] >= 256]
    print(f"{len(records)} runs, typical error {100 * numpy.median(numpy.abs(errors(best.x))):.1f} %; networks of 256 units and more: "
          f"{100 * numpy.median(large):.1f} %, at most {100 * max(large):.1f} %")
    if a.svg:
        draw(a.svg, records, lambda r: math.exp(log_expected(best.x, r)))


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
    figure.legend(*axes[-1].get_legend_handles_labels(), title="points: seen\nlines: law", loc="outside right center", fontsize=8,
                  title_fontsize=8)
    figure.savefig(path, metadata={"Date": None})


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
commands = parser.add_subparsers(required=True)
one = commands.add_parser("run")
one.add_argument("--charnn", default="build/release/charnn")
one.add_argument("--table", required=True)
one.add_argument("--threads", default=1, type=int)
one.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
one.add_argument("texts", nargs="+")
one.set_defaults(work=run)
two = commands.add_parser("fit")
two.add_argument("--table", required=True)
two.add_argument("--svg")
two.add_argument("--without", default=[], action="append", help="leave this text out")
two.set_defaults(work=fit)
arguments = parser.parse_args()
arguments.work(arguments)
