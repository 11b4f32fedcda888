#pragma once
#include <optional>
#include <string>
#include <vector>
#include "core/train/sink.h"

namespace charnn {
/// Event file for TensorBoard (https://www.tensorflow.org/tensorboard) with scalars and samples. Every process of a run
/// writes its own file, since a running TensorBoard continues to read where it was. The file of a resumed run begins
/// with a session log that makes TensorBoard discard the later steps of earlier files.
class TensorBoardSink : public Sink {
 public:
  /// The file in `folder` is created at the first event. Its name sorts after those of existing event files.
  TensorBoardSink(std::string folder, std::int64_t first_step, Warn warn = {})
      : folder_(std::move(folder)), first_step_(first_step), warn_(std::move(warn)) {}

  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void end(const EndInfo&) override {
    if (file_) file_->finish();  // throws Error (failure) if something could not be written
  }

 private:
  void open();
  void write(std::int64_t step, const std::string& event);

  std::string folder_;
  std::int64_t first_step_;
  Warn warn_;
  std::optional<SinkFile> file_;
};

/// The event files in `folder`, sorted by name. Names begin with the time.
std::vector<std::string> event_files(const std::string& folder);

/// TFRecord framing, little-endian: length (8 bytes), its checksum, `data`, its checksum (masked CRC-32C).
std::string tfrecord(std::string_view data);
}  // namespace charnn
