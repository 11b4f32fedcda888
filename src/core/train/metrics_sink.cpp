#include "core/train/metrics_sink.h"
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/version.h"
#include "core/io/json_config.h"

namespace charnn {
using nlohmann::json;
using nlohmann::ordered_json;

MetricsSink::MetricsSink(const std::string& path, const TrainState& progress, Warn warn)
    : file_(path, std::move(warn)) {
  std::string kept;
  if (progress.step > 0 && std::filesystem::exists(path))
    read_records(path, [&](const json& record, std::string_view line) {
      if (text_in(record, "event") == "end") return false;  // it goes on
      const std::int64_t last = text_in(record, "event") == "eval" ? progress.evaluated_step : progress.step;
      // The events after such a record, for example a warning about it, will happen again as well.
      if (number_in(record, "step") > static_cast<double>(last)) return false;
      has_run_record_ = true;
      if (const double elapsed = number_in(record, "elapsed_seconds"); elapsed >= 0) elapsed_before_ = elapsed;
      kept += line;
      return true;
    });
  write_file(path, kept);
}

void MetricsSink::write(std::int64_t step, const ordered_json& record) {
  file_.append(step, record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

// clang-format off
void MetricsSink::begin(const RunInfo& run) {
  if (has_run_record_) return;
  has_run_record_ = true;
  write(run.first_step, {{"schema_version", 1}, {"event", "run"}, {"charnn_version", version},
                         {"parameters", run.parameters}, {"vocabulary", run.vocabulary},
                         {"train_chars", run.train_chars}, {"val_chars", run.val_chars},
                         {"last_step", run.last_step}, {"config", ordered_json::parse(run.config)}});
}

void MetricsSink::record(const StepInfo& s) {
  ordered_json record = {{"event", "step"}, {"step", s.step}, {"epoch", s.epoch}, {"chars", s.chars},
                 {"loss", s.loss}, {"bits_per_char", bits(s.loss)}, {"lr", s.lr}, {"grad_norm", s.grad_norm},
                 {"update_ratio", s.update_ratio}, {"hidden_rms", s.hidden_rms},
                 {"hidden_saturated", s.hidden_saturated}, {"skipped", s.skipped},
                 {"chars_per_second", s.chars_per_second}, {"elapsed_seconds", s.elapsed_seconds},
                 {"last_step", s.last_step}, {"seconds_left", s.seconds_left}};
  if (s.exchange_share > 0) record["exchange_share"] = s.exchange_share;
  write(s.step, record);
}

void MetricsSink::end(const EndInfo& e) {
  write(e.step, {{"event", "end"}, {"step", e.step}, {"reason", e.reason}});
  file_.finish();
}

void MetricsSink::warn(const Warning& w) {
  write(w.step, {{"event", "warning"}, {"step", w.step}, {"name", w.name}, {"message", w.message}});
}

void MetricsSink::eval(const EvalInfo& e) {
  write(e.step, {{"event", "eval"}, {"step", e.step}, {"epoch", e.epoch}, {"chars", e.chars},
                 {"loss", e.result.loss()}, {"bits_per_char", bits(e.result.loss())},
                 {"eval_chars", e.result.chars}, {"best", e.best}, {"lr", e.lr},
                 {"seconds", e.seconds}, {"elapsed_seconds", e.elapsed_seconds}, {"sample", e.sample}});
}
// clang-format on

void read_records(const std::string& path, const std::function<bool(const json& record, std::string_view line)>& use) {
  constexpr std::size_t longest_line = 1 << 24, longest_file = 1 << 30;
  const std::string text = read_file(path, "metrics file", longest_file);
  std::size_t number = 1;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++number) {
    const std::string_view line = std::string_view(text).substr(at, end + 1 - at);
    json record;  // stays null if the line is not JSON
    try {
      if (line.size() <= longest_line) record = parse_strict(line);
    } catch (const std::invalid_argument&) {
    }
    if (text_in(record, "event").empty() || (number == 1 && number_in(record, "schema_version") != 1))
      fail_input(
          fmt::format("metrics file {}: line {} is not a record of a run", path, number),
          "metrics.jsonl as written by charnn train",
          "name a run folder, or the metrics.jsonl in it. If the file is damaged, move it away: the run can go on "
          "without it");
    if (!use(record, line)) return;
  }
}

double number_in(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_number() ? found->get<double>() : NAN;
}

std::string text_in(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}
}  // namespace charnn
