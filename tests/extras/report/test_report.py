"""charnn sample --report."""
import json

from tests.cli.support import EXTRAS, Case


class Report(Case):
    def test_report(self):
        self.train("r")
        done = self.run_charnn("sample", self.path("r"), "--seed", "1", "--length", "400", "--report", "--quiet")
        said = done.stderr.decode()
        for part in ("400 characters, perplexity", "longest substring", "substrings of  8", "substrings of 32"):
            self.assertIn(part, said)
        line = json.loads(self.out("sample", self.path("r"), "--seed", "1", "--length", "400", "--report", "--num", "2").splitlines()[0])
        report = line["report"]
        self.assertIn(report["longest_copy_text"], line["text"])
        self.assertIn(report["longest_copy_text"], (self.folder / "text.txt").read_text())
        self.assertEqual(len(report["longest_copy_text"]), report["longest_copy"])
        whole = (self.folder / "text.txt").read_text()
        grams = [line["text"][i:i + 8] for i in range(400 - 7)]
        self.assertAlmostEqual(report["copied_8_grams"], sum(g in whole for g in grams) / len(grams), delta=1e-12)
        self.write("sampled.txt", line["text"])
        evaluated = json.loads(self.out("eval", self.path("r"), "--data", self.path("sampled.txt"), "--split", "all",
                                        "--precision", "fp32", "--json"))
        self.assertAlmostEqual(report["bits_per_char"], evaluated["bits_per_char"], delta=1e-4, msg="as eval says")
        if "score" in EXTRAS:
            scored = json.loads(self.out("score", self.path("r"), "-", "--json", "--precision", "fp32", stdin=line["text"].encode()))
            self.assertAlmostEqual(report["bits_per_char"], scored["bits_per_char"], delta=1e-4, msg="as score says")

    def test_new_and_unique_texts(self):
        self.text = self.write("names.txt", "\n".join(["ann", "ben", "cat"] * 60) + "\n")
        self.train("n", "--document-separator", r"\n", "--lr", "0.01")
        base = ["sample", self.path("n"), "--one-document", "--num", "30", "--seed", "1", "--temperature", "1.5"]
        known = {"ann", "ben", "cat"}
        def texts(*more):
            return [json.loads(line)["text"] for line in self.out(*base, *more).splitlines()]
        self.assertTrue(known & set(texts()))
        self.assertFalse(known & set(texts("--new-only")))
        unique = texts("--unique")
        self.assertEqual(len(unique), len(set(unique)))
        for flag in ("--unique", "--new-only"):
            self.refused("sample", self.path("n"), flag, says=["--num"])
