#!/usr/bin/env python3
"""Does charnn learn as well as PyTorch? Trains nn.LSTM with the same sizes, data, order, Adam, clipping and schedule,
and compares validation losses; times both.

    .venv/bin/python bench/compare_training.py --charnn build/release/charnn --data tinyshakespeare.txt --epochs 5
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--charnn", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--cell", default="lstm", choices=["lstm", "gru", "rnn"])
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--hidden", type=int, default=128)
parser.add_argument("--lr", type=float, default=0.002)
parser.add_argument("--seeds", type=int, default=1)
a = parser.parse_args()
LAYERS, EMBEDDING, BATCH, SEQUENCE, VAL, WARMUP = 2, 64, 50, 50, 0.1, 100


def pytorch(seed):
    torch.manual_seed(seed)
    text = pathlib.Path(a.data).read_text()
    symbols = sorted(set(text))
    index = {c: i for i, c in enumerate(symbols)}
    ids = torch.tensor([index[c] for c in text])
    train, val = ids[:len(ids) - int(len(ids) * VAL)], ids[len(ids) - int(len(ids) * VAL):]
    net = nn.ModuleDict({"encoder": nn.Embedding(len(symbols), EMBEDDING),
                         "rnn": {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[a.cell](EMBEDDING, a.hidden, LAYERS),
                         "decoder": nn.Linear(a.hidden, len(symbols))})
    adam = torch.optim.Adam(net.parameters(), lr=a.lr, betas=(0.9, 0.99))
    length = (len(train) - 1) // BATCH
    streams = torch.stack([train[b * length:(b + 1) * length + 1] for b in range(BATCH)], 1)
    windows = math.ceil(length / SEQUENCE)
    start, step = time.perf_counter(), 0
    for _ in range(a.epochs):
        state = None
        for w in range(windows):
            part = streams[w * SEQUENCE:(w + 1) * SEQUENCE + 1]
            output, state = net["rnn"](net["encoder"](part[:-1]), state)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            loss = nn.functional.cross_entropy(net["decoder"](output).flatten(0, 1), part[1:].flatten())
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            for group in adam.param_groups:
                group["lr"] = a.lr * min(1, (step + 1) / WARMUP)
            adam.step()
            step += 1
    seconds = time.perf_counter() - start
    with torch.no_grad():
        output, _ = net["rnn"](net["encoder"](val[:-1].view(-1, 1)))
        loss = nn.functional.cross_entropy(net["decoder"](output)[:, 0], val[1:]).item()
    return {"val_loss": loss, "chars_per_second": round(step * BATCH * SEQUENCE / seconds)}


def charnn(seed):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([a.charnn, "train", "--data", a.data, "--cell", a.cell, "--hidden", str(a.hidden), "--layers", str(LAYERS),
                        "--embedding", str(EMBEDDING), "--batch-size", str(BATCH), "--sequence-length", str(SEQUENCE),
                        "--epochs", str(a.epochs), "--lr", str(a.lr), "--schedule", "constant", "--warmup-steps", str(WARMUP),
                        "--eval-every", "0", "--precision", "fp32", "--seed", str(seed), "--quiet", "--out", folder + "/run"], check=True)
        seconds = time.perf_counter() - start
        records = [json.loads(line) for line in open(folder + "/run/metrics.jsonl")]
    steps = [r for r in records if r["event"] == "step"]
    rates = sorted(r["chars_per_second"] for r in steps)
    return {"val_loss": records[-1]["loss"], "chars_per_second": round(rates[len(rates) // 2]), "seconds_in_all": round(seconds, 1)}


for seed in range(1, a.seeds + 1):
    theirs, ours = pytorch(seed), charnn(seed)
    print(json.dumps({"seed": seed, "pytorch": theirs, "charnn": ours,
                      "charnn_over_pytorch": {k: round(ours[k] / theirs[k], 4) for k in theirs}}), flush=True)
