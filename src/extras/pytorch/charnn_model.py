"""Generates text with a network trained by charnn: plain PyTorch, needs model.json and model.safetensors beside it.

    python charnn_model.py --prompt "Once " --length 200 --temperature 0.8
"""
import argparse, collections, json, os, pathlib, re, sys

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent
MODEL = json.loads((FOLDER / "model.json").read_text("utf-8"))
SYMBOLS = MODEL["symbols"]  # a str whose character i has id i; None: the symbols are the 256 bytes
IDS = {symbol: i for i, symbol in enumerate(range(256) if SYMBOLS is None else SYMBOLS)}


def encode(text):
    """Ids of the symbols of a str, or of bytes if those are the symbols."""
    text = os.fsencode(text) if SYMBOLS is None and isinstance(text, str) else text
    if unknown := sorted(set(text) - IDS.keys()):
        raise ValueError(f"the network was not trained on {unknown}")
    return [IDS[symbol] for symbol in text]


def read_safetensors(path):
    """Header length, JSON header, data (github.com/huggingface/safetensors); all tensors here are float32."""
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            flat = torch.frombuffer(data, dtype=torch.float32, count=(last - first) // 4, offset=begin + first)
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


class CharRnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(len(IDS), MODEL["embedding"])
        cell = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[MODEL["cell"]]
        sizes = [MODEL["embedding"]] + [MODEL["hidden"]] * MODEL["layers"]
        self.rnn = nn.ModuleList(cell(*pair) for pair in zip(sizes, sizes[1:]))
        self.decoder = nn.Linear(MODEL["hidden"], len(IDS))
        # The file's names are those of one module with several layers: its weight_ih_l1 is the second's weight_ih_l0.
        self.load_state_dict({re.sub(r"^rnn\.(\w+)_l(\d+)$", r"rnn.\2.\1_l0", name): weight
                              for name, weight in read_safetensors(FOLDER / "model.safetensors").items()})

    def forward(self, ids, state=None):
        """Maps ids [T, B] to the logits [T, B, V] of the symbol after each, and the state after them."""
        output, total, after = self.encoder(ids), 0, []
        for layer, before in zip(self.rnn, state or [None] * len(self.rnn)):
            output, new = layer(output, before)
            total = total + output
            after.append(new)
        return self.decoder(total if MODEL["sums_layers"] else output), after

    @torch.no_grad()
    def generate(self, prompt, length, temperature=0, seed=0):
        """Continues the prompt; temperature 0 always takes the most likely symbol."""
        random = torch.Generator().manual_seed(seed)
        separator = encode(MODEL["document_separator"])
        fed, written = MODEL["beginning"] + encode(prompt), []  # as at the start of a document or line
        logits, state, latest = torch.zeros(len(IDS)), None, collections.deque(maxlen=len(separator))
        for _ in range(length):
            for i in fed:
                latest.append(i)
                if separator and list(latest) == separator:
                    state = None  # a document starts
                output, state = self(torch.tensor([[i]]), state)
                logits = output[0, 0]
            odds = torch.softmax((logits - logits.max()).double() / (temperature or 1), 0)
            fed = [int(torch.multinomial(odds, 1, generator=random) if temperature > 0 else logits.argmax())]
            written += fed
        return bytes(written) if SYMBOLS is None else "".join(SYMBOLS[i] for i in written)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Generates text with a network trained by charnn.")
    parser.add_argument("--prompt", default="", help="text to continue")
    parser.add_argument("--length", type=int, default=500, help="symbols to generate")
    parser.add_argument("--temperature", type=float, default=0, help="0: always the most likely symbol")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random choices")
    options = parser.parse_args()
    text = CharRnn().generate(options.prompt, options.length, options.temperature, options.seed)
    sys.stdout.buffer.write(os.fsencode(options.prompt) + (text if SYMBOLS is None else text.encode("utf-8")))
