#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "charnn/io/train_state.h"
#include "charnn/train/sink.h"

namespace charnn {

/// Event file for TensorBoard (https://www.tensorflow.org/tensorboard): scalars loss/train, loss/validation,
/// bits_per_char/train, bits_per_char/validation, optimizer/lr, optimizer/gradient_norm,
/// optimizer/update_ratio, speed/chars_per_second, and the samples as text.
class TensorBoardSink : public Sink {
 public:
  /// Makes a file events.out.tfevents.* in `folder`. For a resumed run it begins with what earlier files hold
  /// of the time before `progress` was saved, and takes their place: no gap, no repeat, nothing cut off by a
  /// crash. Throws Error (failure) if that, or later writing, fails.
  TensorBoardSink(const std::string& folder, const TrainState& progress);

  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;

 private:
  void write(std::int64_t step, const std::string& event);

  std::string path_;
  std::ofstream file_;
};

/// The files of this kind in `folder`, in the order of their names, which begin with the time.
std::vector<std::string> event_files(const std::string& folder);

/// TFRecord framing: length (8 bytes), its checksum, `data`, its checksum; little-endian. The checksums are
/// masked CRC-32C.
std::string tfrecord(std::string_view data);

}  // namespace charnn
