"""What CHARNN_HARDEN promises is in the binary. READELF names the tool that reads it."""
import os
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

    def test_stack_protector_and_fortified_calls(self):
        symbols = self.read("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        self.assertRegex(symbols, r"__\w+_chk\b(?<!__stack_chk)")
