#include "core/train/metrics_sink.h"
#include <filesystem>
#include <nlohmann/json.hpp>
#include "core/base/files.h"
#include "core/base/version.h"
#include "core/train/metrics_file.h"

namespace charnn {
using nlohmann::json;
using nlohmann::ordered_json;

MetricsSink::MetricsSink(std::string path, const TrainState& progress, Warn warn)
    : file_(std::move(path), std::move(warn)) {
  std::string kept;
  if (progress.step > 0 && std::filesystem::exists(file_.path()))
    read_records(file_.path(), [&](const json& record, std::string_view line) {
      const bool eval = record["event"] == "eval";
      // What follows such a record, for example a warning about it, happens again as well.
      if (number_in(record, "step") > static_cast<double>(eval ? progress.evaluated_step : progress.step)) return false;
      has_run_record_ = true;
      if (const double elapsed = number_in(record, "elapsed_seconds"); elapsed >= 0) elapsed_before_ = elapsed;
      kept += line;
      return true;
    });
  write_file(file_.path(), kept);
}

void MetricsSink::write(std::int64_t step, const std::string& line) { file_.append(step, line + "\n"); }

void MetricsSink::end(const EndInfo&) { file_.finish(); }

void MetricsSink::begin(const RunInfo& run) {
  if (has_run_record_) return;
  has_run_record_ = true;
  write(run.first_step, ordered_json{{"schema_version", 1},
                                     {"event", "run"},
                                     {"charnn_version", version},
                                     {"parameters", run.parameters},
                                     {"vocabulary", run.vocabulary},
                                     {"train_chars", run.train_chars},
                                     {"val_chars", run.val_chars},
                                     {"last_step", run.last_step},
                                     {"config", ordered_json::parse(run.config)}}
                            .dump());
}

void MetricsSink::record(const StepInfo& s) {
  write(s.step, ordered_json{{"event", "step"},
                             {"step", s.step},
                             {"epoch", s.epoch},
                             {"chars", s.chars},
                             {"loss", s.loss},
                             {"bits_per_char", bits(s.loss)},
                             {"lr", s.lr},
                             {"grad_norm", s.grad_norm},
                             {"update_ratio", s.update_ratio},
                             {"hidden_rms", s.hidden_rms},
                             {"hidden_saturated", s.hidden_saturated},
                             {"skipped", s.skipped},
                             {"chars_per_second", s.chars_per_second},
                             {"elapsed_seconds", s.elapsed_seconds}}
                    .dump());
}

void MetricsSink::warn(const Warning& w) {
  write(w.step, ordered_json{{"event", "warning"}, {"step", w.step}, {"name", w.name}, {"message", w.message}}.dump(
                    -1, ' ', false, json::error_handler_t::replace));
}

void MetricsSink::eval(const EvalInfo& e) {
  write(e.step, ordered_json{{"event", "eval"},
                             {"step", e.step},
                             {"epoch", e.epoch},
                             {"chars", e.chars},
                             {"loss", e.result.loss()},
                             {"bits_per_char", bits(e.result.loss())},
                             {"eval_chars", e.result.chars},
                             {"best", e.best},
                             {"lr", e.lr},
                             {"seconds", e.seconds},
                             {"elapsed_seconds", e.elapsed_seconds},
                             {"sample", e.sample}}
                    .dump(-1, ' ', false, json::error_handler_t::replace));
}
}  // namespace charnn
