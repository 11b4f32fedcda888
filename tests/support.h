#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <gtest/gtest.h>
#include "core/base/error.h"
#include "core/data/corpus.h"

namespace charnn::test {

/// A folder that is gone with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "charnn-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(*this / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::string path_;
};

/// The message of the Error that `action` must throw, with the exit code `code`.
inline std::string error_of(const std::function<void()>& action, ExitCode code = ExitCode::usage) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "looking for: " << part << "\nin: " << text;
}

/// A corpus of `text`, by default all of it for training.
inline Corpus corpus_of(const TemporaryFolder& folder, const std::string& text, double val_fraction = 0,
                        Tokens tokens = Tokens::chars) {
  DataConfig config;
  config.files = {folder.write("corpus.txt", text)};
  config.tokens = tokens;
  config.val_fraction = val_fraction;
  return Corpus(config);
}

}  // namespace charnn::test
