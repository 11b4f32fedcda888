#include "core/base/files.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fmt/format.h>
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

TEST(InputFile, RefusesWhatIsNotAFile) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { InputFile(folder / "none", "corpus"); }), "No such file");
  expect_contains(error_of([&] { InputFile(folder / "", "corpus"); }), "is a directory");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  expect_contains(error_of([&] { InputFile(folder / "fifo", "corpus"); }), "not a regular file");
  EXPECT_EQ(InputFile(folder.write("empty", ""), "corpus").size(), 0U);
}

TEST(InputFile, ReadsFromAnyPlaceUntilTheFileShrinks) {
  const test::TemporaryFolder folder;
  const InputFile file(folder.write("text", "abcdef"), "corpus");
  std::string bytes(3, ' ');
  file.read(2, bytes);
  EXPECT_EQ(bytes, "cde");
  std::filesystem::resize_file(folder / "text", 4);
  const std::string error = error_of([&] { file.read(2, bytes); });
  expect_contains(error, "nothing at byte 4");
  expect_contains(error, "expected: 6 bytes");
}

TEST(InputFile, NoticesThatTheFileWasWrittenTo) {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("text", "abcdef");
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  const InputFile file(path, "corpus");
  file.require_unchanged();
  folder.write("text", "abcdeX");
  expect_contains(error_of([&] { file.require_unchanged(); }), "written to");
  folder.write("text", "abcdefg");
  expect_contains(error_of([&] { file.require_unchanged(); }), "has changed while it was in use: 7 bytes");
  std::filesystem::rename(folder.write("other", "abcdef"), path);
  expect_contains(error_of([&] { file.require_unchanged(); }), "another file has taken its place");
  std::filesystem::remove(path);
  expect_contains(error_of([&] { file.require_unchanged(); }), "it no longer exists");
}

TEST(ReadFile, RefusesWhatIsTooLong) {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("text", "abcdef");
  EXPECT_EQ(read_file(path, "config", 6), "abcdef");
  expect_contains(error_of([&] { read_file(path, "config", 5); }), "at most 5 bytes");
  std::filesystem::resize_file(path, std::uintmax_t{5} << 30);  // sparse
  expect_contains(error_of([&] { read_file(path, "config"); }), "5368709120 bytes");
}

TEST(AppendFile, WhatCannotBeWrittenWaits) {
  const test::TemporaryFolder folder;
  AppendFile file(folder / "none/file");
  EXPECT_FALSE(file.append("one\n"));
  EXPECT_FALSE(file.append("two\n"));
  expect_contains(error_of([&] { file.finish(); }, ExitCode::failure), "none/file: No such file");
  std::filesystem::create_directory(folder / "none");
  EXPECT_TRUE(file.append("three\n"));
  file.finish();
  EXPECT_EQ(read_file(folder / "none/file", "file"), "one\ntwo\nthree\n");
}

TEST(FileLock, IsRefusedToAnotherProcessUntilThisOneEnds) {
  const test::TemporaryFolder folder;
  const auto try_in_child = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        const FileLock lock(folder / "lock", "run folder x");
        ::_exit(lock.held() ? 0 : 3);
      } catch (const Error& error) {
        const bool good = std::string(error.what()).find(fmt::format("process {}", ::getppid())) != std::string::npos;
        ::_exit(good ? 1 : 2);
      }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  {
    const FileLock lock(folder / "lock", "run folder x");
    EXPECT_TRUE(lock.held());
    EXPECT_TRUE(lock.in_place());
    EXPECT_EQ(try_in_child(), 1) << "refused, with the holder's number";
  }
  EXPECT_EQ(try_in_child(), 0);
  {
    const FileLock lock(folder / "lock", "run folder x");
    std::filesystem::rename(folder / "lock", folder / "moved");
    EXPECT_FALSE(lock.in_place());
    folder.write("lock", "");
    EXPECT_FALSE(lock.in_place()) << "a file of that name, but another one";
  }
  EXPECT_EQ(try_in_child(), 0) << "a lock ends with its process, the file stays";
}

TEST(AtomicFile, KeepsTheOldContentUntilCommit) {
  const test::TemporaryFolder folder;
  const std::string path = folder.write("file", "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path, "file"), "old");
  }
  EXPECT_EQ(read_file(path, "file"), "old") << "without commit() nothing must change";
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  write_file(path, "new");
  EXPECT_EQ(read_file(path, "file"), "new");
}

TEST(AtomicFile, DoesNotFollowLinks) {
  const test::TemporaryFolder folder;
  const std::string victim = folder.write("victim", "precious");
  std::filesystem::create_symlink(victim, folder / "file.tmp");
  std::filesystem::create_symlink(victim, folder / "file");
  write_file(folder / "file", "new");
  EXPECT_EQ(read_file(folder / "file", "file"), "new");
  std::filesystem::create_symlink(victim, folder / "log");
  AppendFile log(folder / "log");
  EXPECT_FALSE(log.append("x"));
  expect_contains(error_of([&] { require_own_file(folder / "log"); }), "is a symbolic link");
  require_own_file(victim);
  require_own_file(folder / "none");
  EXPECT_EQ(read_file(victim, "file"), "precious");
}

TEST(AtomicFile, SaysWhereItCannotWrite) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { write_file(folder / "none/file", "x"); }, ExitCode::failure), "none/file");
}

}  // namespace
}  // namespace charnn
