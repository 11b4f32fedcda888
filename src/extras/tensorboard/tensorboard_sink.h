#pragma once
#include <optional>
#include <string>
#include <vector>
#include "core/train/sink.h"

namespace charnn {
/// Event file for TensorBoard (https://www.tensorflow.org/tensorboard) with scalars, samples, warnings and the
/// config. Every process of a run writes its own file, since a running TensorBoard continues to read where it was. The
/// file of a resumed run begins with a session log that makes TensorBoard discard the later steps of earlier files.
class TensorBoardSink : public Sink {
 public:
  /// The file in `folder` is created at the first event. Its name sorts after those of existing event files.
  TensorBoardSink(std::string folder, std::int64_t first_step, Warn warn = {})
      : folder_(std::move(folder)), first_step_(first_step), warn_(std::move(warn)) {}

  void begin(const RunInfo& run) override;
  void warn(const Warning& warning) override;
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
  std::string about_;  ///< the run: written when the file is made
  Warn warn_;
  std::optional<SinkFile> file_;
};

/// The event files in `folder`, sorted by name. Names begin with the time.
std::vector<std::string> event_files(const std::string& folder);

/// TFRecord framing, little-endian: length (8 bytes), its checksum, `data`, its checksum (masked CRC-32C).
std::string tfrecord(std::string_view data);
}  // namespace charnn
