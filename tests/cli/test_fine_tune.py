"""charnn train --init-from: other texts, other characters, frozen layers."""
import json
import math

from tests.cli.support import Case
from tests.torture import run_files

ENGLISH = "".join(f"the cat {i * i % 97} sat on the mat, and the dog {i % 13} saw it.\n" for i in range(300))
GREEK = "".join(f"η γάτα {i * i % 97} κάθισε στο χαλί, και ο σκύλος {i % 13} την είδε.\n" for i in range(300))
NETWORK = ["--layers", "1", "--hidden", "32", "--embedding", "12", "--batch-size", "8", "--sequence-length", "20", "--epochs", "0"]


def rows(tensor):
    """The bytes of each row of a tensor."""
    shape, data = tensor
    size = len(data) // shape[0]
    return [data[i * size:(i + 1) * size] for i in range(shape[0])]


class FineTune(Case):
    def setUp(self):
        super().setUp()
        self.english, self.greek = self.write("english.txt", ENGLISH), self.write("greek.txt", GREEK)
        self.run_charnn("train", "--data", self.english, "--out", self.path("en"), *NETWORK, "--max-steps", "400", "--eval-every", "200")

    def tune(self, out, *arguments, data=(), code=0):
        files = [part for file in data or [self.greek] for part in ("--data", file)]
        return self.run_charnn("train", "--init-from", self.path("en"), *files, "--out", self.path(out), "--batch-size", "8",
                               "--sequence-length", "20", "--epochs", "0", *arguments, code=code)

    def loss(self, run, file, checkpoint="last"):
        report = json.loads(self.out("eval", self.path(run), "--data", file, "--checkpoint", checkpoint, "--json"))
        return report["nats_per_char"]

    def tensors(self, checkpoint):
        return run_files.checkpoint(self.folder / f"{checkpoint}.safetensors")[1]

    def test_another_alphabet_is_learned_and_the_old_one_kept(self):
        self.tune("two", "--extend-vocab", "--max-steps", "400", data=[self.english, self.greek])
        before, after = self.loss("en", self.english, "last"), self.loss("two", self.english)
        self.assertLess(after, before + 0.1, "English costs at most 0.1 nats per character more")
        self.assertLess(self.loss("two", self.greek), 1.2, "and Greek is learned; all letters alike would be about 4")

    def test_new_characters_alone_cost_at_most_their_share(self):
        self.tune("wide", "--extend-vocab", "--lr", "0", "--max-steps", "1")
        old, both = len(set(ENGLISH)), len(set(ENGLISH) | set(GREEK))
        before, after = self.loss("en", self.english), self.loss("wide", self.english)
        self.assertGreater(after, before)
        self.assertLess(after, before + math.log(both / old))

    def test_old_rows_are_kept(self):
        self.tune("wide", "--extend-vocab", "--lr", "0", "--max-steps", "1")
        old, new = self.tensors("en/best"), self.tensors("wide/last")
        symbols = sorted(set(ENGLISH) | set(GREEK))
        for name in ("model.encoder.weight", "model.decoder.weight", "model.decoder.bias"):
            wide = rows(new[name])
            self.assertEqual(rows(old[name]), [wide[symbols.index(c)] for c in sorted(set(ENGLISH))], name)
        self.assertEqual(old["model.rnn.weight_hh_l0"], new["model.rnn.weight_hh_l0"])

    def test_frozen_layers_stay_bit_for_bit(self):
        self.tune("tuned", "--max-steps", "20", "--freeze", "rnn", "--freeze", "encoder", data=[self.english])
        old, new = self.tensors("en/best"), self.tensors("tuned/last")
        for name in old:
            if name.startswith("model."):
                self.assertEqual(old[name] == new[name], not name.startswith("model.decoder"), name)
        self.refused("train", "--data", self.english, "--out", self.path("x"), "--freeze", "rnn.7", *NETWORK, "--max-steps", "1",
                     says=["rnn.7", "no such layer"])

    def test_a_tuned_run_goes_on_exactly(self):
        """Also where its text has fewer characters than its network knows."""
        plan = ["--max-steps", "60", "--checkpoint-every", "10", "--eval-every", "20"]
        few = self.write("few.txt", "the cat sat on the mat.\n" * 200)
        for data, extend in (([few], []), ([self.greek], ["--extend-vocab"])):
            for folder in ("whole", "parts"):
                stop = ["--stop-at", "33"] if folder == "parts" else []
                self.tune(folder, *plan, *extend, *stop, "--overwrite", data=data)
            self.run_charnn("train", "--resume", "--out", self.path("parts"))
            same = (self.folder / "whole/last.safetensors").read_bytes() == (self.folder / "parts/last.safetensors").read_bytes()
            self.assertTrue(same)

    def test_a_separator_that_the_new_text_lacks(self):
        divided = self.write("divided.txt", ENGLISH.replace("\n", "\n%\n"))
        self.run_charnn("train", "--data", divided, "--document-separator", "\n%\n", "--out", self.path("en"), *NETWORK, "--max-steps", "40",
                        "--overwrite")
        for data, extend in ((self.english, []), (self.greek, ["--extend-vocab"])):
            self.tune("whole", *extend, "--max-steps", "8", "--overwrite", data=[data])
            self.tune("parts", *extend, "--max-steps", "8", "--stop-at", "3", "--overwrite", data=[data])
            self.run_charnn("train", "--resume", "--out", self.path("parts"))
            self.assertEqual((self.folder / "whole/last.safetensors").read_bytes() == (self.folder / "parts/last.safetensors").read_bytes(), True)

    def test_moments_are_taken_along_unless_told_otherwise(self):
        plan = ["--max-steps", "5", "--lr", "0.001"]
        self.tune("kept", *plan, data=[self.english])
        self.tune("reset", *plan, "--reset-optimizer", data=[self.english])
        kept, reset = (run_files.train_state(self.folder / run / "last.safetensors") for run in ("kept", "reset"))
        best = run_files.train_state(self.folder / "en/best.safetensors")
        self.assertEqual(kept["optimizer_step"], best["optimizer_step"] + 5)
        self.assertEqual(reset["optimizer_step"], 5)
        self.assertEqual(kept["step"], 5)

    def test_refusals(self):
        self.tune("x", "--max-steps", "1", code=2)
        self.refused("train", "--data", self.greek, "--extend-vocab", "--out", self.path("x"), says=["--init-from"])
        self.refused("train", "--data", self.english, "--reset-optimizer", "--out", self.path("x"), says=["--init-from"])
        self.assertFalse((self.folder / "x").exists())
