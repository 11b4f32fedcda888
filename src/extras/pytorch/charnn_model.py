"""Writes text with a network trained by charnn: plain PyTorch, with model.json and model.safetensors beside it.

    python charnn_model.py --prompt "Once " --length 200 --temperature 0.8
"""
import argparse, collections, json, os, pathlib, sys

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).resolve().parent
MODEL = json.loads((FOLDER / "model.json").read_text("utf-8"))
SYMBOLS = MODEL["symbols"]  # a text, each character at the place of its number; None: symbols are the 256 bytes
NUMBERS = {symbol: number for number, symbol in enumerate(range(256) if SYMBOLS is None else SYMBOLS)}


def encode(text):
    """Numbers of the symbols of a str, or of bytes if these are the symbols."""
    text = os.fsencode(text) if SYMBOLS is None and isinstance(text, str) else text
    if unknown := sorted(set(text) - NUMBERS.keys()):
        raise ValueError(f"the network was not trained on {unknown}")
    return [NUMBERS[symbol] for symbol in text]


def read_safetensors(path):
    """Length of the header, header in JSON, data (github.com/huggingface/safetensors); here all is float32."""
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
        self.encoder = nn.Embedding(len(NUMBERS), MODEL["embedding"])
        cell = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[MODEL["cell"]]
        self.rnn = cell(MODEL["embedding"], MODEL["hidden"], MODEL["layers"])
        self.decoder = nn.Linear(MODEL["hidden"], len(NUMBERS))
        self.load_state_dict(read_safetensors(FOLDER / "model.safetensors"))

    def forward(self, ids, state=None):
        """Of ids [T, B]: the logits [T, B, V] of what follows each, and the state after them."""
        output, state = self.rnn(self.encoder(ids), state)
        return self.decoder(output), state

    @torch.no_grad()
    def generate(self, prompt, length, temperature=0, seed=0):
        """What follows the prompt; temperature 0 takes the likeliest symbol each time."""
        random = torch.Generator().manual_seed(seed)
        separator = encode(MODEL["document_separator"])
        beginning = separator[-1:] or [NUMBERS[symbol] for symbol in ("\n", 10) if symbol in NUMBERS]
        fed, written = beginning + encode(prompt), []  # a text begins as a document or a line does
        logits, state, latest = torch.zeros(len(NUMBERS)), None, collections.deque(maxlen=len(separator))
        for _ in range(length):
            for number in fed:
                latest.append(number)
                if separator and list(latest) == separator:
                    state = None  # a document begins
                output, state = self(torch.tensor([[number]]), state)
                logits = output[0, 0]
            odds = torch.softmax((logits - logits.max()).double() / (temperature or 1), 0)
            fed = [int(torch.multinomial(odds, 1, generator=random) if temperature > 0 else logits.argmax())]
            written += fed
        return bytes(written) if SYMBOLS is None else "".join(SYMBOLS[number] for number in written)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes text with a network trained by charnn.")
    parser.add_argument("--prompt", default="", help="text to go on from")
    parser.add_argument("--length", type=int, default=500, help="symbols to write")
    parser.add_argument("--temperature", type=float, default=0, help="0: the likeliest symbol each time")
    parser.add_argument("--seed", type=int, default=0, help="another seed writes another text")
    options = parser.parse_args()
    text = CharRnn().generate(options.prompt, options.length, options.temperature, options.seed)
    sys.stdout.buffer.write(os.fsencode(options.prompt) + (text if SYMBOLS is None else text.encode("utf-8")))
