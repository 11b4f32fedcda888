"""charnn export and charnn import: a network on its way to PyTorch and back."""
import json
import os
import random
import struct

from tests.cli.support import ROOT, Case


def read_safetensors(data):
    """{name: (dtype, shape, bytes)}"""
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    return {name: (entry["dtype"], entry["shape"], data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]])
            for name, entry in json.loads(data[8:begin]).items() if name != "__metadata__"}


def write_safetensors(tensors):
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def zeros(*shape, dtype="F32"):
    count = 1
    for size in shape:
        count *= size
    return dtype, list(shape), bytes(count * {"F16": 2, "BF16": 2, "F32": 4}[dtype])


def rows_in(tensor, order):
    dtype, shape, content = tensor
    size = len(content) // shape[0]
    return dtype, shape, b"".join(content[i * size:(i + 1) * size] for i in order)


class Export(Case):
    def exported(self, run, out, *arguments):
        self.run_charnn("export", self.path(run), "--format", "pytorch", "--out", self.path(out), *arguments)
        description = json.loads((self.folder / out / "model.json").read_text())
        return description, (self.folder / out / "model.safetensors").read_bytes()

    def greedy(self, run):
        return self.out("sample", self.path(run), "--prompt", "The cat ", "--length", "200", "--temperature", "0", "--weights", "fp32")

    def test_there_and_back_is_the_same_network(self):
        for cell in ("rnn", "gru", "lstm"):
            with self.subTest(cell=cell):
                self.train(cell, "--cell", cell, "--max-steps", "60")
                description, weights = self.exported(cell, f"{cell}-out")
                vocabulary = self.write("symbols.json", json.dumps(list(description["symbols"])))
                self.run_charnn("import", self.path(f"{cell}-out/model.safetensors"), "--vocab", vocabulary, "--out", self.path(f"{cell}-back"),
                                *(["--nonlinearity", "tanh"] if cell == "rnn" else []))
                self.assertEqual(self.greedy(cell), self.greedy(f"{cell}-back"))
                self.assertEqual(weights, self.exported(f"{cell}-back", f"{cell}-again")[1])
                losses = [json.loads(self.out("eval", self.path(run), "--data", self.text, "--window", "99",
                                             "--precision", "fp32", "--json"))["nats_per_char"]
                          for run in (cell, f"{cell}-back")]
                self.assertEqual(*losses)

    def test_what_is_written(self):
        self.train("r", "--max-steps", "60", "--keep-every", "30", "--document-separator", "\n")
        description, weights = self.exported("r", "a")
        self.assertEqual(sorted(os.listdir(self.path("a"))), ["README.md", "charnn_model.py", "config.json", "model.json", "model.safetensors"])
        self.assertEqual((self.folder / "a/charnn_model.py").read_bytes(), (ROOT / "src/extras/pytorch/charnn_model.py").read_bytes())
        self.assertEqual(description["symbols"], "".join(sorted(set((self.folder / "text.txt").read_text()))))
        self.assertEqual({key: description[key] for key in ("cell", "layers", "hidden", "embedding", "document_separator")},
                         {"cell": "lstm", "layers": 2, "hidden": 16, "embedding": 8, "document_separator": "\n"})
        tensors = read_safetensors(weights)
        self.assertEqual(list(tensors)[:2] + list(tensors)[-2:], ["encoder.weight", "rnn.weight_ih_l0", "decoder.weight", "decoder.bias"])
        self.assertEqual(tensors["rnn.weight_hh_l1"][:2], ("F32", [64, 16]))
        self.assertNotEqual(weights, self.exported("r", "b", "--checkpoint", "30")[1])
        done = self.run_charnn("--quiet", "export", self.path("r"), "--out", self.path("c"))
        self.assertEqual((done.stdout, done.stderr), (b"", b""))

    def test_weights_alone(self):
        self.train("r", "--max-steps", "60")
        self.run_charnn("export", self.path("r"), "--format", "weights", "--out", self.path("w.safetensors"))
        self.assertLess(os.path.getsize(self.path("w.safetensors")), 0.5 * os.path.getsize(self.path("r/best.safetensors")))
        same = ["--seed", "1", "--length", "100"]
        self.assertEqual(self.out("sample", self.path("w.safetensors"), *same), self.out("sample", self.path("r"), *same))
        self.run_charnn("train", "--data", self.text, "--init-from", self.path("w.safetensors"), "--epochs", "0", "--max-steps", "2",
                        "--batch-size", "4", "--sequence-length", "20", "--out", self.path("on"))
        self.refused("export", self.path("r"), "--format", "weights", "--out", self.path("w.safetensors"), says=["exists already"])

    def test_bytes_need_no_symbols(self):
        self.train("r", "--max-steps", "3", "--tokens", "bytes")
        description, weights = self.exported("r", "a")
        self.assertIsNone(description["symbols"])
        self.assertEqual(read_safetensors(weights)["decoder.bias"][1], [256])

    def test_export_refuses(self):
        self.train("r", "--max-steps", "3")
        os.mkdir(self.path("empty"))
        self.exported("r", "empty")
        os.mkdir(self.path("full"))
        self.write("full/notes.txt", "mine")
        self.refused("export", self.path("r"), "--out", self.path("full"), says=["is not empty", "--out"])
        self.assertEqual(os.listdir(self.path("full")), ["notes.txt"])
        self.refused("export", self.path("r"), "--out", self.text, says=["text.txt", "--out"])
        self.refused("export", self.path("r"), "--format", "onnx", "--out", self.path("x"), says=["--format"])
        self.refused("export", self.path("r"), says=["--out"])
        self.refused("export", self.path("none"), "--out", self.path("x"), says=["No such file"])
        self.assertFalse((self.folder / "x").exists())


class Import(Case):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "30")
        self.run_charnn("export", self.path("r"), "--out", self.path("a"))
        self.symbols = json.loads((self.folder / "a/model.json").read_text())["symbols"]
        self.tensors = read_safetensors((self.folder / "a/model.safetensors").read_bytes())
        self.vocabulary = self.write("symbols.txt", self.symbols)

    def refused_import(self, weights, *arguments, vocabulary=None, says=()):
        path = self.write("w.safetensors", weights if isinstance(weights, bytes) else write_safetensors(weights))
        self.refused("import", path, "--vocab", vocabulary or self.vocabulary, "--out", self.path("x"), *arguments, says=says)
        self.assertFalse((self.folder / "x").exists(), "a refused import leaves nothing behind")

    def test_rows_in_another_order_and_other_names(self):
        order = list(range(len(self.symbols)))
        random.Random(1).shuffle(order)
        names = {"encoder": "model.chars", "rnn": "model.core", "decoder": "model.last"}
        moved = {}
        for name, tensor in self.tensors.items():
            layer, kind = name.split(".")
            moved[f"{names[layer]}.{kind}"] = tensor if layer == "rnn" else rows_in(tensor, order)
        weights = self.write("w.safetensors", write_safetensors(moved))
        shuffled = [self.symbols[i] for i in order]
        for name, content in (("stoi.json", json.dumps({symbol: i for i, symbol in enumerate(shuffled)})),
                              ("itos.json", json.dumps({i: symbol for i, symbol in enumerate(shuffled)})),
                              ("list.json", json.dumps(shuffled)), ("text.vocabulary", "".join(shuffled))):
            with self.subTest(name):
                self.run_charnn("import", weights, "--vocab", self.write(name, content), "--out", self.path(name + "-run"),
                                "--decoder-input", "sum")
                self.run_charnn("export", self.path(name + "-run"), "--out", self.path(name + "-out"))
                self.same_file("a/model.safetensors", f"{name}-out/model.safetensors")
                a, b = (json.loads((self.folder / out / "model.json").read_text()) for out in ("a", f"{name}-out"))
                self.assertEqual({**a, "beginning": None}, {**b, "beginning": None}, "where a text begins is not in the weights")

    def test_the_run_it_makes(self):
        done = self.run_charnn("import", self.path("a/model.safetensors"), "--vocab", self.vocabulary, "--out", self.path("i"))
        self.assertEqual(done.stdout, b"")
        self.assertIn("lstm, 2 layers of 16", done.stderr.decode())
        self.assertLessEqual({"config.json", "best.safetensors", "last.safetensors"}, set(os.listdir(self.path("i"))))
        self.same_file("i/best.safetensors", "i/last.safetensors")
        info = json.loads(self.out("info", self.path("i"), "--json"))
        self.assertEqual((info["step"], info["best"], info["symbols"]), (0, None, list(self.symbols)))
        self.assertEqual(info["config"], json.loads((self.folder / "i/config.json").read_text()))
        self.refused("import", self.path("a/model.safetensors"), "--vocab", self.vocabulary, "--out", self.path("i"),
                     says=["already holds a run", "--out"])
        # It can be trained on.
        before = json.loads(self.out("eval", self.path("i"), "--data", self.text, "--json"))["nats_per_char"]
        self.run_charnn("train", "--init-from", self.path("i"), "--data", self.text, "--out", self.path("more"), "--batch-size", "4",
                        "--sequence-length", "20", "--epochs", "0", "--max-steps", "100", "--quiet")
        after = json.loads(self.out("eval", self.path("more"), "--data", self.text, "--json"))["nats_per_char"]
        self.assertLess(after, before)

    def test_one_hot_input(self):
        V = len(self.symbols)
        one_hot = {name: tensor for name, tensor in self.tensors.items() if not name.startswith("encoder.")}
        one_hot["rnn.weight_ih_l0"] = zeros(64, V)
        self.run_charnn("import", self.write("w.safetensors", write_safetensors(one_hot)), "--vocab", self.vocabulary, "--out", self.path("i"))
        self.assertEqual(json.loads(self.out("info", self.path("i"), "--json"))["config"]["model"]["embedding"], V)
        self.assertEqual(len(self.out("sample", self.path("i"), "--temperature", "0", "--length", "9").decode()), 9)

    def test_names_decide_where_shapes_do_not(self):
        V = len(self.symbols)
        rnn = {"rnn.weight_ih_l0": zeros(16, 16), "rnn.weight_hh_l0": zeros(16, 16), "rnn.bias_ih_l0": zeros(16), "rnn.bias_hh_l0": zeros(16)}
        unnamed = rnn | {"one.weight": zeros(V, 16), "two.weight": zeros(V, 16)}
        self.refused_import(unnamed, says=['"one.weight", "two.weight"', "--embedding-name"])
        self.refused_import(unnamed, "--decoder-name", "three", says=["--decoder-name", '"one.weight", "two.weight"'])
        weights = self.write("w.safetensors", write_safetensors(unnamed))
        self.run_charnn("import", weights, "--vocab", self.vocabulary, "--out", self.path("i"), "--decoder-name", "two",
                        "--nonlinearity", "tanh")
        self.refused_import(unnamed, "--decoder-name", "two", says=["nonlinearity", "--nonlinearity tanh"])
        self.refused_import(rnn | {"other.weight_ih_l0": zeros(16, 16)}, says=['"other.", "rnn."', "--rnn-name"])

    def test_import_refuses(self):
        def having(**more):
            return self.tensors | {name.replace("__", "."): tensor for name, tensor in more.items()}

        self.refused_import(having(rnn__weight_ih_l0_reverse=zeros(64, 8)), says=["bidirectional", "weight_ih_l0_reverse"])
        self.refused_import(having(rnn__weight_hr_l0=zeros(8, 16)), says=["projection", "weight_hr_l0"])
        self.refused_import(having(norm__weight=zeros(16)), says=["no place", "norm.weight"])
        self.refused_import(having(rnn__bias_hh_l1=zeros(64, dtype="F16")), says=["F16", ".float()"])
        self.refused_import(having(rnn__bias_hh_l1=zeros(64, dtype="BF16")), says=["BF16", ".float()"])
        nan = ("F32", [64], struct.pack("<f", float("nan")) * 64)
        self.refused_import(having(rnn__bias_hh_l1=nan), says=["rnn.bias_hh_l1", "finite"])
        self.refused_import({"x.weight_ih": zeros(4, 4)}, says=["rename weight_ih"])
        self.refused_import({}, says=["weight_ih_l0"])
        self.refused_import(b"no safetensors at all", says=["w.safetensors"])
        self.refused_import((self.folder / "r/last.safetensors").read_bytes(), says=["recurrent networks"])

    def test_import_refuses_vocabularies(self):
        for name, content, says in (("v.txt", self.symbols + "\u20ac", ["as many rows"]), ("v.txt", self.symbols[:-1], ["as many rows"]),
                                    ("v.txt", "aba", ["'a' has the ids 0 and 2"]), ("v.txt", b"\xff", ["UTF-8"]), ("v.txt", "", ["empty"]),
                                    ("v.json", "abc", ["not JSON"]), ("v.json", '["<pad>"]', ["<pad>", "one character"]),
                                    ("v.json", '{"a": 0, "b": 2}', ["id 2"])):
            with self.subTest(content):
                self.refused_import(self.tensors, vocabulary=self.write(name, content), says=says)
        self.refused_import(self.tensors, vocabulary=self.path("none.txt"), says=["No such file"])
