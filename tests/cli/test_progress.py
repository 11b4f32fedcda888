"""What a person sees while training: a bar on a terminal, plain lines in a pipe."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from tests.cli.support import BINARY, SMALL, Case

NETWORK = ["--cell", "lstm", "--hidden", "32", "--batch-size", "4"]


class Screen:
    """As much of a terminal as is needed: lines, and the codes that charnn sends."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text):
        for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.|\n", text, re.S):
            if token == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif token == "\r":
                self.column = 0
            elif token == "\x1b[J":
                self.lines = self.lines[:self.row + 1]
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif token.startswith("\x1b"):
                assert token.endswith("m") or token.endswith("A"), repr(token)
                if token.endswith("A"):
                    self.row -= int(token[2:-1])
            else:
                line = self.lines[self.row]
                self.lines[self.row] = line[:self.column].ljust(self.column) + token + line[self.column + 1:]
                self.column += 1


class Progress(Case):
    def on_terminal(self, columns, *arguments, resize=None, environment=None):
        """What training sends to a terminal of that width; `resize`: its width becomes that, and `columns`
        again, with all that is read."""
        leader, follower = pty.openpty()
        size = lambda width: fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        size(columns)
        process = subprocess.Popen([BINARY, "train", "--data", self.text, *SMALL, *NETWORK, "--out", self.path("r"), "--overwrite",
                                    *arguments], stdin=follower, stdout=subprocess.PIPE, stderr=follower,
                                   env={**os.environ, **(environment or {})})
        data = b""
        while b"sample: charnn" not in data:
            try:
                data += os.read(leader, 65536)
            except OSError:
                break
            if resize:
                now, columns, resize = resize, resize, columns
                size(now)
        process.wait(60)
        process.stdout.close()
        os.close(follower)
        os.close(leader)
        return data.decode().replace("\r\n", "\n")

    def test_the_bar_shows_everything_where_there_is_room(self):
        text = self.on_terminal(160, "--max-steps", "400")
        bars = [part for part in re.split(r"\x1b\[J|\n", text) if "  loss " in part]
        self.assertTrue(bars)
        late = [bar for bar in bars if "val" in bar]
        for field in (r"\[[=█-▏]* *\] +\d+%", r"  \d+/400  ", r"loss \d\.\d{3}", r"val \d\.\d{3}", r"\d:\d\d left",
                      r"epoch \d+\.\d\d", r"\d+k?/s", r"lr 0?\.?\d", r"\|g\| \d"):
            self.assertTrue(any(re.search(field, bar) for bar in late), f"{field}: {late}")
        self.assertTrue(any("validating  " in bar for bar in bars))
        self.assertTrue(any("saving  " in bar for bar in bars))
        self.assertIn("validation loss", text)

    def test_narrow_terminals_lose_whole_fields(self):
        for columns in (60, 24):
            text = self.on_terminal(columns)
            screen = Screen()
            screen.feed(text)
            bars = [part for part in re.split(r"\x1b\[J|\n", text) if re.search(r"^(\x1b\[\d+m)*\[", part)]
            self.assertTrue(bars, text)
            for bar in bars:
                shown = re.sub(r"\x1b\[[0-9;]*m", "", bar).rstrip("\r")
                self.assertLess(len(shown), columns)
                self.assertRegex(shown, r"^\[.{10}\] +\d+%(  \d+/200(  loss \d+\.\d{3}(  val \d+\.\d{3})?(  [\d:]+ left)?)?)?")
            self.assertFalse([line for line in screen.lines if "/200  " in line], "no debris of a bar")

    def test_resizing_leaves_no_debris(self):
        text = self.on_terminal(120, "--max-steps", "3000", "--eval-every", "0", resize=50)
        self.assertRegex(text, r"\x1b\[[12]A\r\x1b\[J", "the rows that the wrapped line took are erased")

    def test_no_color(self):
        self.assertIn("\x1b[36m", self.on_terminal(100))
        self.assertNotIn("m", "".join(re.findall(r"\x1b\[[0-9;]*([A-Za-z])", self.on_terminal(100, environment={"NO_COLOR": "1"}))))

    def test_quiet_says_nothing(self):
        process = subprocess.run(["script", "-qec", f"{BINARY} train --quiet --data {self.text} --max-steps 5 --batch-size 4 "
                                  f"--out {self.path('q')}", "/dev/null"], capture_output=True, stdin=subprocess.DEVNULL)
        self.assertEqual((process.returncode, process.stdout), (0, b""))

    def test_warnings_and_metrics_in_a_pipe(self):
        done = self.train("a", "--clip-norm", "1e-4", "--max-steps", "400")
        self.assertEqual(done.stderr.count(b"the gradient was clipped in nearly every step"), 1)
        self.assertNotIn(b"\x1b", done.stderr)
        names = [r["name"] for r in self.metrics("a") if r["event"] == "warning"]
        self.assertIn("always_clipped", names)
        for record in self.metrics("a"):
            if record["event"] == "step":
                self.assertLess(0, record["update_ratio"])
                self.assertLess(0, record["hidden_rms"])
