#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

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

/// A file open for random-access reads into the caller's buffer. (A mapped file would end the process with SIGBUS if
/// another program truncated it.)
class InputFile {
 public:
  /// `what` names the file's role in messages ("corpus", "checkpoint"). Throws Error (usage) if the file is missing,
  /// unreadable, a directory or not a regular file.
  InputFile(std::string path, std::string_view what);

  std::size_t size() const noexcept { return size_; }  ///< when it was opened
  const std::string& path() const noexcept { return path_; }

  /// Fills `out` with the bytes from `offset` on; offset + out.size() is at most size(). Throws Error (usage) if the
  /// file has become too short for that, Error (failure) if reading fails.
  void read(std::size_t offset, std::span<char> out) const;

  /// Throws Error (usage) if the file has been written to since it was opened, or another one has its name.
  void require_unchanged() const;

 private:
  std::string path_;
  std::string what_;
  FileDescriptor fd_;
  std::size_t size_ = 0;
  std::int64_t modified_ = 0;  ///< nanoseconds since 1970
  std::uint64_t device_ = 0, inode_ = 0;
};

/// Writes a file so that a reader, or a crash at any moment, sees the old content or the new one, never a part: a
/// temporary file in the same folder, fsync, rename, fsync of the folder.
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

/// A file that is appended to. What cannot be written (a full disk) waits in memory until it can.
class AppendFile {
 public:
  /// The first append() opens the file, or creates it.
  explicit AppendFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }

  /// Returns false if not all that was given so far could be written.
  bool append(std::string_view bytes);

  /// Throws Error (failure) if something still cannot be written.
  void finish();

 private:
  std::string path_;
  FileDescriptor fd_{-1};
  std::string waiting_;
};

/// A lock between processes. The system releases it when the process ends, however that happens; the empty file stays.
class FileLock {
 public:
  /// `what` is what the lock stands for ("run folder runs/x"). Throws Error (usage), with the other's process number,
  /// if another process has the lock; Error (failure) if the file cannot be made.
  FileLock(const std::string& path, std::string_view what);

  bool held() const noexcept { return held_; }  ///< false: this file system has no locks
  void note(std::string_view text) const;       ///< becomes the file's content
  /// False if another file, or none, has the lock's name now: its folder was moved or removed.
  bool in_place() const;

 private:
  std::string path_;
  FileDescriptor fd_;
  bool held_ = true;
};

/// Makes a folder, with its parents, unless it exists. `what` names it in messages; another can be chosen with `flag`.
/// Throws Error (usage).
void make_folder(const std::string& path, std::string_view what, std::string_view flag);

/// Throws Error (usage) unless `path` is a regular file or does not exist. A link in a folder that came from a stranger
/// could lead to another program's file.
void require_own_file(const std::string& path);

/// A path of stdin as a file with random access; a pipe is copied to a temporary file first. Throws Error (failure).
std::string stdin_as_file();

/// A whole file. Throws as InputFile, and Error (usage) if it has more than `most` bytes.
std::string read_file(const std::string& path, std::string_view what, std::size_t most = std::size_t{1} << 26);
}  // namespace charnn
