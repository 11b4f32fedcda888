"""charnn sample --interactive: lines from a pipe, and a conversation on a terminal."""
import contextlib
import os
import pty
import re
import select
import subprocess
import time

from tests.cli.support import BINARY, Case


class Interactive(Case):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "60")

    def talk(self, *lines, arguments=()):
        done = self.run_charnn("sample", self.path("r"), "-i", "--length", "30", "--seed", "3", *arguments,
                               stdin="\n".join(lines).encode())
        return done.stdout.decode(), done.stderr.decode()

    def sample(self, *arguments):
        return self.out("sample", self.path("r"), "--length", "30", *arguments).decode()

    def test_each_line_is_a_beginning(self):
        out, said = self.talk("The cat", "", ":temperature 0.3", ":seed 3", "The cat", "::")
        self.assertIn("vocabulary lacks", said, "a colon is unknown to this network")
        first = self.sample("--prompt", "The cat", "--seed", "3")
        more = self.sample("--prompt", first, "--seed", "4", "--no-echo")
        colder = self.sample("--prompt", "The cat", "--seed", "3", "--temperature", "0.3")
        self.assertEqual(out, f"{first}\n{more}\n{colder}\n")
        out, said = self.talk("The cat", "The ζ", "", ":quit")
        self.assertEqual(out, f"{first}\n{more}\n", "a line that is refused changes nothing")
        out, said = self.talk("The ζ", ":temperature 0.3", ":stop ζ", "The cat")
        self.assertEqual(out, f"{colder}\n", "nor do commands after it depend on it")
        self.assertEqual(said.count("vocabulary lacks"), 2)

    def test_commands(self):
        out, said = self.talk(":length 5", "The", ":stop a", ":length 200", "The", ":stop", ":quit", "never")
        five, stopped = out.split("\n")[:2]
        self.assertEqual(len(five), 8)
        self.assertNotIn("a", stopped[3:])
        self.assertNotIn("never", out)
        out, said = self.talk(":help", ":options", ":tempratur 1", ":temperature x", ":only ac", ":top-k", ":bias q", "The\\ncat")
        for part in ("Ctrl-C", ":top-p 1", "did you mean \"temperature\"?", ":temperature", "sample.bias"):
            self.assertIn(part, said)
        self.assertTrue(out.startswith("The\ncat"))
        self.assertLessEqual(set(out.strip()[7:]), set("ac"))

    def test_it_is_one_after_another(self):
        for flags in (["--prompt", "The"], ["--prompt-file", "-"], ["--no-echo"], ["--num", "3"], ["--report"], ["--files", "x"], ["--beams", "3"]):
            self.refused("sample", self.path("r"), "-i", *flags, says=["--interactive"])


class Terminal(Case):
    """What a person sees who types."""

    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "60")
        self.process, self.screen = None, b""

    def open(self, *arguments):
        parent, child = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen([BINARY, "sample", self.path("r"), "-i", "--seed", "3", *arguments], stdin=child, stdout=child,
                                        stderr=child, env=environment, start_new_session=True,
                                        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(child)
        self.parent = parent
        self.addCleanup(os.close, parent)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def wait_for(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.screen):
            self.assertLess(time.monotonic(), end, (pattern, self.screen[-500:]))
            if select.select([self.parent], [], [], 0.1)[0]:
                self.screen += os.read(self.parent, 1 << 16)
        found = re.search(pattern, self.screen)
        self.screen = self.screen[found.end():]

    def type(self, keys):
        os.write(self.parent, keys)

    def interrupt(self):
        """Ctrl-C, once more if it came in the instant before the program waits for a key."""
        for _ in range(20):
            self.type(b"\x03")
            end = time.monotonic() + 2
            while time.monotonic() < end:
                if select.select([self.parent], [], [], 0.1)[0]:
                    self.screen += os.read(self.parent, 1 << 16)
                if re.search(rb"\n> $", self.screen):
                    self.screen = b""
                    return
        self.fail(self.screen[-500:])

    def leave(self):
        """Ctrl-D; once more, after a Ctrl-C, if an earlier key was still on its way then."""
        for _ in range(20):
            with contextlib.suppress(OSError):  # the terminal is gone with the program
                self.type(b"\x04")
                end = time.monotonic() + 1
                while time.monotonic() < end and self.process.poll() is None:
                    if select.select([self.parent], [], [], 0.1)[0]:
                        os.read(self.parent, 1 << 16)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)
                return
            self.interrupt()

    def test_history_interruption_and_the_end(self):
        self.open("--length", "40")
        self.wait_for(rb":help")
        self.wait_for(rb"> ")
        self.type(b"The cat\r")
        self.wait_for(rb"The cat.*\n")
        self.wait_for(rb"> ")
        self.type(b"\x1b[A\r")  # arrow up: the line before
        self.wait_for(rb"The cat")
        self.wait_for(rb"> ")
        self.type(b"half a line")
        self.wait_for(rb"half a line")
        self.interrupt()  # drops it
        self.type(b":length 100000000\r")
        self.wait_for(rb"> ")
        self.type(b"The\r")
        self.wait_for(rb"[a-z]{2}[^\n]*\n[^\n]*\n[^\n]*\n")  # it writes
        self.interrupt()
        self.assertIsNone(self.process.poll())
        self.leave()
        self.assertEqual(self.process.poll(), 0)
