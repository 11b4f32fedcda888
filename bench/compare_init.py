#!/usr/bin/env python3
"""Is the config that charnn init writes as good as the ready ones? Trains both on each text, with the same part kept for
validation, and prints the validation losses of the best checkpoints as a Markdown table.

  bench/compare_init.py --charnn build/release/charnn TEXT..."""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--charnn", default="build/release/charnn")
parser.add_argument("--configs", default="configs")
parser.add_argument("--minutes", default="10")
parser.add_argument("texts", nargs="+")
a = parser.parse_args()


def train(folder, config, *options):
    out = tempfile.mkdtemp(dir=folder)
    subprocess.run([a.charnn, "train", str(config), *options, "--quiet", "--overwrite", "--out", out], check=True)
    evals = [r for r in map(json.loads, open(out + "/metrics.jsonl")) if r["event"] == "eval"]
    return min(r["loss"] for r in evals), evals[-1]["elapsed_seconds"]


print("| text | characters | 5-gram model | expected | init's config (seconds) | ready configs | init's / best ready |\n"
      "|---|---|---|---|---|---|---|")
for text in a.texts:
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "proposed.json"
        done = subprocess.run([a.charnn, "init", text, "--out", config, "--minutes", a.minutes, "--json"], check=True, capture_output=True)
        report = json.loads(done.stdout)
        fraction = re.search(r'"val_fraction": ([0-9.]+)', config.read_text()).group(1)
        loss, seconds = train(folder, config)
        ready = {c.stem: train(folder, c, "--data", text, "--val-fraction", fraction)[0]
                 for c in sorted(pathlib.Path(a.configs).glob("*.json"))}
    best = min(ready.values())
    print(f"| {pathlib.Path(text).name} | {report['chars']:,} | {report['held_out_nats']:.3f} | {report['expected_nats']:.3f} | "
          f"{loss:.4f} ({seconds:.0f}) | {', '.join(f'{name} {value:.4f}' for name, value in ready.items())} | "
          f"{loss / best:.3f} |", flush=True)
