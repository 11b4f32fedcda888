"""The JSON Schema that editors check and complete a config with accepts what charnn accepts; docs/config.md is up to date."""
import json
import math
import re
import unittest

from tests.cli.support import ROOT, Case

try:
    import jsonschema
except ImportError:
    jsonschema = None


def without_comments(text):
    """JSON without its // comments; a string may hold two slashes."""
    return re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*', lambda match: match.group(1) or "", text)


@unittest.skipUnless(jsonschema, "no Python package jsonschema")
class Schema(Case):
    def setUp(self):
        super().setUp()
        self.schema = json.loads(self.out("schema"))
        kind = jsonschema.validators.validator_for(self.schema, default=None)
        self.assertIsNotNone(kind, "a $schema that is known")
        kind.check_schema(self.schema)
        self.validator = kind(self.schema)

    def accepts(self, config):
        self.assertEqual([error.message for error in self.validator.iter_errors(config)], [])

    def both_refuse(self, section, key, value):
        """The schema at this very place, and charnn itself."""
        config = {section: {key: value}}
        errors = list(self.validator.iter_errors(config))
        self.assertEqual([list(error.absolute_path)[:1] for error in errors], [[section]], config)
        self.refused("train", self.write("c.json", json.dumps(config)), "--data", self.text, says=[f"{section}.{key}"])

    def fields(self):
        for section, part in self.schema["properties"].items():
            for key, field in part.get("properties", {}).items():
                yield section, key, field

    def test_ready_configs(self):
        configs = sorted((ROOT / "configs").glob("*.json"))
        self.assertTrue(configs)
        for config in configs:
            with self.subTest(config.name):
                self.accepts(json.loads(without_comments(config.read_text())))

    def test_the_whole_config_of_a_run(self):
        self.run_charnn("train", "--data", self.text, "--max-steps", "1", "--batch-size", "2", "--hidden", "4",
                        "--out", self.path("r"))
        config = json.loads((self.folder / "r/config.json").read_text())
        self.accepts(config)
        self.assertEqual({(section, key) for section, key, _ in self.fields()},
                         {(section, key) for section, part in config.items() for key in part})

    def test_what_init_proposes(self):
        self.accepts(json.loads(without_comments(self.out("init", self.text, "--out", "-").decode())))

    def test_every_field_is_described_and_its_default_valid(self):
        for section, key, field in self.fields():
            with self.subTest(f"{section}.{key}"):
                self.assertTrue(field["description"])
                self.assertTrue("type" in field or "enum" in field)
                self.accepts({section: {key: field["default"]}})

    def test_unknown_keys(self):
        self.both_refuse("train", "batchsize", 3)
        self.assertFalse(self.validator.is_valid({"trian": {}}))
        self.assertFalse(self.validator.is_valid({"lr": 0.1}))

    def test_wrong_types(self):
        for value in ("8", 8.5, True, None, [8], {}):
            with self.subTest(value):
                self.both_refuse("train", "batch_size", value)
        self.both_refuse("data", "files", "text.txt")
        self.both_refuse("data", "files", [1])
        self.both_refuse("model", "cell", "transformer")
        self.both_refuse("data", "document_separator", 1)
        self.assertFalse(self.validator.is_valid({"train": 3}))
        self.assertFalse(self.validator.is_valid([]))

    def test_numbers_beyond_their_limits(self):
        tried = 0
        for section, key, field in self.fields():
            for limit, beyond in (("minimum", -1), ("exclusiveMinimum", 0), ("maximum", 1), ("exclusiveMaximum", 0)):
                if limit in field:
                    with self.subTest(f"{section}.{key}", limit=limit):
                        tried += 1
                        value = field[limit] + beyond * max(1, math.ulp(field[limit]))  # the seed's reach 2^53
                        self.both_refuse(section, key, int(value) if field["type"] == "integer" else value)
        self.assertGreater(tried, 20)

    def test_a_config_may_name_its_schema(self):
        config = {"$schema": "https://example.org/charnn.json", "data": {"files": [self.text]},
                  "train": {"max_steps": 1, "batch_size": 2}, "model": {"hidden": 4}}
        self.accepts(config)
        self.run_charnn("train", self.write("c.json", json.dumps(config)), "--out", self.path("r"))
        self.assertNotIn("$schema", json.loads((self.folder / "r/config.json").read_text()))
        config["$schema"] = 7
        self.assertFalse(self.validator.is_valid(config))
        self.refused("train", self.write("c.json", json.dumps(config)), says=["$schema = 7"])
        self.both_refuse("train", "$schema", "x")


class Reference(Case):
    def test_help(self):
        self.assertIn(b"Usage", self.out("schema", "--help"))

    def test_every_option_has_its_flag(self):
        schema = json.loads(self.out("schema"))
        help_text = self.out("train", "--help-all").decode()
        for line in self.out("schema", "--markdown").decode().splitlines()[2:]:
            flag = re.match(r"\| `[a-z_0-9.]+` \| `(--[a-z0-9-]+)`", line).group(1)
            self.assertIn(f"  {flag} ", help_text)
        self.assertEqual(list(schema["properties"]), ["$schema", "data", "model", "optimizer", "schedule", "train", "sample"])

    def test_reference_is_the_programs_own(self):
        reference = (ROOT / "docs/config.md").read_text()
        table = re.search(r"<!-- begin: charnn schema --markdown -->\n(.*)<!-- end -->\n", reference, re.DOTALL).group(1)
        self.assertEqual(table, self.out("schema", "--markdown").decode(),
                         "put the output of charnn schema --markdown between the markers of docs/config.md")
