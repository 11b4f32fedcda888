#!/usr/bin/env python3
"""What simpler methods make of the validation part of a text, as floor lines for bench/records.md.

    bench/baselines.py TEXT [--val-fraction 0.1] [--orders 5 8]

Interpolated Kneser-Ney models of characters (Kneser, Ney 1995; one discount an order, n1 / (n1 + 2 n2); as long as fits into 64
bits), and the compressors
xz -9e, zstd -19 --long=27 and PPMd (variant H): for these, the size of the whole text less that of its training part. Needs
numpy, zstandard and pyppmd.
"""
import argparse
import lzma
import math
import pathlib

import numpy as np
import pyppmd
import zstandard


class KneserNey:
    def __init__(self, ids, symbols, order):
        self.symbols, self.levels = symbols, []
        bits = max(1, math.ceil(math.log2(symbols)))
        self.bits = bits
        grams, counts = np.unique(self.pack(ids, order), return_counts=True)
        for size in range(order, 0, -1):
            contexts, first = np.unique(grams >> np.uint64(bits), return_index=True)
            totals, types = np.add.reduceat(counts, first), np.diff(np.append(first, len(grams)))
            once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
            self.levels.insert(0, (size, grams, counts, contexts, totals, types, once / max(1, once + 2 * twice)))
            # A shorter gram counts by how many different symbols stand before it.
            mask = np.uint64((1 << (bits * (size - 1))) - 1)
            grams, counts = np.unique(grams & mask, return_counts=True)

    def pack(self, ids, size):
        packed = np.zeros(len(ids) - size + 1, np.uint64)
        for i in range(size):
            packed = (packed << np.uint64(self.bits)) | ids[i:len(ids) - size + 1 + i]
        return packed

    def nats(self, before, ids):
        """-log p of each of `ids`, which stand after `before`."""
        text = np.concatenate([before, ids])
        p = np.full(len(ids), 1 / self.symbols)
        for size, grams, counts, contexts, totals, types, discount in self.levels:
            wanted = self.pack(text, size)[-len(ids):]
            at = np.minimum(np.searchsorted(grams, wanted), len(grams) - 1)
            count = np.where(grams[at] == wanted, counts[at], 0)
            context = wanted >> np.uint64(self.bits)
            at = np.minimum(np.searchsorted(contexts, context), len(contexts) - 1)
            seen = contexts[at] == context
            better = (np.maximum(count - discount, 0) + discount * types[at] * p) / totals[at]
            p = np.where(seen, better, p)
        return -np.log(p)


COMPRESSORS = {
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "zstd -19 --long=27": lambda data: zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)).compress(data),
    "PPMd, order 8": lambda data: pyppmd.compress(data, max_order=8, mem_size=1 << 30),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--val-fraction", type=float, default=0.1)
    parser.add_argument("--orders", type=int, nargs="+", default=[5])
    arguments = parser.parse_args()
    text = arguments.text.read_bytes().decode()
    val = int(len(text) * arguments.val_fraction)
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    symbols, ids = np.unique(points, return_inverse=True)
    train, rest = ids[:-val].astype(np.uint64), ids[-val:].astype(np.uint64)
    print(f"{arguments.text.name}: {len(train)} characters of training, {val} of validation, {len(symbols)} distinct")

    def show(name, nats):
        print(f"{name:22} {nats:.4f} nats/char  {nats / math.log(2):.4f} bits/char", flush=True)

    for order in arguments.orders:
        order = min(order, 64 // max(1, math.ceil(math.log2(len(symbols)))))
        show(f"Kneser-Ney, order {order}", KneserNey(train, len(symbols), order).nats(train[-order:], rest).mean())
    whole, part = text.encode(), text[:-val].encode()
    for name, compress in COMPRESSORS.items():
        show(name, (len(compress(whole)) - len(compress(part))) * 8 / val * math.log(2))


if __name__ == "__main__":
    main()
