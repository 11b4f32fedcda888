#!/usr/bin/env python3
"""How good is the rate that charnn lr-find suggests? For every cell and corpus: trains at a grid of rates and at the
suggested one, the same number of steps each, and compares the validation losses at the end.

  scripts/lr_sweep.py --charnn build/release/charnn --corpus tinyshakespeare=PATH --corpus shakespeare=data/shakespeare.txt

The figures are kept in --json FILE; runs that are already there are not made again. Prints a table in Markdown."""
import argparse
import json
import pathlib
import subprocess
import tempfile

RATES = [3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 3e-2]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--charnn", default="build/release/charnn")
parser.add_argument("--corpus", action="append", required=True, metavar="NAME=FILE")
parser.add_argument("--cells", default="rnn,gru,lstm")
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--options", default="", help="more options of charnn train, for every run")
parser.add_argument("--json", default="bench/results/lr_sweep.json")
a = parser.parse_args()


def options(corpus, cell):
    return ["--data", corpus, "--cell", cell, "--epochs", "0", "--max-steps", str(a.steps), *a.options.split()]


def val_loss(corpus, cell, lr):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.charnn, "train", *options(corpus, cell), "--lr", repr(lr), "--eval-every", "0", "--quiet",
                        "--out", folder + "/run"], check=True)
        records = [json.loads(line) for line in open(folder + "/run/metrics.jsonl")]
    return [r["loss"] for r in records if r["event"] == "eval"][-1]


def suggestion(corpus, cell):
    done = subprocess.run([a.charnn, "lr-find", *options(corpus, cell), "--json"], check=True, capture_output=True)
    return json.loads(done.stdout)["suggestion"]


path = pathlib.Path(a.json)
figures = json.loads(path.read_text()) if path.exists() else {}
print(f"| corpus | cell | {' | '.join(f'{r:g}' for r in RATES)} | suggested | its loss | above the best |")
print("|---|---|" + "---|" * (len(RATES) + 3))
for name, corpus in (text.split("=", 1) for text in a.corpus):
    for cell in a.cells.split(","):
        key = f"{name} {cell} {a.steps} steps {a.options}".strip()
        known = figures.setdefault(key, {})
        rate = suggestion(corpus, cell)
        for lr in [*RATES, rate]:
            if repr(lr) not in known:
                known[repr(lr)] = val_loss(corpus, cell, lr)
                path.write_text(json.dumps(figures, indent=1) + "\n")
        best = min(known[repr(lr)] for lr in RATES)
        row = [f"**{known[repr(lr)]:.4f}**" if known[repr(lr)] == best else f"{known[repr(lr)]:.4f}" for lr in RATES]
        print(f"| {name} | {cell} | {' | '.join(row)} | {rate:.2g} | {known[repr(rate)]:.4f} | "
              f"{100 * (known[repr(rate)] / best - 1):+.1f} % |", flush=True)
