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
        self.refused("sample", self.path("r"), "--weights", "int8", says=["one of auto, fp32, bf16"])

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
