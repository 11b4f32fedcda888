#include "charnn/train/tensorboard_sink.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "charnn/base/error.h"
#include "charnn/base/files.h"
#include "charnn/train/line_sink.h"

namespace charnn {
namespace {

using protozero::pbf_writer;

constexpr std::string_view prefix = "events.out.tfevents.";
constexpr std::string_view val_loss_tag = "loss/validation";

// Field numbers of TensorFlow's event.proto, summary.proto, tensor.proto and tensor_shape.proto.
namespace event {
enum : protozero::pbf_tag_type { wall_time = 1, step = 2, file_version = 3, summary = 5 };
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

/// True if an event happened before `progress` was saved.
bool is_before(const std::string& event, const TrainState& progress) {
  std::int64_t step = 0;
  bool evaluation = false;
  for (protozero::pbf_reader reader(event); reader.next();) {
    if (reader.tag() == event::step) {
      step = reader.get_int64();
    } else if (reader.tag() == event::summary) {
      const protozero::data_view summary = reader.get_view();
      evaluation |=
          std::string_view(summary.data(), summary.size()).find(val_loss_tag) != std::string_view::npos;
    } else {
      reader.skip();
    }
  }
  return step <= (evaluation ? progress.evaluated_step : progress.step);
}

/// The records of a file that happened before `progress` was saved; `whole` turns false where they end early.
std::string records_before(const std::string& path, const TrainState& progress, bool& whole) {
  const std::string bytes = read_file(path, "event file");
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t size = 0;
    const std::size_t left = bytes.size() - at;
    if (left >= 16) std::memcpy(&size, bytes.data() + at, 8);
    whole = left >= 16 && size <= left - 16;
    if (!whole) break;
    const std::string event = bytes.substr(at + 12, size);
    try {
      whole = bytes.compare(at, size + 16, tfrecord(event)) == 0 && is_before(event, progress);
    } catch (const protozero::exception&) {
      whole = false;
    }
    if (!whole) break;
    at += size + 16;
  }
  return bytes.substr(0, at);
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
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().rfind(prefix, 0) == 0) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TensorBoardSink::TensorBoardSink(const std::string& folder, const TrainState& progress) {
  const std::vector<std::string> earlier =
      progress.step > 0 ? event_files(folder) : std::vector<std::string>{};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  path_ = earlier.empty()
              ? fmt::format("{}/{}{:010.0f}.{}.{}.0", folder, prefix, wall_time(), host.data(), ::getpid())
              : earlier[0];
  std::string kept;
  bool whole = true;
  for (const std::string& file : earlier)
    if (whole) kept += records_before(file, progress, whole);
  if (kept.empty()) {
    std::string begin;
    pbf_writer writer(begin);
    writer.add_double(event::wall_time, wall_time());
    writer.add_string(event::file_version, "brain.Event:2");
    kept = tfrecord(begin);
  }
  write_file(path_, kept);
  for (const std::string& file : earlier)
    if (file != path_) std::filesystem::remove(file);
  file_.open(path_, std::ios::binary | std::ios::app);
}

void TensorBoardSink::write(std::int64_t step, const std::string& event) {
  std::string data;
  pbf_writer writer(data);
  writer.add_double(event::wall_time, wall_time());
  writer.add_int64(event::step, step);
  file_ << tfrecord(data + event) << std::flush;
  if (!file_)
    fail_errno(fmt::format("cannot write {}", path_),
               "make room on the disk, then resume; the checkpoints are intact");
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
  add_scalar(event, val_loss_tag.data(), e.result.loss());
  add_scalar(event, "bits_per_char/validation", bits(e.result.loss()));
  if (!e.sample.empty()) add_text(event, "sample", as_code(e.sample));
  write(e.step, event);
}

}  // namespace charnn
