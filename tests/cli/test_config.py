"""Config files, flags, and their precedence."""
import json

from tests.cli.support import ROOT, Case


class Config(Case):
    def merged(self, *arguments):
        self.run_charnn("train", *arguments, "--out", self.path("r"), "--overwrite", "--quiet")
        return json.loads((self.folder / "r/config.json").read_text())

    def test_flag_over_file_over_default(self):
        config = self.write("c.json", '{ // mine\n"data": {"files": ["%s"]}, "model": {"hidden": 9, "layers": 1},'
                            ' "train": {"batch_size": 3, "max_steps": 2}}' % self.text)
        merged = self.merged(config, "--hidden", "10", "--set", "train.sequence_length=8", "--set=model.embedding=5")
        self.assertEqual(merged["model"]["hidden"], 10)
        self.assertEqual(merged["train"]["batch_size"], 3)
        self.assertEqual(merged["train"]["sequence_length"], 8)
        self.assertEqual(merged["model"]["embedding"], 5)
        self.assertEqual(merged["optimizer"]["beta2"], 0.99)

    def test_several_files_keep_their_order(self):
        second = self.write("second.txt", "zzz\n" * 50)
        merged = self.merged("--data", second, "--data", self.text, "--max-steps", "1", "--batch-size", "2", "--hidden", "4")
        self.assertEqual(merged["data"]["files"], [second, self.text])

    def test_design_example_is_accepted(self):
        config = self.write("c.json", """
            { "data":      {"files": ["%s"], "tokens": "chars", "val_fraction": 0.1, "test_fraction": 0.0, "document_separator": ""},
              "model":     {"cell": "lstm", "layers": 2, "hidden": 128, "embedding": 64, "dropout": 0.0},
              "optimizer": {"lr": 0.002, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0, "clip_norm": 1.0},
              "schedule":  {"kind": "cosine", "warmup_steps": 100, "final_lr_ratio": 0.05},
              "train":     {"batch_size": 50, "sequence_length": 50, "epochs": 10, "max_steps": 0, "max_minutes": 0,
                            "eval_every": 500, "checkpoint_every": 500, "seed": 1, "device": "auto", "threads": 0, "precision": "auto"},
              "sample":    {"temperature": 0.8, "length": 500} }""" % self.text)
        self.merged(config, "--max-steps", "1")

    def test_ready_configs_are_accepted(self):
        for config in sorted((ROOT / "configs").glob("*.json")):
            with self.subTest(config=config.name):
                self.run_charnn("train", config, "--data", self.text, "--batch-size", "2", "--max-steps", "1", "--out", self.path(config.stem))
