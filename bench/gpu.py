#!/usr/bin/env python3
"""A GPU: charnn's training against PyTorch's own loop in the same number format, alternating, medians; how busy the GPU
is; and the time to nanoGPT's validation loss of tinyshakespeare (1.4697 with windows of 256). Prints tables in Markdown.

    bench/gpu.py --charnn build/gpu/charnn --data tinyshakespeare.txt
"""
import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--charnn", required=True)
parser.add_argument("--data", help="without it only speeds are measured")
parser.add_argument("--device", default="cuda", help="torch: a CPU, to try this script")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=2, help="of each run")
parser.add_argument("--sizes", help="hidden units, of two layers unless LAYERSx is given; default: 128 512 3x1024")
parser.add_argument("--precisions", help="default: fp32 tf32 bf16 fp16")
parser.add_argument("--recipe", help="options of charnn train, for the time to 1.4697")
a = parser.parse_args()
gpu = a.device != "torch"
a.sizes = a.sizes or ("128 512 3x1024" if gpu else "16")
a.recipe = a.recipe or ("--hidden 512 --dropout 0.5 --dropout-mask window --batch-size 64 --sequence-length 128 --lr 0.004 "
                        "--epochs 0 --max-steps 2000 --eval-every 500 --precision fp16" if gpu else
                        "--hidden 16 --epochs 0 --max-steps 20 --eval-every 10")
a.precisions = a.precisions or ("fp32 tf32 bf16 fp16" if gpu else "fp32 bf16")
VOCABULARY, EMBEDDING, BATCH, STEPS = 65, 64, 64, 128


def pytorch(layers, hidden, precision):
    """Characters a second of the loop that PyTorch's users write."""
    device = torch.device("cuda" if gpu else "cpu")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.set_num_threads(1)  # of a CPU
    net = nn.ModuleDict({"encoder": nn.Embedding(VOCABULARY, EMBEDDING), "rnn": nn.LSTM(EMBEDDING, hidden, layers),
                         "decoder": nn.Linear(hidden, VOCABULARY)}).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    rounded = torch.autocast(device.type, dtype=types[precision]) if precision in types else contextlib.nullcontext()
    x, y = (torch.randint(0, VOCABULARY, (STEPS, BATCH), device=device) for _ in range(2))
    state, steps, start = None, 0, None
    while start is None or time.perf_counter() - start < a.seconds:
        if steps == 5:
            start = time.perf_counter()
        with rounded:
            output, state = net["rnn"](net["encoder"](x), state)
            logits = net["decoder"](output)
        state = tuple(s.detach() for s in state)
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), y.flatten())
        adam.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(adam)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(adam)
        scaler.update()
        steps += 1
        loss.item()
    return (steps - 5) * BATCH * STEPS / (time.perf_counter() - start)


def charnn(layers, hidden, precision):
    out = subprocess.run([a.charnn, "bench", "--device", a.device, "--only", "train", "--json", "--layers", str(layers),
                          "--hidden", str(hidden), "--batch-size", str(BATCH), "--sequence-length", str(STEPS),
                          "--seconds", str(a.seconds), "--precision", precision],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)["train"][0]["chars_per_second"]


class Usage:
    """The GPU's mean utilisation meanwhile, in percent, or None."""

    def __enter__(self):
        with contextlib.suppress(OSError):
            self.process = subprocess.Popen(["nvidia-smi", "-i", "0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits",
                                             "-lms", "200"], stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.mean = None
        if hasattr(self, "process"):
            self.process.terminate()
            busy = [int(line) for line in self.process.communicate()[0].split() if line.isdigit()]
            self.mean = round(statistics.mean(busy)) if busy else None


def speeds():
    print("| LSTM | | PyTorch chars/s | charnn chars/s | ratio |\n|---|---|---|---|---|")
    for size in a.sizes.split():
        layers, hidden = (int(n) for n in (size if "x" in size else f"2x{size}").split("x"))
        for precision in a.precisions.split():
            theirs, ours = [], []
            for _ in range(a.rounds):
                theirs.append(pytorch(layers, hidden, precision))
                ours.append(charnn(layers, hidden, precision))
            x, y = statistics.median(theirs), statistics.median(ours)
            print(f"| {layers} x {hidden} | {precision} | {x:,.0f} | {y:,.0f} | {y / x:.2f} |", flush=True)


def time_to_loss():
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        with Usage() as usage:
            start = time.perf_counter()
            subprocess.run([a.charnn, "train", "--data", a.data, "--out", run, "--device", a.device, "--quiet",
                            *a.recipe.split()], check=True)
            seconds = time.perf_counter() - start
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        out = subprocess.run([a.charnn, "eval", run, "--window", "256", "--json"], check=True, stdout=subprocess.PIPE)
        loss = json.loads(out.stdout)["nats_per_char"]
    print(f"\ntinyshakespeare, {a.recipe}\n\n| seconds | validation, state carried |\n|---|---|")
    for r in records:
        if r["event"] == "eval":
            print(f"| {r['elapsed_seconds']:.1f} | {r['loss']:.4f} |")
    busy = f", the GPU {usage.mean} % busy" if usage.mean is not None else ""
    print(f"\nWindows of 256 from an empty context: {loss:.4f} after {seconds:.1f} s in all{busy}.")


speeds()
if a.data:
    time_to_loss()
