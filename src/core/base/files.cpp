#include "core/base/files.h"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn {
namespace {
/// True if more files may be open now than before.
bool allow_more_files() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

FileDescriptor open_for_reading(const std::string& path, std::string_view what) {
  // O_NONBLOCK: opening a FIFO by mistake must give the message below, not wait for a writer.
  const auto open = [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); };
  int fd = open();
  if (fd < 0 && errno == EMFILE) {
    errno = allow_more_files() ? 0 : EMFILE;
    if (errno == 0) fd = open();
  }
  if (fd >= 0) return FileDescriptor(fd);
  const std::string reason = std::generic_category().message(errno);
  if (errno == EMFILE)
    fail_input(fmt::format("{} {}: {}", what, path, reason), "no more files than may be open at a time",
               "join the files into one, or allow more: ulimit -n 65536");
  fail_input(fmt::format("{} {}: {}", what, path, reason), "a file that can be read",
             errno == EACCES ? fmt::format("give yourself the right to read it: chmod u+r {}", path)
                             : "check the path; it is relative to the current folder");
}

/// For the current `errno`.
std::string write_hint() {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return full ? "make room on the disk" : "check the disk, and that you may write there";
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

struct stat status_of(const FileDescriptor& fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail_errno(fmt::format("cannot examine {}", path), "");
  return status;
}

struct stat regular_status(const FileDescriptor& fd, const std::string& path, std::string_view what) {
  const struct stat status = status_of(fd, path);
  if (S_ISDIR(status.st_mode))
    fail_input(fmt::format("{} {} is a directory", what, path), "a file", "name a file inside it");
  if (!S_ISREG(status.st_mode))
    fail_input(fmt::format("{} {} is not a regular file", what, path), "a regular file",
               "write its content to a file first, and name that");
  return status;
}

int open_new(const std::string& path) {
  ::unlink(path.c_str());  // of a crash, or a link that leads elsewhere
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}
}  // namespace

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

InputFile::InputFile(std::string path, std::string_view what)
    : path_(std::move(path)), what_(what), fd_(open_for_reading(path_, what)) {
  const struct stat status = regular_status(fd_, path_, what);
  size_ = static_cast<std::size_t>(status.st_size);
  modified_ = nanoseconds(status.st_mtim);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

void InputFile::read(std::size_t offset, std::span<char> out) const {
  while (!out.empty()) {
    const ssize_t count = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(fmt::format("cannot read {} {} at byte {}", what_, path_, offset), "");
    if (count == 0)
      fail_input(fmt::format("{} {} has become shorter while it was in use: nothing at byte {}", what_, path_, offset),
                 fmt::format("{} bytes, as when it was opened", size_), "restore the file, then start again");
    offset += static_cast<std::size_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

void InputFile::require_unchanged() const {
  struct stat status {};
  const bool there = ::stat(path_.c_str(), &status) == 0;
  std::string found;
  if (!there)
    found = "it no longer exists";
  else if (status.st_dev != device_ || status.st_ino != inode_)
    found = "another file has taken its place";
  else if (static_cast<std::size_t>(status.st_size) != size_)
    found = fmt::format("{} bytes, another size", status.st_size);
  else if (nanoseconds(status.st_mtim) != modified_)
    found = "it was written to";
  if (!found.empty())
    fail_input(fmt::format("{} {} has changed while it was in use: {}", what_, path_, found),
               fmt::format("{} bytes, as when it was opened", size_), "restore the file, then start again");
}

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".tmp"), fd_(open_new(temporary_)) {
  if (fd_.get() < 0)
    fail_errno(fmt::format("cannot write {}", temporary_), "check that the folder exists and that you may write there");
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno(fmt::format("cannot write {}", temporary_), write_hint());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0) fail_errno(fmt::format("cannot write {} to the disk", temporary_), write_hint());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail_errno(fmt::format("cannot rename {} to {}", temporary_, path_), write_hint());
  committed_ = true;
  std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  if (folder.empty()) folder = ".";
  // The rename itself must reach the disk too, or a power cut could bring the old name back.
  const FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder (EINVAL); there the rename is as safe as it gets.
  if (directory.get() >= 0 && ::fsync(directory.get()) != 0 && errno != EINVAL)
    fail_errno(fmt::format("cannot write the folder {} to the disk", folder.string()), "");
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

bool AppendFile::append(std::string_view bytes) {
  waiting_ += bytes;
  if (fd_.get() < 0)
    fd_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  while (fd_.get() >= 0 && !waiting_.empty()) {
    const ssize_t written = ::write(fd_.get(), waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
  return waiting_.empty();
}

void AppendFile::finish() {
  if (!append("")) fail_errno(fmt::format("cannot write {}", path_), write_hint());
}

FileLock::FileLock(const std::string& path, std::string_view what)
    : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644)) {
  if (fd_.get() < 0) fail_errno(fmt::format("cannot write {}", path), "check that you may write in that folder");
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd_.get(), F_SETLK, &lock) == 0) return;
  if (errno != EACCES && errno != EAGAIN) {
    held_ = false;
    return;
  }
  const bool known = ::fcntl(fd_.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  fail_input(
      fmt::format("{} is in use by another training{}", what, known ? fmt::format(", process {}", lock.l_pid) : ""),
      "one training at a time in a folder", "wait for it, stop it, or choose another folder (--out DIR)");
}

void FileLock::note(std::string_view text) const {
  if (::ftruncate(fd_.get(), 0) != 0 || ::pwrite(fd_.get(), text.data(), text.size(), 0) != std::ssize(text))
    fail_errno(fmt::format("cannot write {}", path_), "");
}

bool FileLock::in_place() const {
  struct stat named {};
  const struct stat held = status_of(fd_, path_);
  return ::stat(path_.c_str(), &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

void make_folder(const std::string& path, std::string_view what, std::string_view flag) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path))
    fail_input(fmt::format("{} {}: {}", what, path, error ? error.message() : "a file of that name is in the way"),
               "a folder that can be made and written to", fmt::format("choose another with {} DIR", flag));
}

void require_own_file(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    fail_input(fmt::format("{} is a symbolic link or not a regular file", path),
               "a regular file, or nothing at that path", "remove it");
}

std::string stdin_as_file() {
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0)
    return "/dev/stdin";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) fail_errno("cannot create a temporary file for stdin", "check that /tmp is writable and not full");
  char buffer[1 << 16];
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, buffer, sizeof buffer)) != 0;) {
    if (count < 0 && errno != EINTR) fail_errno("cannot read stdin", "");
    if (count > 0 && std::fwrite(buffer, count, 1, file.get()) != 1)
      fail_errno("cannot copy stdin to a temporary file", "free some space in /tmp");
  }
  // Whoever asks again finds the whole text.
  if (std::fflush(file.get()) != 0 || ::lseek(::fileno(file.get()), 0, SEEK_SET) != 0 ||
      ::dup2(::fileno(file.get()), STDIN_FILENO) < 0)
    fail_errno("cannot copy stdin to a temporary file", "free some space in /tmp");
  return "/dev/stdin";
}

std::string read_file(const std::string& path, std::string_view what, std::size_t most) {
  const InputFile file(path, what);
  if (file.size() > most)
    fail_input(fmt::format("{} {} has {} bytes", what, path, file.size()), fmt::format("at most {} bytes", most),
               "this is probably another file than you meant");
  std::string text(file.size(), '\0');
  file.read(0, text);
  return text;
}
}  // namespace charnn
