#include "extras/tensorboard/tensorboard_sink.h"
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <unistd.h>
#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include "core/base/terminal.h"
#include "core/cli/extras.h"

namespace charnn {
namespace {
using protozero::pbf_writer;

constexpr std::string_view prefix = "events.out.tfevents.";

// Field numbers of TensorFlow's event.proto, summary.proto, tensor.proto and tensor_shape.proto.
namespace event {
enum : protozero::pbf_tag_type { wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7 };
}
namespace summary {
enum : protozero::pbf_tag_type { value = 1 };
}
namespace value {
enum : protozero::pbf_tag_type { tag = 1, simple_value = 2, tensor = 8, metadata = 9 };
}

/// CRC-32C (Castagnoli's polynomial, reflected), a byte at a time: the files are small.
std::uint32_t crc32c(std::string_view data) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = (t[i] >> 1) ^ ((t[i] & 1) != 0 ? 0x82f63b78U : 0);
    }
    return t;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : data) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

void append_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

void append_checksum(std::string& out, std::string_view data) {
  const std::uint32_t crc = crc32c(data);
  append_number(out, ((crc >> 15) | (crc << 17)) + 0xa282ead8U, 4);
}

void add_scalar(std::string& event, const char* tag, double number) {
  pbf_writer writer(event);
  pbf_writer summary(writer, event::summary);
  pbf_writer item(summary, summary::value);
  item.add_string(value::tag, tag);
  item.add_float(value::simple_value, static_cast<float>(number));
}

/// Shown as Markdown: indented, it keeps its lines.
std::string as_code(const std::string& text) {
  std::string code = "    ";
  for (const char c : safe_for_terminal(text)) {
    code += c;
    if (c == '\n') code += "    ";
  }
  return code;
}

void add_text(std::string& event, const char* tag, const std::string& text) {
  pbf_writer writer(event);
  pbf_writer summary(writer, event::summary);
  pbf_writer item(summary, summary::value);
  item.add_string(value::tag, tag);
  {
    pbf_writer tensor(item, value::tensor);
    tensor.add_enum(1, 7);  // dtype: DT_STRING
    {
      pbf_writer shape(tensor, 2);
      pbf_writer dimension(shape, 2);
      dimension.add_int64(1, 1);  // size
    }
    tensor.add_bytes(8, text);
  }
  pbf_writer metadata(item, value::metadata);
  pbf_writer plugin(metadata, 1);
  plugin.add_string(1, "text");
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}
}  // namespace

std::string tfrecord(std::string_view data) {
  std::string record;
  append_number(record, data.size(), 8);
  append_checksum(record, record);
  record += data;
  append_checksum(record, data);
  return record;
}

std::vector<std::string> event_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code none;  // a folder that is not there has none
  for (const auto& entry : std::filesystem::directory_iterator(folder, none))
    if (entry.path().filename().string().rfind(prefix, 0) == 0) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TensorBoardSink::TensorBoardSink(std::string folder, std::int64_t first_step, Warn warn)
    : folder_(std::move(folder)), first_step_(first_step), warn_(std::move(warn)) {}

void TensorBoardSink::open() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::vector<std::string> earlier = event_files(folder_);
  const std::string latest = earlier.empty() ? "" : std::filesystem::path(earlier.back()).filename().string();
  std::string name;
  double time = wall_time();
  do name = fmt::format("{}{:010.0f}.{}.{}.0", prefix, time++, host.data(), ::getpid());
  while (name <= latest && name.size() <= latest.size());
  file_.emplace(folder_ + "/" + name, warn_);
  std::string version;
  pbf_writer(version).add_string(event::file_version, "brain.Event:2");
  write(first_step_, version);
  if (first_step_ == 0) return;
  std::string start;
  {
    pbf_writer writer(start);
    pbf_writer log(writer, event::session_log);
    log.add_enum(1, 1);  // status: START
  }
  write(first_step_ + 1, start);  // the first step that happens again
}

void TensorBoardSink::write(std::int64_t step, const std::string& event) {
  if (!file_) open();
  std::string data;
  pbf_writer writer(data);
  writer.add_double(event::wall_time, wall_time());
  writer.add_int64(event::step, step);
  file_->append(step, tfrecord(data + event));
}

void TensorBoardSink::end(const EndInfo&) {
  if (file_) file_->finish();
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
  if (!e.sample.empty()) add_text(event, "sample", as_code(e.sample));
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
