#include "charnn/base/files.h"

#include <sys/stat.h>

#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

TEST(MappedFile, RefusesWhatIsNotAFile) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { MappedFile(folder / "none", "corpus"); }), "No such file");
  expect_contains(error_of([&] { MappedFile(folder / "", "corpus"); }), "is a directory");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  expect_contains(error_of([&] { MappedFile(folder / "fifo", "corpus"); }), "not a regular file");
  EXPECT_EQ(MappedFile(folder.write("empty", ""), "corpus").bytes(), "");
}

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

TEST(AtomicFile, SaysWhereItCannotWrite) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { write_file(folder / "none/file", "x"); }, ExitCode::failure), "none/file");
}

}  // namespace
}  // namespace charnn
