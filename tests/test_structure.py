"""The shelves, the layers and their sizes: what may include what, and how long it may become."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
# A layer includes itself and these. core never includes extras; train and sample never include each other.
MODEL_DESCRIPTION = {"core/model/model_config.h", "core/model/network_layout.h", "core/model/state.h"}
BELOW_MODEL = {"kernels", "core/base", "core/data"}
BELOW_TRAIN = BELOW_MODEL | {"fast", "core/model", "core/io"}
ALLOWED = {"kernels": set(), "fast": {"kernels", "core/base"}, "core/base": set(), "core/data": {"core/base"},
           "core/dist": {"core/base"},
           "core/model": BELOW_MODEL | {"fast"}, "core/io": BELOW_MODEL | {"core/model"},
           "core/train": BELOW_TRAIN - {"fast"} | {"core/dist"}, "core/sample": BELOW_TRAIN - {"core/io"},
           "core/cli": BELOW_TRAIN | {"core/dist", "core/train", "core/sample"}}
# Who may include which library. LibTorch's headers cost 40 seconds a file.
LIBRARIES = {"torch/": {"core/model", "core/dist"}, "ATen/": {"core/model"}, "hwy/": {"kernels"}, "immintrin.h": {"kernels"},
             "nlohmann/": {"core/io", "core/train", "core/cli", "extras"}, "spdlog/": {"core/train", "core/cli"},
             "CLI/": {"core/cli", "extras"}}
# What people need before and around training went into the core, as did the service behind serve and the page of play,
# then several processes, and steps that are not waited for on a GPU.
CEILINGS = {("core",): 11_850, ("kernels", "fast"): 3275, ("extras",): 5600}


def layer_of(file):
    parts = file.relative_to(SRC).parts
    return "/".join(parts[:2]) if parts[0] == "core" else parts[0]


class Structure(unittest.TestCase):
    def sources(self):
        for file in sorted(SRC.rglob("*")):
            if file.suffix in (".h", ".cpp", ".inc") and file.parent != SRC:
                yield layer_of(file), file, file.read_text()

    def test_layers(self):
        seen = set()
        for layer, file, text in self.sources():
            seen.add(layer)
            if layer == "extras":
                continue
            for header in re.findall(r'#include "([\w/]+\.\w+)"', text):
                other = layer_of(SRC / header)
                fine = other in ALLOWED[layer] | {layer} or (layer == "fast" and header in MODEL_DESCRIPTION)
                self.assertTrue(fine, f"{file.relative_to(ROOT)} includes {header}")
        self.assertEqual(seen - {"extras"}, set(ALLOWED))

    def test_extras_stand_alone(self):
        for layer, file, text in self.sources():
            if layer == "extras":
                own = "/".join(file.relative_to(SRC).parts[:2]) + "/"
                for header in re.findall(r'#include "(extras/[\w/]+\.\w+)"', text):
                    self.assertTrue(header.startswith(own), f"{file.relative_to(ROOT)} includes {header}")

    def test_libraries(self):
        for layer, file, text in self.sources():
            for library, layers in LIBRARIES.items():
                if f"#include <{library}" in text:
                    self.assertIn(layer, layers, f"{file.relative_to(ROOT)} includes {library}")

    def test_public_headers_need_no_library(self):
        for file in (ROOT / "include").rglob("*.h"):
            self.assertEqual(re.findall(r'#include ["<](?:torch|ATen|nlohmann|spdlog|CLI|fmt|core)', file.read_text()), [])

    def test_libraries_never_end_the_process(self):
        for layer, file, text in self.sources():
            if layer != "core/cli":
                self.assertIsNone(re.search(r"\b(exit|abort|terminate)\(", text), file)

    def test_main_is_small(self):
        self.assertLessEqual(len((SRC / "main.cpp").read_text().splitlines()), 40)

    def test_files_stay_readable(self):
        for _, file, text in self.sources():
            lines = text.splitlines()
            self.assertLess(len(lines), 300, file)
            self.assertEqual([i + 1 for i, line in enumerate(lines) if len(line) > 120], [], file)

    def test_shelves_stay_within_their_ceilings(self):
        for shelves, ceiling in CEILINGS.items():
            lines = sum(len(text.splitlines()) for layer, _, text in self.sources() if layer.split("/")[0] in shelves)
            self.assertLessEqual(lines, ceiling, shelves)
