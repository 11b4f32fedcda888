#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "core/train/sink.h"

namespace charnn {
/// Event file for TensorBoard (https://www.tensorflow.org/tensorboard): scalars loss/train, loss/validation,
/// bits_per_char/train, bits_per_char/validation, optimizer/lr, optimizer/gradient_norm, optimizer/update_ratio,
/// speed/chars_per_second, and the samples as text. Every process of a run writes a file of its own, since a
/// TensorBoard that is running reads on where it was; that of a resumed run begins with a session log that makes
/// TensorBoard forget what earlier files say of later steps.
class TensorBoardSink : public Sink {
 public:
  /// The file events.out.tfevents.* in `folder` is made when there is something to say, with a name after those that
  /// are there.
  TensorBoardSink(std::string folder, std::int64_t first_step, Warn warn = {});

  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void end(const EndInfo& end) override;  ///< throws Error (failure) if not all could be written

 private:
  void open();
  void write(std::int64_t step, const std::string& event);

  std::string folder_;
  std::int64_t first_step_;
  Warn warn_;
  std::optional<SinkFile> file_;
};

/// The files of this kind in `folder`, in the order of their names, which begin with the time.
std::vector<std::string> event_files(const std::string& folder);

/// TFRecord framing: length (8 bytes), its checksum, `data`, its checksum; little-endian. The checksums are masked
/// CRC-32C.
std::string tfrecord(std::string_view data);
}  // namespace charnn
