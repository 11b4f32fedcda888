"""charnn eval and sample beyond the static network: dynamic evaluation, several networks, the fitted temperature."""
import json

from tests.cli.support import TEXT, Case


class Eval(Case):
    def setUp(self):
        super().setUp()
        self.train("r", "--max-steps", "120")

    def eval(self, *arguments):
        return json.loads(self.out("eval", self.path("r"), "--json", *arguments))

    def test_dynamic_evaluation_learns_and_leaves_the_run_alone(self):
        odd = self.write("odd.txt", TEXT[::-1].replace("\n", " "))
        before = (self.folder / "r/best.safetensors").read_bytes()
        static, dynamic = self.eval("--data", odd), self.eval("--data", odd, "--dynamic", "--dynamic-rate", "0.001")
        self.assertLess(dynamic["nats_per_char"], 0.9 * static["nats_per_char"])
        self.assertEqual((dynamic["chars"], dynamic["dynamic"], static["dynamic"]), (static["chars"], True, False))
        self.assertEqual((self.folder / "r/best.safetensors").read_bytes(), before)
        self.assertEqual(self.eval("--data", odd, "--dynamic"), self.eval("--data", odd, "--dynamic"))
        self.assertIn(b"dynamic evaluation", self.out("eval", self.path("r"), "--dynamic"))
        self.refused("eval", self.path("r"), "--dynamic", "--window", "20", says=["--window"])
        self.refused("eval", self.path("r"), "--dynamic-rate", "1", says=["--dynamic"])

    def test_several_networks(self):
        self.train("s", "--max-steps", "120", "--seed", "2", "--cell", "gru")
        one, other = self.eval(), json.loads(self.out("eval", self.path("s"), "--json"))
        twice, both = self.eval("--with", self.path("r")), self.eval("--with", self.path("s"))
        self.assertAlmostEqual(twice["nats_per_char"], one["nats_per_char"], delta=1e-5)
        self.assertEqual(both["networks"], 2)
        self.assertLess(both["nats_per_char"], (one["nats_per_char"] + other["nats_per_char"]) / 2)
        self.assertIn(b"mean of 2 networks", self.out("eval", self.path("r"), "--with", self.path("s")))
        text = self.out("sample", self.path("r"), "--with", self.path("s"), "--seed", "1", "--length", "60")
        self.assertEqual(text, self.out("sample", self.path("r"), "--with", self.path("s"), "--seed", "1", "--length", "60"))
        self.assertNotEqual(text, self.out("sample", self.path("r"), "--seed", "1", "--length", "60"))
        self.refused("sample", self.path("r"), "--with", self.path("s"), "--beams", "2", says=["beam search"])
        alien = self.write("alien.txt", "abc " * 900)
        self.run_charnn("train", "--data", alien, "--max-steps", "2", "--hidden", "8", "--batch-size", "2", "--out", self.path("t"))
        for command in ("eval", "sample"):
            self.refused(command, self.path("r"), "--with", self.path("t"), says=["its characters are not those of"])

    def test_the_fitted_temperature(self):
        report = self.eval()
        self.assertTrue(0.5 < report["fitted_temperature"] < 2)
        plain, fitted = report["fitted_on"]["nats_per_char"], report["fitted_on"]["nats_per_char_at_fitted_temperature"]
        self.assertLessEqual(fitted, plain)
        self.assertAlmostEqual(plain, report["nats_per_char"], delta=1e-6)
        self.assertRegex(self.out("eval", self.path("r")).decode(), r"at temperature \d\.\d+, fitted on the first \d+ characters: \d")
        self.assertNotIn("fitted_temperature", self.eval("--data", self.text))

    def test_sampling_in_the_vein_of_the_prompt(self):
        prompt = self.write("prompt.txt", "The dog 5 dog dog dog saw the dog.\n" * 8)
        arguments = ["sample", self.path("r"), "--prompt-file", prompt, "--no-echo", "--seed", "3", "--length", "300"]
        plain, adapted = self.out(*arguments).decode(), self.out(*arguments, "--adapt", "600").decode()
        self.assertGreater(adapted.count("dog"), plain.count("dog"))
        self.assertEqual(adapted, self.out(*arguments, "--adapt", "600").decode())
        self.refused("sample", self.path("r"), "--adapt", "1", says=["--adapt without a prompt"])
        self.refused("sample", self.path("r"), "--adapt", "1", "--prompt", "Ω", says=["Ω"])
