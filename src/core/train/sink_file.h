#pragma once
#include <string>
#include <string_view>
#include "core/base/files.h"
#include "core/train/sink.h"

namespace charnn {
/// The file of a sink. Where it cannot be written (a full disk), training goes on: what was to be written waits in
/// memory, and a person is told, once each time that it begins.
class SinkFile {
 public:
  SinkFile(std::string path, Warn warn) : file_(std::move(path)), warn_(std::move(warn)) {}

  const std::string& path() const noexcept { return file_.path(); }
  void append(std::int64_t step, std::string_view bytes);
  void finish() { file_.finish(); }  ///< throws Error (failure) if something still waits

 private:
  AppendFile file_;
  Warn warn_;
  bool failing_ = false;
};
}  // namespace charnn
