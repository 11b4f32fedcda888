"""charnn score: as a whole, by line, by character; as eval says."""
import json
import math
import subprocess

from tests.cli.support import BINARY, Case

SOME = "The cat 5 sat on the mat,\n\nand the dog saw it.\n\tand <the> & cat"


class Score(Case):
    def setUp(self):
        super().setUp()
        self.text = self.write("text.txt", "".join(f"The cat {i * i % 97} sat on the mat,\tand <the> & dog {i % 13} saw it.\n"
                                                   for i in range(200)))
        self.train("r", "--max-steps", "60")
        self.some = self.write("some.txt", SOME)

    def score(self, *arguments, **options):
        return self.out("score", self.path("r"), *arguments, **options).decode()

    def test_it_agrees_with_eval(self):
        for file in (self.some, self.text):
            for how in ([], ["--window", "7"], ["--streams", "3"], ["--dynamic"], ["--with", self.path("r")]):
                score = json.loads(self.score(file, "--json", *how))
                evaluated = json.loads(self.out("eval", self.path("r"), "--data", file, "--json", *how))
                for key in ("nats_per_char", "bits_per_char", "perplexity", "chars"):
                    self.assertAlmostEqual(score[key], evaluated[key], delta=1e-6)
        self.assertIn(f"bits/char   {score['bits_per_char']:.6f}", self.score(self.text, "--streams", "3"))

    def test_characters_and_lines_add_up(self):
        whole = json.loads(self.score(self.some, "--json"))
        chars = [json.loads(line) for line in self.score(self.some, "--chars", "--json").splitlines()]
        self.assertEqual("".join(c["char"] for c in chars), SOME)
        self.assertEqual([c["position"] for c in chars], list(range(len(SOME))))
        bits = math.fsum(c["bits"] for c in chars)
        self.assertAlmostEqual(bits / len(SOME), whole["bits_per_char"], delta=1e-5)
        lines = [json.loads(line) for line in self.score(self.some, "--lines", "--json").splitlines()]
        self.assertEqual([line["text"] for line in lines], SOME.split("\n"))
        self.assertEqual([line["line"] for line in lines], [1, 2, 3, 4])
        self.assertEqual(sum(line["chars"] for line in lines), len(SOME))
        self.assertAlmostEqual(sum(line["chars"] * line["bits_per_char"] for line in lines), bits, delta=1e-3)
        self.assertEqual(lines[1]["chars"], 1, "an empty line has its line break")

    def test_columns(self):
        rows = [row.split("\t") for row in self.score(self.some, "--chars").splitlines()]
        self.assertEqual(rows[0], ["position", "bits", "char"])
        self.assertEqual((rows[1][0], rows[1][2]), ("0", "T"))
        self.assertEqual([row[2] for row in rows[1:]], ["\\n" if c == "\n" else "\\t" if c == "\t" else c for c in SOME])
        rows = [row.split("\t") for row in self.score(self.some, "--lines").splitlines()]
        self.assertEqual([row[3] for row in rows], ["text", "The cat 5 sat on the mat,", "", "and the dog saw it.", "\\tand <the> & cat"])

    def test_the_page_shows_the_text(self):
        page = self.path("page.html")
        self.score(self.some, "--html", page)
        html = (self.folder / "page.html").read_text()
        data = json.loads(html.split('type="application/json">')[1].split("</script>")[0])
        self.assertEqual(data[0], SOME)
        self.assertEqual((len(data[1]), len(data[2])), (len(SOME), 6 * len(SOME)))
        self.assertIn("viewport", html)
        self.assertIn("prefers-color-scheme:dark", html)
        self.assertNotIn("<the>", html)
        self.assertIn("bits per character", html)
        self.refused("score", self.path("r"), self.some, "--html", self.some, says=["exists already"])
        self.assertEqual((self.folder / "some.txt").read_text(), SOME)

    def test_standard_input_as_pipe_and_as_file(self):
        expected = self.score(self.some, "--lines")
        self.assertEqual(self.score("-", "--lines", stdin=SOME.encode()), expected)
        with open(self.some, "rb") as file:
            done = subprocess.run([BINARY, "score", self.path("r"), "-", "--lines"], stdin=file, capture_output=True, check=True)
        self.assertEqual(done.stdout.decode(), expected)
        with open(self.some, "rb") as file:
            rest = subprocess.run(["bash", "-c", 'read -r; "$0" score "$1" - --lines', BINARY, self.path("r")], stdin=file,
                                  capture_output=True, check=True).stdout.decode()
        self.assertEqual(len(rest.splitlines()), len(expected.splitlines()) - 1, "what has been read before is not read again")

    def test_refusals(self):
        self.refused("score", self.path("r"), self.write("odd", "The cät"), says=["'ä' (position 5)"])
        odd = self.run_charnn("score", self.path("r"), self.path("odd"), "--unknown", "skip", "--json")
        self.assertIn("left out: 'ä' (position 5)", odd.stderr.decode())
        plain = json.loads(self.score(self.write("plain", "The ct"), "--json"))
        self.assertEqual(json.loads(odd.stdout)["nats_per_char"], plain["nats_per_char"])
        spaced = json.loads(self.score(self.path("odd"), "--unknown", "replace", "--json"))
        self.assertEqual(spaced["nats_per_char"], json.loads(self.score(self.write("s", "The c t"), "--json"))["nats_per_char"])
        self.refused("score", self.path("r"), self.write("empty", ""), says=["empty"])
        self.refused("score", self.path("r"), self.write("one", "T"), "--window", "5", says=["1 characters", "at least 2"])
        self.assertEqual(json.loads(self.score(self.path("one"), "--json"))["chars"], 1)
        self.refused("score", self.path("r"), self.path("none"), says=["No such file"])
        self.refused("score", self.path("r"), self.some, "--lines", "--chars")
        self.refused("score", self.path("r"))

    def test_next(self):
        answer = json.loads(self.out("next", self.path("r"), "--prompt", "The c", "--top", "200", "--json"))
        self.assertEqual(answer["prompt"], "The c")
        probabilities = [one["probability"] for one in answer["next"]]
        self.assertAlmostEqual(sum(probabilities), 1, delta=1e-4)
        self.assertEqual(probabilities, sorted(probabilities, reverse=True))
        scored = [json.loads(line) for line in self.score(self.write("c", "The ca"), "--chars", "--json", "--precision", "fp32").splitlines()]
        bits = {one["text"]: one["bits"] for one in answer["next"]}
        self.assertAlmostEqual(scored[-1]["bits"], bits["a"], delta=1e-3)
        self.assertEqual(len(self.out("next", self.path("r"), "--top", "3").splitlines()), 3)
