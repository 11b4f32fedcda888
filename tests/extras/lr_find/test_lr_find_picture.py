"""The curve of charnn lr-find, on the terminal and as SVG."""
import unittest
import xml.etree.ElementTree as ElementTree

from tests.cli.support import EXTRAS
from tests.extras.lr_find.test_lr_find import NETWORK, LrFindCase


@unittest.skipUnless("plot" in EXTRAS, "built without plot")
class LrFindPicture(LrFindCase):
    def test_sketch(self):
        self.assertIn("learning rate", self.find().stdout.decode())

    def test_svg(self):
        before = set(self.folder.iterdir())
        self.find("--svg", self.path("x.svg"))
        self.assertTrue(ElementTree.parse(self.path("x.svg")).getroot().tag.endswith("svg"))
        self.assertEqual(set(self.folder.iterdir()) - before, {self.folder / "x.svg"})
        self.assertEqual(self.find("--svg", "-").stdout, (self.folder / "x.svg").read_bytes())
        self.refused("lr-find", "--data", self.text, "--json", "--svg", "-", says=["--svg FILE"])

    def test_ctrl_c(self):
        self.check_ctrl_c("--svg", self.path("x.svg"))

    def test_a_picture_that_cannot_be_written_costs_no_work(self):
        message = self.refused("lr-find", "--data", self.text, *NETWORK, "--steps", "1000000",
                               "--svg", self.path("none/x.svg"), code=1)
        self.assertIn("none/x.svg", message)
