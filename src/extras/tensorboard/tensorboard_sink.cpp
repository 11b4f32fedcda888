#include "extras/tensorboard/tensorboard_sink.h"
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <unistd.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>
#include "core/base/terminal.h"
#include "core/cli/extras.h"

namespace charnn {
namespace {
using protozero::pbf_writer;
constexpr std::string_view prefix = "events.out.tfevents.";

// Field numbers of TensorFlow's event.proto.
enum Event : protozero::pbf_tag_type { wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7 };

std::string little_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i) & 0xff);
  return text;
}

/// Masked CRC-32C (Castagnoli's polynomial, reflected). Bit by bit is fast enough for records this small.
std::string checksum(std::string_view data) {
  std::uint32_t crc = ~0U;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
  }
  crc = ~crc;
  return little_endian(((crc >> 15) | (crc << 17)) + 0xa282ead8U, 4);
}

/// Adds a summary with one value, which `fill` completes (summary.proto).
template <class Fill>
void add_value(std::string& event, const char* tag, Fill fill) {
  pbf_writer writer(event);
  pbf_writer values(writer, Event::summary);
  pbf_writer value(values, 1);
  value.add_string(1, tag);
  fill(value);
}

void add_scalar(std::string& event, const char* tag, double number) {
  add_value(event, tag, [&](pbf_writer& value) { value.add_float(2, static_cast<float>(number)); });
}

/// Adds what one of TensorBoard's plugins shows: `content` in the metadata, `text` as a tensor of one string
/// (tensor.proto).
void add_for_plugin(std::string& event, const char* tag, const char* name, const std::string& content,
                    const std::string& text) {
  add_value(event, tag, [&](pbf_writer& value) {
    {
      pbf_writer metadata(value, 9);
      pbf_writer plugin(metadata, 1);
      plugin.add_string(1, name);
      plugin.add_bytes(2, content);
    }
    pbf_writer tensor(value, 8);
    tensor.add_enum(1, 7);  // dtype: DT_STRING
    tensor.add_bytes(8, text);
    pbf_writer shape(tensor, 2);
    pbf_writer(shape, 2).add_int64(1, 1);  // one dimension of size 1
  });
}

/// The text plugin renders Markdown: indented text keeps its lines.
void add_text(std::string& event, const char* tag, const std::string& text) {
  std::string code = "    ";
  for (const char c : safe_for_terminal(text)) code += c == '\n' ? "\n    " : std::string(1, c);
  add_for_plugin(event, tag, "text", "", code);
}

/// The numbers and choices of the config (plugins/hparams/plugin_data.proto), for the table that compares runs.
void add_hparams(std::string& event, const nlohmann::json& config) {
  std::string content;
  pbf_writer data(content);
  {
    pbf_writer start(data, 3);  // session_start_info
    for (const auto& [name, section] : config.items())
      for (const auto& [key, setting] : section.items()) {
        if (setting.is_array()) continue;
        pbf_writer entry(start, 1);
        entry.add_string(1, fmt::format("{}.{}", name, key));
        pbf_writer value(entry, 2);  // google.protobuf.Value
        if (setting.is_number())
          value.add_double(2, setting.get<double>());
        else if (setting.is_string())
          value.add_string(3, setting.get<std::string>());
        else
          value.add_bool(4, setting == true);
      }
  }
  add_for_plugin(event, "_hparams_/session_start_info", "hparams", content, "");
}

/// Charts with the curves of training and validation together (plugins/custom_scalar/layout.proto).
void add_charts(std::string& event) {
  std::string layout;
  pbf_writer writer(layout);
  {
    pbf_writer category(writer, 2);
    category.add_string(1, "training and validation");
    for (const char* name : {"loss", "bits_per_char"}) {
      pbf_writer chart(category, 2);
      chart.add_string(1, name);
      pbf_writer lines(chart, 2);
      for (const char* part : {"train", "validation"}) lines.add_string(1, fmt::format("{}/{}", name, part));
    }
  }
  add_for_plugin(event, "custom_scalars__config__", "custom_scalars", "", layout);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }
}  // namespace

std::string tfrecord(std::string_view data) {
  const std::string size = little_endian(data.size(), 8);
  return size + checksum(size) + std::string(data) + checksum(data);
}

std::vector<std::string> event_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;  // no folder, no files
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with(prefix)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void TensorBoardSink::open() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::vector<std::string> earlier = event_files(folder_);
  const std::string latest = earlier.empty() ? "" : std::filesystem::path(earlier.back()).filename().string();
  std::string name;
  double time = now();
  do name = fmt::format("{}{:010.0f}.{}.{}.0", prefix, time++, host.data(), ::getpid());
  while (name <= latest && name.size() <= latest.size());
  file_.emplace(folder_ + "/" + name, warn_);
  std::string first;
  pbf_writer(first).add_string(Event::file_version, "brain.Event:2");
  write(first_step_, first);
  if (first_step_ > 0) {
    std::string start;
    pbf_writer writer(start);
    pbf_writer(writer, Event::session_log).add_enum(1, 1);  // status: START
    write(first_step_ + 1, start);                          // the first step that is trained again
  }
  if (!about_.empty()) write(first_step_, about_);
}

void TensorBoardSink::write(std::int64_t step, const std::string& event) {
  if (!file_) open();
  std::string header;
  pbf_writer writer(header);
  writer.add_double(Event::wall_time, now());
  writer.add_int64(Event::step, step);
  file_->append(step, tfrecord(header + event));
}

void TensorBoardSink::begin(const RunInfo& run) {
  add_text(about_, "config", run.config);
  add_hparams(about_, nlohmann::json::parse(run.config));
  add_charts(about_);
}

void TensorBoardSink::warn(const Warning& w) {
  std::string event;
  add_text(event, "warning", w.message);
  write(w.step, event);
}

void TensorBoardSink::record(const StepInfo& s) {
  std::string event;
  add_scalar(event, "loss/train", s.loss);
  add_scalar(event, "bits_per_char/train", bits(s.loss));
  add_scalar(event, "optimizer/lr", s.lr);
  add_scalar(event, "optimizer/gradient_norm", s.grad_norm);
  add_scalar(event, "optimizer/update_ratio", s.update_ratio);
  add_scalar(event, "speed/chars_per_second", s.chars_per_second);
  write(s.step, event);
}

void TensorBoardSink::eval(const EvalInfo& e) {
  std::string event;
  add_scalar(event, "loss/validation", e.result.loss());
  add_scalar(event, "bits_per_char/validation", bits(e.result.loss()));
  if (!e.sample.empty()) add_text(event, "sample", e.sample);
  write(e.step, event);
}
}  // namespace charnn

namespace charnn::cli {
void add_tensorboard(Extras& extras) {
  extras.sinks.emplace_back([](const SinkContext& context) {
    return std::make_unique<TensorBoardSink>(context.run.path(), context.first_step, context.warn);
  });
}
}  // namespace charnn::cli
