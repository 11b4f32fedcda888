"""What CHARNN_HARDEN promises is in the binary CHARNN. READELF names the tool that reads it, BUILD the build folder."""
import json
import os
import pathlib
import re
import subprocess
import unittest


class Hardening(unittest.TestCase):
    def read(self, *options):
        return subprocess.run([os.environ["READELF"], "--wide", *options, os.environ["CHARNN"]], check=True,
                              capture_output=True, text=True).stdout

    def test_position_independent(self):
        self.assertRegex(self.read("--file-header"), r"Type:\s+DYN")
        self.assertRegex(self.read("--dynamic"), r"\(FLAGS_1\).*\bPIE\b")

    def test_relocations_are_read_only(self):
        self.assertIn("GNU_RELRO", self.read("--program-headers"))
        self.assertRegex(self.read("--dynamic"), r"BIND_NOW|\(FLAGS_1\).*\bNOW\b")

    def test_stack_is_not_executable(self):
        stack = re.search(r"GNU_STACK.*", self.read("--program-headers"))
        self.assertIsNotNone(stack)
        self.assertNotIn("E", stack[0].removeprefix("GNU_STACK"))

    def test_nothing_is_writable_and_executable(self):
        for segment in re.findall(r"LOAD.*", self.read("--program-headers")):
            self.assertNotRegex(segment, r"\bRWE\b")

    def test_stack_protector(self):
        self.assertIn("__stack_chk_fail", self.read("--dyn-syms"))

    def test_fortified(self):
        # Not in the binary: where the compiler can prove that a call fits, it leaves the checked one out.
        commands = json.loads(pathlib.Path(os.environ["BUILD"], "compile_commands.json").read_text())
        self.assertTrue(any("/src/" in entry["file"] and " -O" in entry["command"] for entry in commands))
        for entry in commands:
            if "/src/" in entry["file"] and " -O" in entry["command"]:
                self.assertIn(" -D_FORTIFY_SOURCE=2 ", entry["command"], entry["file"])
