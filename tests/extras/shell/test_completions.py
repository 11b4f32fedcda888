"""What a shell completes, and the manual page: both must know every option that --help knows."""
import fnmatch
import functools
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from tests.cli.support import BINARY, Case

# What is typed after "charnn ", and what the last word must become, in any shell.
COMPLETED = {"tr": "train", "train --la": "--layers", "train --cell l": "lstm", "train --data te": "text.txt",
             "train --out su": "sub/", "train te": "text.txt", "eval text.txt --split v": "val",
             "eval text.txt --checkpoint b": "best", "train --set model.la": "model.layers=", "-q plo": "plot",
             "sample --prompt-file te": "text.txt", "completions z": "zsh", "plot --x e": "epochs"}


@functools.cache
def output(*arguments):
    """What charnn prints; it is the same each time, and takes a second to start."""
    return subprocess.run([BINARY, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout


class Shell(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "sub").mkdir()

    def script(self, shell):
        return self.write(f"charnn.{shell}", output("completions", shell))

    def run_shell(self, *command):
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(self.folder)})

    def options_of(self, *command):
        """Every name of an option in --help."""
        text = output(*command, "--help-all")
        names = {name for line in re.findall(r"^  (-\S+)", text, re.M) for name in line.split(",")}
        return names if not command else names - {"-h", "--help", "--help-all"}  # those are the program's

    def commands(self):
        text = output("--help")
        return re.findall(r"^  ([a-z-]+) ", text[text.index("\nSubcommands:"):text.index("\nExit status")], re.M)


@unittest.skipUnless(shutil.which("bash"), "no bash")
class Bash(Shell):
    def complete(self, *words):
        """The candidates for the last of `words`, which bash has split as it does for a completion function."""
        source = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _charnn; '
                  'for reply in "${COMPREPLY[@]}"; do printf "%s\\n" "$reply"; done')
        done = self.run_shell("bash", "--norc", "-c", source, "bash", self.script("bash"), "charnn", *words)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_words(self):
        for typed, word in COMPLETED.items():
            with self.subTest(typed):
                self.assertEqual(self.complete(*typed.split(" ")), [word.rstrip("/")])
        self.assertEqual(self.complete("train", "--cell", ""), ["rnn", "gru", "lstm"])
        self.assertEqual(self.complete("completions", ""), ["bash", "zsh", "fish"])
        self.assertEqual(self.complete("train", "--layers", ""), [])
        self.assertEqual(self.complete("train", "--cell", "="), ["rnn", "gru", "lstm"])
        self.assertEqual(self.complete("train", "--cell", "=", "g"), ["gru"])

    def test_every_command_and_option(self):
        commands = self.commands()
        self.assertIn("train", commands)
        self.assertEqual(self.complete(""), commands)
        program = self.options_of()
        self.assertEqual(set(self.complete("-")), program)
        for command in commands:
            with self.subTest(command):
                self.assertEqual(set(self.complete(command, "-")), self.options_of(command) | program)

    def test_files(self):
        self.write("two words.txt", "")
        self.assertEqual(self.complete("train", "--data", "two"), ["two words.txt"])
        self.assertEqual(self.complete("train", "--out", ""), ["sub"])
        self.assertLessEqual({"text.txt", "sub", "two words.txt"}, set(self.complete("train", "--data", "")))

    def test_loading_it_says_nothing_and_needs_nothing(self):
        done = self.run_shell("bash", "--norc", "-eu", "-c", 'source "$1"; complete -p charnn', "bash", self.script("bash"))
        self.assertEqual((done.stdout, done.stderr), ("complete -F _charnn charnn\n", ""))


@unittest.skipUnless(shutil.which("fish"), "no fish")
class Fish(Shell):
    def complete(self, typed):
        """Candidates with their descriptions."""
        done = self.run_shell("fish", "--no-config", "-c", f'source {self.script("fish")}; complete -C "charnn {typed}"')
        self.assertEqual(done.stderr, "")
        return dict((line + "\t").split("\t")[:2] for line in done.stdout.splitlines())

    def test_syntax(self):
        done = self.run_shell("fish", "-n", self.script("fish"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_words(self):
        for typed, word in COMPLETED.items():
            with self.subTest(typed):
                self.assertEqual(list(self.complete(typed)), [word])
        self.assertEqual(set(self.complete("train --cell ")), {"rnn", "gru", "lstm"})
        self.assertEqual(self.complete("train --layers "), {})

    def test_every_command_and_option(self):
        self.assertEqual(set(self.complete("")), set(self.commands()))
        for command in self.commands():
            with self.subTest(command):
                found = {name for name in self.options_of(command) | self.options_of() if name.startswith("--")}
                self.assertEqual(set(self.complete(command + " --")), found)

    def test_descriptions_are_unchanged(self):
        help_text = " ".join(output("train", "--help-all").split())  # as if on one line
        for name, description in self.complete("train --").items():
            self.assertTrue(description)
            if name not in ("--version", "--quiet", "--verbose"):
                self.assertIn(description, help_text)
        self.assertIn(r"$'\n\n'", self.complete("train --document")["--document-separator"])


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class Zsh(Shell):
    def test_syntax(self):
        done = self.run_shell("zsh", "-n", self.script("zsh"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def completed(self, lines):
        """What pressing Tab at the end of each line makes of it, in a zsh on a terminal of its own."""
        # Ctrl-T completes, and writes the line down.
        self.write(".zshrc", f"""
            autoload -Uz compinit && compinit -D -u
            source {self.script("zsh")}
            write-line() {{ print -r -- "$BUFFER" > line.part; command mv line.part line }}
            probe() {{ zle complete-word; write-line }}
            zle -N probe; bindkey '^T' probe
            zle-line-init() {{ write-line }}
            zle -N zle-line-init
            """)
        terminal, other_end = pty.openpty()
        env = {**os.environ, "ZDOTDIR": str(self.folder), "HOME": str(self.folder), "TERM": "xterm"}
        shell = subprocess.Popen(["zsh", "-d", "-i"], stdin=other_end, stdout=other_end, stderr=other_end, env=env,
                                 cwd=self.folder, start_new_session=True)
        try:
            self.line(terminal)
            result = []
            for line in lines:
                os.write(terminal, b"\x15" + line.encode() + b"\x14")
                result.append(self.line(terminal))
            return result
        finally:
            shell.kill()
            shell.wait()
            os.close(other_end)
            os.close(terminal)

    def line(self, terminal):
        """The line that zsh writes down next."""
        path, said, deadline = self.folder / "line", b"", time.monotonic() + 60
        while not path.exists():
            self.assertLess(time.monotonic(), deadline, said)
            if select.select([terminal], [], [], 0.02)[0]:
                said += os.read(terminal, 4096)
        line = path.read_text().rstrip("\n")
        path.unlink()
        return line

    def test_words(self):
        lines = ["charnn " + typed for typed in COMPLETED]
        for line, word, completed in zip(lines, COMPLETED.values(), self.completed(lines)):
            with self.subTest(line):
                if word.startswith("--"):
                    word += "="  # zsh takes it away when a space follows
                self.assertEqual(completed.rstrip(" "), line[:line.rindex(" ") + 1] + word)

    def test_an_option_is_not_offered_twice_or_with_its_opposite(self):
        lines = ["charnn train --resume --overw", "charnn train --layers 2 --laye", "charnn train --data a --dat"]
        self.assertEqual([line.rstrip(" ") for line in self.completed(lines)],
                         [lines[0], lines[1], "charnn train --data a --data="])


class Man(Shell):
    def page(self):
        return output("man")

    def plain_page(self):
        """The page without its roff."""
        return re.sub(r"\\f.|\\&", "", self.page().replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\e", "\\"))

    def test_every_option_is_in_it(self):
        text = self.plain_page()
        program = self.options_of()
        for command in self.commands():
            with self.subTest(command):
                self.assertIn(f"\ncharnn {command} [", text)
                section = re.search(rf"^\.SS charnn {command} .*?(?=^\.S[SH] )", text, re.M | re.S).group()
                tags = {name for tag in re.findall(r"^\.TP\n(-.*)", section, re.M) for name in re.findall(r"-[\w-]+", tag)}
                self.assertLessEqual(self.options_of(command) - program, tags)
                self.assertLessEqual(tags, self.options_of(command))
        general = re.search(r"^\.SH OPTIONS.*?(?=^\.SH )", text, re.M | re.S).group()
        for name in program:
            self.assertIn(name, general)

    def test_examples_name_real_options(self):
        text = self.plain_page()
        known = self.options_of().union(*(self.options_of(command) for command in self.commands()))
        for line in re.findall(r"^charnn .*", text[text.index(".SH EXAMPLES"):], re.M):
            self.assertIn(line.split()[1], self.commands())
            self.assertLessEqual(set(re.findall(r"(?<= )--[a-z-]+", line)), known)

    def test_every_file_of_a_run_is_in_it(self):
        self.train("r", "--keep-every", "100")
        files = self.plain_page()
        files = files[files.index(".SH FILES"):files.index(".SH EXAMPLES")]
        names = re.findall(r"^\.TP\n(.*)", files, re.M)
        for file in pathlib.Path(self.path("r")).iterdir():
            self.assertTrue(any(fnmatch.fnmatch(file.name, name.replace("-N.", "-[0-9]*.")) for name in names), file.name)

    def test_no_line_is_a_request_by_chance(self):
        for line in self.page().splitlines():
            if line.startswith((".", "'")):
                self.assertRegex(line, r'^\.(\\"|(TH|SH|SS|TP|PP|B|br|nf|fi|RS|RE)\b)')

    @unittest.skipUnless(shutil.which("groff"), "no groff")
    def test_groff_has_no_warning(self):
        done = self.run_shell("groff", "-man", "-ww", "-z", self.write("charnn.1", self.page()))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_man_shows_it(self):
        self.write("charnn.1", self.page())
        done = subprocess.run(["man", "--warnings", "-P", "cat", "-l", "charnn.1"], cwd=self.folder, capture_output=True,
                              text=True, timeout=60, env={**os.environ, "MANWIDTH": "400", "LC_ALL": "C.UTF-8"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
        for part in ("EXIT STATUS", r"$'\n\n'", "NO_COLOR", "charnn sample runs/diary --prompt 'Dear ' --length 2000"):
            self.assertIn(part, text)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_mandoc_has_no_complaint(self):
        done = self.run_shell("mandoc", "-T", "lint", "-W", "warning", self.write("charnn.1", self.page()))
        # A date would make the page of one version differ from day to day.
        self.assertEqual([line for line in done.stdout.splitlines() if "missing date" not in line], [])


class Arguments(Case):
    def test_what_is_no_shell(self):
        self.refused("completions", says=["shell"])
        self.refused("completions", "csh", says=["csh"])
