#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace charnn {

/// An open file descriptor, closed on destruction.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// A file's bytes, memory-mapped for reading: memory use does not grow with its size.
class MappedFile {
 public:
  /// `what` names the file's role in messages ("corpus", "checkpoint").
  /// Throws Error (usage) if the file is missing, unreadable, a directory or not a regular file.
  MappedFile(std::string path, std::string_view what);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::string_view bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file of which any part can be read into memory of the caller's. Unlike with a mapped file, what was read
/// does not count as memory of the process.
class InputFile {
 public:
  /// `what` and errors as MappedFile's.
  InputFile(std::string path, std::string_view what);

  std::size_t size() const noexcept { return size_; }  ///< in bytes, when it was opened
  const std::string& path() const noexcept { return path_; }

  /// Fills `out` with the bytes from `offset` on; offset + out.size() is at most size(). Throws Error (usage)
  /// if the file has become too short for that, Error (failure) if reading fails.
  void read(std::size_t offset, std::span<char> out) const;

 private:
  std::string path_;
  std::string what_;
  FileDescriptor fd_;
  std::size_t size_;
};

/// Writes a file so that a reader, or a crash at any moment, sees the old content or the new one, never a
/// part: a temporary file in the same folder, fsync, rename, fsync of the folder.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();  ///< without commit(), the temporary file is removed and the old content stays

  void write(std::string_view bytes);
  void commit();

 private:
  std::string path_;
  std::string temporary_;
  FileDescriptor fd_;
  bool committed_ = false;
};

/// AtomicFile in one call.
void write_file(const std::string& path, std::string_view bytes);

/// The whole of a small file as text; errors as MappedFile's.
std::string read_file(const std::string& path, std::string_view what);

}  // namespace charnn
