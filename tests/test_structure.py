"""The layers hold: a layer includes only itself and those to its left, and train and sample never each other."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ALLOWED = {"base": set(), "data": {"base"}, "model": {"base", "data"}, "io": {"base", "data", "model"},
           "train": {"base", "data", "model", "io"}, "sample": {"base", "data", "model", "io"},
           "cli": {"base", "data", "model", "io", "train", "sample"}}
LIBRARIES = {"torch/": {"data", "model", "io", "train", "sample", "cli"}, "ATen/": {"model", "io", "train", "cli"},
             "nlohmann/": {"io", "train", "cli"}, "spdlog/": {"train", "cli"}, "CLI/": {"cli"}}


class Structure(unittest.TestCase):
    def sources(self):
        for layer in ALLOWED:
            files = [f for top in ("include/charnn", "src") for f in (ROOT / top / layer).glob("*.*")]
            self.assertTrue(files, layer)
            for file in files:
                yield layer, file, file.read_text()

    def test_layers(self):
        for layer, file, text in self.sources():
            for other in re.findall(r'#include "charnn/(\w+)/', text):
                self.assertIn(other, ALLOWED[layer] | {layer}, f"{file.relative_to(ROOT)} includes {other}")
            for library, layers in LIBRARIES.items():
                if f"#include <{library}" in text:
                    self.assertIn(layer, layers, f"{file.relative_to(ROOT)} includes {library}")

    def test_libraries_never_end_the_process(self):
        for layer, file, text in self.sources():
            if layer != "cli":
                self.assertIsNone(re.search(r"\b(exit|abort|terminate)\(", text), file)

    def test_main_is_small(self):
        self.assertLessEqual(len((ROOT / "src/main.cpp").read_text().splitlines()), 40)

    def test_files_stay_readable(self):
        for _, file, text in self.sources():
            self.assertLessEqual(len(text.splitlines()), 320, file)
