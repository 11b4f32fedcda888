"""TensorBoard itself reads the event files of a run."""

from tests.cli.support import Case
import json

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.custom_scalar import layout_pb2
    from tensorboard.plugins.hparams import plugin_data_pb2
except ImportError:
    EventAccumulator = None


class TensorBoard(Case):
    def setUp(self):
        super().setUp()
        self.assertIsNotNone(EventAccumulator, "pip install tensorboard")

    def read(self, out):
        events = EventAccumulator(str(self.folder / out), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        return events

    def check(self, out):
        events = self.read(out)
        records = self.metrics(out, drop=())
        for event, tags in (("step", {"loss/train": "loss", "bits_per_char/train": "bits_per_char", "optimizer/lr": "lr",
                                      "optimizer/gradient_norm": "grad_norm", "speed/chars_per_second": "chars_per_second"}),
                            ("eval", {"loss/validation": "loss", "bits_per_char/validation": "bits_per_char"})):
            expected = [r for r in records if r["event"] == event]
            for tag, key in tags.items():
                scalars = events.Scalars(tag)
                self.assertEqual([s.step for s in scalars], [r["step"] for r in expected], tag)
                for scalar, record in zip(scalars, expected):
                    self.assertAlmostEqual(scalar.value / record[key], 1, places=6)
        # TensorBoard forgets scalars of a process that was killed, but no texts: of each step, the last one counts.
        texts = {t.step: t for t in events.Tensors("sample")}
        samples = [r for r in records if r["event"] == "eval"]
        self.assertEqual(list(texts), [r["step"] for r in samples])
        for record in samples:
            shown = texts[record["step"]].tensor_proto.string_val[0].decode()
            self.assertEqual("\n".join(line[4:] for line in shown.split("\n")), record["sample"])

    def test_config_and_charts(self):
        self.train("a", "--max-steps", "20", "--lr", "0.003", "--cell", "gru", "--decoder-input", "sum")
        events = self.read("a")
        text = events.Tensors("config")[0].tensor_proto.string_val[0].decode()
        config = json.loads(text)
        self.assertEqual(config["optimizer"]["lr"], 0.003)
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        self.assertEqual(hparams["optimizer.lr"].number_value, 0.003)
        self.assertEqual(hparams["model.cell"].string_value, "gru")
        self.assertEqual({key.split(".")[0] for key in hparams}, set(config))
        layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
        charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
        self.assertEqual(charts["loss"], ["loss/train", "loss/validation"])
        self.assertLessEqual({tag for tags in charts.values() for tag in tags}, set(events.Tags()["scalars"]))

    def test_warnings_are_text(self):
        self.train("a", "--max-steps", "400", "--clip-norm", "1e-4")
        warnings = [r for r in self.metrics("a", drop=()) if r["event"] == "warning"]
        self.assertTrue(warnings)
        shown = [t.tensor_proto.string_val[0].decode() for t in self.read("a").Tensors("warning")]
        self.assertIn(warnings[-1]["message"], shown[-1])

    def test_a_run_and_its_resumption(self):
        self.train("a", "--stop-at", "100")
        self.check("a")
        self.run_charnn("train", "--resume", "--out", self.path("a"))
        self.check("a")

    def test_what_a_killed_process_had_done_later_is_forgotten(self):
        self.train("a", "--stop-at", "100")
        earlier = (self.folder / "a/last.safetensors").read_bytes()
        self.run_charnn("train", "--resume", "--out", self.path("a"), "--stop-at", "150")
        (self.folder / "a/last.safetensors").write_bytes(earlier)  # as if killed before it was saved
        self.run_charnn("train", "--resume", "--out", self.path("a"))
        self.check("a")

    def test_a_new_run_forgets_the_old_one(self):
        self.train("a")
        self.train("a", "--max-steps", "50", "--overwrite")
        self.check("a")
