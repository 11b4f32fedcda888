"""An exported network under PyTorch writes what charnn writes, and charnn what a network of PyTorch's own writes."""
import json
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.cli.support import Case

RNN = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
GREEDY = ["--length", "150", "--temperature", "0"]


class Export(Case):
    def compare(self, run, *prompts):
        self.run_charnn("export", self.path(run), "--format", "pytorch", "--out", self.path(f"{run}-out"))
        for prompt in prompts:
            arguments = GREEDY + (["--prompt", prompt] if prompt else [])
            self.assertEqual(self.python(run, *arguments), self.out("sample", self.path(run), "--weights", "fp32", *arguments), prompt)

    def python(self, run, *arguments):
        done = subprocess.run([sys.executable, self.path(f"{run}-out/charnn_model.py"), *arguments], capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def test_greedy_text_of_every_cell(self):
        for cell in RNN:
            with self.subTest(cell=cell):
                self.train(cell, "--cell", cell, "--lr", "0.01")
                self.compare(cell, "The cat ", "")

    def test_bytes(self):
        self.text = self.write("b.txt", bytes(range(256)) * 10 + "äöü€ naïve\n".encode() * 300)
        self.train("r", "--tokens", "bytes", "--lr", "0.01")
        self.compare("r", "naïve", "")

    def test_documents_begin_anew(self):
        for tokens in ("chars", "bytes"):
            with self.subTest(tokens):
                self.text = self.write("d.txt", "".join(f"{'abcde'[i % 5] * (i % 7 + 1)}. And so on.\n\n" for i in range(800)))
                self.train(tokens, "--tokens", tokens, "--document-separator", "\n\n", "--lr", "0.01")
                self.compare(tokens, "", "aaa", "ccccc. And so on.\n\n", "ccccc. And\n\neeeee. And so on.\n\na", "\n")

    def test_drawn_text(self):
        self.train("r", "--max-steps", "50")
        self.compare("r", "The ")
        drawn = ["--prompt", "The ", "--length", "60", "--temperature", "1", "--seed"]
        self.assertEqual(self.python("r", *drawn, "7"), self.python("r", *drawn, "7"))
        self.assertNotEqual(self.python("r", *drawn, "7"), self.python("r", *drawn, "8"))
        self.assertEqual(len(self.python("r", *drawn, "7")), 64)

    def test_weights_are_those_of_the_checkpoint(self):
        self.train("r", "--max-steps", "20")
        self.run_charnn("export", self.path("r"), "--out", self.path("out"), "--checkpoint", "last")
        weights, checkpoint = load_file(self.path("out/model.safetensors")), load_file(self.path("r/last.safetensors"))
        self.assertEqual({f"model.{name}" for name in weights}, {name for name in checkpoint if name.startswith("model.")})
        for name, weight in weights.items():
            self.assertTrue(torch.equal(weight, checkpoint[f"model.{name}"]), name)


class Foreign(nn.Module):
    """A network as others write it."""

    def __init__(self, cell, symbols, embedding, hidden, layers, bias):
        super().__init__()
        self.tokens = nn.Embedding(symbols, embedding) if embedding else None
        self.core = RNN[cell](embedding or symbols, hidden, layers, batch_first=True, bias=bias)
        self.to_logits = nn.Linear(hidden, symbols, bias=bias)

    def forward(self, ids, state):
        one_hot = nn.functional.one_hot(ids, self.to_logits.out_features).to(self.to_logits.weight.dtype)
        output, state = self.core(self.tokens(ids) if self.tokens else one_hot, state)
        return self.to_logits(output), state


class Import(Case):
    def greedy(self, network, symbols, prompt, length):
        text, state = prompt, None
        logits, state = network(torch.tensor([[symbols.index(c) for c in "\n" + prompt]]), state)  # as a line begins
        for _ in range(length):
            best = int(logits[0, -1].argmax())
            text += symbols[best]
            logits, state = network(torch.tensor([[best]]), state)
        return text

    def test_a_network_of_pytorchs_own(self):
        symbols = "zebra \nÄxcdfghé"  # in no order
        vocabulary = self.write("stoi.json", json.dumps({symbol: i for i, symbol in enumerate(symbols)}))
        cases = [(cell, 12, 20, 2, True) for cell in RNN] + [("lstm", 20, 20, 1, True), ("gru", 0, 20, 1, True), ("lstm", 12, 20, 3, False)]
        for number, case in enumerate(cases):
            for dtype in (torch.float32, torch.float64):
                with self.subTest(case=case, dtype=dtype):
                    torch.manual_seed(90 + number)
                    network = Foreign(case[0], len(symbols), *case[1:])
                    with torch.no_grad():  # larger than at the beginning of training, so that texts differ
                        for parameter in network.parameters():
                            parameter.mul_(3)
                    save_file({name: tensor.to(dtype) for name, tensor in network.state_dict().items()}, self.path("w.safetensors"))
                    run = self.path(f"{number}-{dtype}")
                    options = ["--embedding-name", "tokens"] if case[1] == case[2] else []
                    options += ["--nonlinearity", "tanh"] if case[0] == "rnn" else []
                    self.run_charnn("import", self.path("w.safetensors"), "--vocab", vocabulary, "--out", run, *options)
                    with torch.no_grad():
                        expected = self.greedy(network, symbols, "bread", 100)
                    self.assertGreater(len(set(expected[5:])), 1, "a text that says something")
                    ours = self.out("sample", run, "--prompt", "bread", "--length", "100", "--temperature", "0", "--weights", "fp32")
                    self.assertEqual(ours.decode(), expected)
