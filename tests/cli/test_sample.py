"""charnn sample: prompts, seeds, temperatures, pipes."""
import json
import subprocess

from tests.cli.support import BINARY, Case


class Sample(Case):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "120")

    def sample(self, *arguments, **options):
        return self.out("sample", self.path("r"), *arguments, **options)

    def test_prompt_seed_and_length(self):
        text = self.sample("--prompt", "The ", "--length", "50", "--seed", "7")
        self.assertTrue(text.startswith(b"The "))
        self.assertEqual(len(text), 54)
        self.assertEqual(text, self.sample("--prompt", "The ", "--length", "50", "--seed", "7"))
        self.assertNotEqual(text, self.sample("--prompt", "The ", "--length", "50", "--seed", "8"))
        self.assertEqual(text[4:], self.sample("--prompt", "The ", "--length", "50", "--seed", "7", "--no-echo"))
        self.assertEqual(text, self.sample("--prompt-file", self.write("p", "The "), "--length", "50", "--seed", "7"))
        self.assertEqual(text, self.sample("--prompt-file", "-", "--length", "50", "--seed", "7", stdin=b"The "))
        self.assertEqual(self.sample("--prompt", "The ", "--length", "0"), b"The ")

    def test_defaults_come_from_the_config_and_a_fresh_seed_is_told(self):
        done = self.run_charnn("sample", self.path("r"))
        self.assertEqual(len(done.stdout), 500)
        seed = done.stderr.split(b"--seed ")[1].split()[0].rstrip(b")")
        self.assertEqual(self.sample("--seed", seed.decode()), done.stdout)
        self.assertEqual(self.run_charnn("sample", self.path("r"), "--quiet").stderr, b"")

    def test_greedy_needs_no_seed(self):
        self.assertEqual(self.sample("--temperature", "0", "--length", "80"), self.sample("--temperature", "0", "--length", "80"))

    def test_a_prompt_begins_as_a_text_does(self):
        text = self.sample("--temperature", "0", "--length", "80").decode()
        self.assertEqual(self.sample("--temperature", "0", "--prompt", text[:20], "--length", "60").decode(), text)

    def test_stops(self):
        free = self.sample("--seed", "7", "--length", "300").decode()
        for stops in (["at"], ["og", "n t"], ["\n"], ["on on on"]):
            ends = [free.find(stop) for stop in stops if stop in free]
            flags = [part for stop in stops for part in ("--stop", stop)]
            text = free[:min(ends, default=300)]
            ended = ends and not text.endswith("\n")  # by itself: then with a line break in a pipe
            self.assertEqual(self.sample("--seed", "7", "--length", "300", *flags).decode(), text + ("\n" if ended else ""))
        self.assertEqual(self.sample("--seed", "7", "--length", "300", "--until-line").decode(), free.split("\n")[0] + "\n")
        line = json.loads(self.sample("--seed", "7", "--length", "300", "--until-line", "--json"))
        self.assertEqual((line["text"], line["end"]), (free.split("\n")[0], "stop"))
        self.refused("sample", self.path("r"), "--stop", "", says=["stop: an empty string"])
        self.refused("sample", self.path("r"), "--stop", "Ω", says=["the stop has a character"])

    def test_a_text_ends_when_its_time_is_up(self):
        text = self.sample("--length", "100000000", "--max-seconds", "0.2", "--seed", "1")
        self.assertTrue(0 < len(text) < 100000000)
        long = self.write("long", "The cat sat. " * 400_000)
        self.assertEqual(len(self.sample("--prompt-file", long, "--no-echo", "--max-seconds", "0.2", "--seed", "1")), 0)
        self.assertEqual(len(self.sample("--prompt-file", long, "--no-echo", "--max-seconds", "0.2", "--beams", "2")), 0)
        lines = self.sample("--length", "100000000", "--max-seconds", "0.2", "--seed", "1", "--num", "3").splitlines()
        self.assertEqual(len(lines), 3)

    def test_unknown_characters_can_be_left_out_or_replaced(self):
        known = self.sample("--prompt", "The ca", "--seed", "1")
        done = self.run_charnn("sample", self.path("r"), "--prompt", "TΩhe ζζca", "--seed", "1", "--unknown", "skip")
        self.assertEqual(done.stdout, known, "the prompt is shown as the network read it")
        self.assertIn("left out: 'Ω' (position 1), 'ζ' (position 5, 2 times)", done.stderr.decode())
        self.assertEqual(self.sample("--prompt", "TheΩca", "--seed", "1", "--unknown", "replace"), self.sample("--prompt", "The ca", "--seed", "1"))

    def test_filters_shape_the_text(self):
        self.assertEqual(self.sample("--top-k", "1", "--seed", "1", "--length", "90"), self.sample("--temperature", "0", "--length", "90"))
        self.assertLessEqual(set(self.sample("--only", "The cat", "--seed", "1", "--temperature", "3").decode()), set("The cat"))
        self.assertNotIn(b"e", self.sample("--bias", "e=-inf", "--seed", "1"))
        everything = ["--top-k", "9", "--top-p", "0.9", "--min-p", "0.01", "--typical", "0.9", "--repetition-penalty", "1.2",
                      "--frequency-penalty", "0.1", "--penalty-window", "30", "--bias", "a=1", "--bias", "t=-1"]
        one = self.sample("--seed", "5", *everything)
        self.assertEqual(one, self.sample("--seed", "5", *everything))
        lines = self.sample("--seed", "4", "--num", "3", *everything).splitlines()
        self.assertEqual(json.loads(lines[1])["text"].encode(), one, "alone and beside others")
        self.refused("sample", self.path("r"), "--top-p", "0", says=["above 0, at most 1"])
        self.refused("sample", self.path("r"), "--only", "Ω", says=["sample.only"])

    def test_beams(self):
        text = self.sample("--beams", "6", "--length", "60", "--prompt", "The ")
        self.assertEqual(len(text), 64)
        self.assertEqual(text, self.sample("--beams", "6", "--length", "60", "--prompt", "The ", "--seed", "9"), "no chance in it")
        self.refused("sample", self.path("r"), "--beams", "4", "--num", "2", says=["--beams"])

    def test_files(self):
        self.sample("--num", "3", "--files", self.path("out"), "--seed", "7", "--length", "30", "--prompt", "The ")
        self.assertEqual(sorted(p.name for p in (self.folder / "out").iterdir()), [f"sample-{i}.txt" for i in (7, 8, 9)])
        self.assertEqual((self.folder / "out/sample-8.txt").read_bytes(), self.sample("--seed", "8", "--length", "30", "--prompt", "The "))
        self.refused("sample", self.path("r"), "--files", self.path("out"), "--seed", "9", says=["sample-9.txt exists"])
        self.refused("sample", self.path("r"), "--files", self.write("file", ""), says=["--files DIR"])

    def test_many_texts_side_by_side(self):
        lines = self.sample("--prompt", "The ", "--length", "40", "--seed", "7", "--num", "5").decode().splitlines()
        records = [json.loads(line) for line in lines]
        self.assertEqual([r["seed"] for r in records], [7, 8, 9, 10, 11])
        self.assertEqual({len(r["text"]) for r in records}, {44})
        self.assertEqual(len({r["text"] for r in records}), 5)
        # Each is the text that its seed gives alone.
        self.assertEqual(records[2]["text"].encode(), self.sample("--prompt", "The ", "--length", "40", "--seed", "9"))
        self.assertEqual(lines, self.sample("--prompt", "The ", "--length", "40", "--seed", "7", "--num", "5").decode().splitlines())

    def test_threads_change_nothing_and_weights_may(self):
        one = self.sample("--length", "300", "--seed", "3", "--threads", "1")
        self.assertEqual(one, self.sample("--length", "300", "--seed", "3", "--threads", "3"))
        self.assertEqual(one, self.sample("--length", "300", "--seed", "3", "--weights", "fp32"))
        self.assertEqual(len(self.sample("--length", "300", "--seed", "3", "--weights", "bf16")), 300)

    def test_refusals(self):
        self.refused("sample", self.path("r"), "--prompt", "The Ωmega ζ", says=["'Ω' (position 4)", "'ζ' (position 10)"])
        self.refused("sample", self.path("none"), says=["No such file"])
        self.refused("sample", self.path("r"), "--temperature", "-1", says=["from 0 to 100"])
        self.refused("sample", self.path("r"), "--temperature", "nan", says=["--temperature"])
        self.refused("sample", self.path("r"), "--prompt", "a", "--prompt-file", "b")
        self.refused("sample", self.path("r"), "--checkpoint", "newest")
        self.refused("sample", self.path("r"), "--num", "0")
        self.refused("sample", self.path("r"), "--weights", "int4", says=["one of auto, fp32, bf16, int8"])

    def test_output_is_valid_utf8(self):
        self.text = self.write("u.txt", "äöü€😀 naïve façade\n" * 100)
        self.train("u", "--max-steps", "5")
        text = self.out("sample", self.path("u"), "--length", "300", "--seed", "1", "--temperature", "5")
        self.assertEqual(len(text.decode("utf-8")), 300)

    def test_a_reader_that_leaves_is_no_error(self):
        process = subprocess.Popen([BINARY, "sample", self.path("r"), "--length", "100000000", "--seed", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(len(process.stdout.read(10)), 10)
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0)
        process.stderr.close()

    def test_a_checkpoint_file_can_be_named(self):
        by_file = self.out("sample", self.path("r/last.safetensors"), "--seed", "1", "--length", "20")
        self.assertEqual(by_file, self.sample("--checkpoint", "last", "--seed", "1", "--length", "20"))
        self.assertEqual(json.loads(self.out("info", self.path("r/best.safetensors"), "--json"))["tokens"], "chars")
