#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include "core/base/error.h"

/// What takes AddressSanitizer less time: little freed memory is kept, new memory is not filled, and where it was asked
/// for is not noted. (To see that for a finding: ASAN_OPTIONS=malloc_context_size=30.) Not inline, or it would not be
/// there; a harness is one source file.
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=8:max_malloc_fill_size=0:malloc_context_size=1";
}

namespace charnn::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the program, which libFuzzer reports as a finding, unless `holds`.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Whether `read` takes its input. To refuse it, it must throw Error (usage); anything else is a finding.
template <class Read>
bool accepts(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    require(error.code() == ExitCode::usage, error.what());
    return false;
  }
}

/// A file that lives in memory, for readers that take a path.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("fuzz", 0)) {
    require(fd_ >= 0, "memfd_create");
    path_ = "/proc/self/fd/" + std::to_string(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }

  const std::string& path() const { return path_; }
  const std::string& holding(std::string_view bytes) {
    const auto size = static_cast<ssize_t>(bytes.size());
    require(::ftruncate(fd_, size) == 0 && ::pwrite(fd_, bytes.data(), bytes.size(), 0) == size, "pwrite");
    return path_;
  }

 private:
  int fd_;
  std::string path_;
};

/// A folder for what is renamed, which a file in memory cannot be. scripts/fuzz.sh puts it into memory, too.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("charnn-fuzz-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Numbers that look random and depend on the input alone, so that a finding comes again (SplitMix64, begun with FNV-1a
/// of the input).
class Numbers {
 public:
  explicit Numbers(std::string_view input) {
    for (const char byte : input) state_ = (state_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  /// From 0 to below `end`, which is above 0.
  std::size_t below(std::size_t end) {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % end);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

}  // namespace charnn::fuzz
