"""A checkpoint in PyTorch: the weights give the same logits, the moments load into torch.optim.Adam."""
import json
import math

import torch
from safetensors import safe_open
from torch import nn

from tests.cli.support import Case

RNN = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Network(nn.Module):
    """charnn's network in plain PyTorch: the checkpoint's names are its state_dict's."""

    def __init__(self, vocabulary, config):
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, config["embedding"])
        self.rnn = RNN[config["cell"]](config["embedding"], config["hidden"], config["layers"])
        self.decoder = nn.Linear(config["hidden"], vocabulary)

    def forward(self, ids, state=None):
        output, state = self.rnn(self.encoder(ids), state)
        return self.decoder(output), state


def open_checkpoint(path):
    with safe_open(path, framework="pt") as file:
        metadata = {k: v if k in ("format", "charnn_version", "checksum") else json.loads(v) for k, v in file.metadata().items()}
        return metadata, {name: file.get_tensor(name) for name in file.keys()}


def part(tensors, prefix):
    return {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


class Checkpoint(Case):
    def train(self, out, *arguments, **options):  # as nn.LSTM is built
        return super().train(out, "--decoder-input", "last", *arguments, **options)

    def test_same_loss_and_same_greedy_text(self):
        for cell in RNN:
            with self.subTest(cell=cell):
                self.train(cell, "--cell", cell)
                metadata, tensors = open_checkpoint(self.path(f"{cell}/best.safetensors"))
                symbols = metadata["vocab"]["symbols"]
                network = Network(len(symbols), metadata["config"]["model"])
                network.load_state_dict(part(tensors, "model."), strict=True)
                # What sampling without a prompt reads first; eval of the whole text reads it too.
                ids = torch.tensor(metadata["opening"] + [symbols.index(c) for c in (self.folder / "text.txt").read_text()])
                start = len(metadata["opening"])
                with torch.no_grad():
                    logits, _ = network(ids[:-1].view(-1, 1))
                    loss = nn.functional.cross_entropy(logits[start - 1:, 0], ids[start:]).item()
                    report = json.loads(self.out("eval", self.path(cell), "--split", "all", "--streams", "1",
                                                 "--precision", "fp32", "--json"))
                    self.assertAlmostEqual(loss, report["nats_per_char"], delta=1e-5)

                    prompt = "The cat "
                    logits, state = network(torch.tensor([[symbols.index(c)] for c in "\n" + prompt]))  # as a line begins
                    text = prompt
                    for _ in range(100):
                        best = int(logits[-1, 0].argmax())
                        text += symbols[best]
                        logits, state = network(torch.tensor([[best]]), state)
                ours = self.out("sample", self.path(cell), "--prompt", prompt, "--length", "100", "--temperature", "0")
                self.assertEqual(text, ours.decode())

    def test_logits_of_the_stepper_are_pytorchs(self):
        # Sampling draws from the logits, so equal texts over many draws mean equal logits; the bound is checked here
        # directly through the carried state, which the checkpoint holds.
        self.train("a", "--precision", "fp32", "--dropout", "0", "--stop-at", "1", "--lr", "0", "--max-steps", "2")
        metadata, tensors = open_checkpoint(self.path("a/last.safetensors"))
        symbols = metadata["vocab"]["symbols"]
        network = Network(len(symbols), metadata["config"]["model"])
        network.load_state_dict(part(tensors, "model."))
        text = (self.folder / "text.txt").read_text()
        ids = [symbols.index(c) for c in text]
        train = len(ids) - int(len(ids) * 0.1)
        length = (train - 1) // 4  # four streams
        window = torch.tensor([[ids[b * length + t] for b in range(4)] for t in range(20)])
        with torch.no_grad():
            _, (h, c) = network(window)
        torch.testing.assert_close(tensors["state.h"], h, atol=1e-5, rtol=0)
        torch.testing.assert_close(tensors["state.c"], c, atol=1e-5, rtol=0)

    def test_optimizer_loads_and_takes_the_same_next_step(self):
        self.train("a", "--precision", "fp32", "--dropout", "0", "--schedule", "constant", "--stop-at", "50", "--eval-every", "0", "--clip-norm", "0.5")
        self.train("b", "--precision", "fp32", "--dropout", "0", "--schedule", "constant", "--stop-at", "51", "--eval-every", "0", "--clip-norm", "0.5")
        metadata, tensors = open_checkpoint(self.path("a/last.safetensors"))
        _, after = open_checkpoint(self.path("b/last.safetensors"))
        symbols = metadata["vocab"]["symbols"]
        network = Network(len(symbols), metadata["config"]["model"])
        network.load_state_dict(part(tensors, "model."))
        settings = metadata["config"]["optimizer"]
        adam = torch.optim.Adam(network.parameters(), lr=settings["lr"], betas=(settings["beta1"], settings["beta2"]), eps=settings["eps"])
        state = adam.state_dict()
        step = metadata["train_state"]["optimizer_step"]
        self.assertEqual(step, 50)
        state["state"] = {i: {"step": torch.tensor(float(step)), "exp_avg": tensors[f"optimizer.exp_avg.{name}"],
                              "exp_avg_sq": tensors[f"optimizer.exp_avg_sq.{name}"]}
                          for i, (name, _) in enumerate(network.named_parameters())}
        adam.load_state_dict(state)

        ids = [symbols.index(c) for c in (self.folder / "text.txt").read_text()]
        train = len(ids) - int(len(ids) * 0.1)
        length = (train - 1) // 4
        position = metadata["train_state"]["position"]
        rows = range(position, min(position + 20, length))
        window = torch.tensor([[ids[b * length + t] for b in range(4)] for t in rows])
        target = torch.tensor([[ids[b * length + t + 1] for b in range(4)] for t in rows])
        logits, _ = network(window, (tensors["state.h"], tensors["state.c"]))
        nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings["clip_norm"])
        adam.step()
        for name, weight in network.named_parameters():
            torch.testing.assert_close(weight.detach(), after[f"model.{name}"], atol=1e-5, rtol=0, msg=name)
            self.assertGreater((tensors[f"model.{name}"] - after[f"model.{name}"]).abs().max().item(), 1e-6, "the step must move " + name)

    def test_file_is_plain_safetensors(self):
        self.train("a", "--max-steps", "5")
        metadata, tensors = open_checkpoint(self.path("a/last.safetensors"))
        self.assertEqual(metadata["format"], "charnn-checkpoint-1")
        self.assertEqual(metadata["train_state"]["step"], 5)
        self.assertTrue(all(math.isfinite(t.float().sum().item()) for t in tensors.values()))
        self.assertEqual({name.split(".")[0] for name in tensors}, {"model", "optimizer", "state", "rng"})
