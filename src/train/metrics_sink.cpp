#include "charnn/train/metrics_sink.h"

#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "charnn/base/error.h"
#include "charnn/base/files.h"
#include "charnn/base/version.h"

namespace charnn {

using nlohmann::json;
using nlohmann::ordered_json;

MetricsSink::MetricsSink(std::string path, const TrainState& progress) : path_(std::move(path)) {
  std::string kept;
  if (progress.step > 0 && std::filesystem::exists(path_)) {
    const std::string text = read_file(path_, "metrics file");
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const json record = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                      text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
      if (!record.is_object()) continue;
      const std::string event = record.value("event", "");
      if (event == "run") has_run_record_ = true;
      // What follows such a record, for example a warning about it, happens again as well.
      if (record.value("step", std::int64_t{0}) > (event == "eval" ? progress.evaluated_step : progress.step))
        break;
      elapsed_before_ = record.value("elapsed_seconds", elapsed_before_);
      kept.append(text, at, end - at + 1);
    }
  }
  write_file(path_, kept);
  file_.open(path_, std::ios::app);
}

void MetricsSink::write(const std::string& line) {
  file_ << line << '\n' << std::flush;
  if (!file_)
    fail_errno(fmt::format("cannot write {}", path_),
               "make room on the disk, then resume; the checkpoints are intact");
}

void MetricsSink::begin(const RunInfo& run) {
  if (has_run_record_) return;
  has_run_record_ = true;
  write(ordered_json{{"schema_version", 1},
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
  write(ordered_json{{"event", "step"},
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
  write(
      ordered_json{{"event", "warning"}, {"step", w.step}, {"name", w.name}, {"message", w.message}}.dump());
}

void MetricsSink::eval(const EvalInfo& e) {
  write(ordered_json{{"event", "eval"},
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
