#include "core/data/text_files.h"
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <glob.h>
#include <map>
#include <sstream>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// Judged by the beginning of the file: bytes that no text has. A text in another encoding is none of these; reading it
/// says which line is wrong.
bool is_binary(const std::string& path) {
  const InputFile file(path, "corpus");
  std::string begin(std::min<std::size_t>(file.size(), 4096), '\0');
  file.read(0, begin);
  const auto controls = std::ranges::count_if(begin, [](char c) { return c >= 0 && c < ' ' && !std::isspace(c); });
  return begin.find('\0') != std::string::npos || 20 * controls > std::ssize(begin);
}

class Finder {
 public:
  explicit Finder(Tokens tokens) : tokens_(tokens) {}

  void add(const std::string& given) {
    std::error_code none;
    if (given == "-") {
      found_.paths.push_back(stdin_as_file());
    } else if (fs::is_directory(given, none)) {
      add_all(below(given), given, "a folder with text files");
    } else if (!fs::exists(given, none) && given.starts_with('@')) {
      add_list(given.substr(1));
    } else if (!fs::exists(given, none) && given.find_first_of("*?[") != std::string::npos) {
      add_all(matches_of(given), given, "a pattern that matches a text file");
    } else {
      found_.paths.push_back(given);
    }
  }

  TextFiles finish() {
    const auto tell = [&](std::size_t count, const std::string& kind, const std::vector<std::string>& some) {
      if (count > 0)
        found_.note += fmt::format("{}left out: {} {} ({}{})", found_.note.empty() ? "" : "; ", count, kind,
                                   fmt::join(some, ", "), count > some.size() ? ", ..." : "");
    };
    for (const auto& [kind, left_out] : left_out_) tell(left_out.count, kind, left_out.some);
    return std::move(found_);
  }

 private:
  static constexpr std::size_t shown = 3;

  /// The files in a folder and below, in the order of their paths. What a training writes into it is not part of it.
  std::vector<std::string> below(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      const std::string path = entry->path().string();
      std::error_code none;
      const bool is_folder = entry->is_directory(none) && !entry->is_symlink(none);
      if (is_hidden(path)) {
        leave_out(path, "hidden");
      } else if (is_folder && fs::exists(entry->path() / "metrics.jsonl", none)) {
        leave_out(path, "of a run");
      } else if (is_folder) {
        const std::vector<std::string> more = below(path);
        paths.insert(paths.end(), more.begin(), more.end());
      } else if (entry->is_regular_file(none)) {
        paths.push_back(path);
      }
    }
    if (error) leave_out(folder, "unreadable");
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  /// A file with names of files, folders and patterns, one a line.
  void add_list(const std::string& path) {
    std::istringstream list(read_file(path, "list of files"));
    std::int64_t number = 0;
    const std::size_t before = found_.paths.size();
    for (std::string line; std::getline(list, line);) {
      ++number;
      line.erase(line.find_last_not_of(" \t\r") + 1);
      line.erase(0, line.find_first_not_of(" \t"));
      if (line.empty()) continue;
      if (line.find_first_of("*?[") == std::string::npos && !fs::exists(line))
        fail_input(fmt::format("{}, line {}: there is no {}", path, number, line), "the name of a file or folder",
                   "correct the line; names are relative to the current folder");
      add(line);
    }
    if (found_.paths.size() == before)
      fail_input(fmt::format("the list {} names no file", path), "names of files, one a line", "");
  }

  static std::vector<std::string> matches_of(const std::string& pattern) {
    glob_t matches{};
    ::glob(pattern.c_str(), 0, nullptr, &matches);  // sorted; hidden files match only if the pattern says so
    std::vector<std::string> paths(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    ::globfree(&matches);
    std::erase_if(paths, [](const std::string& path) { return !fs::is_regular_file(path); });
    return paths;
  }

  void add_all(const std::vector<std::string>& paths, const std::string& given, const char* expected) {
    const std::size_t before = found_.paths.size();
    for (const std::string& path : paths)
      if (std::error_code none; fs::file_size(path, none) == 0)
        leave_out(path, "empty");
      else if (tokens_ == Tokens::chars && is_binary(path))
        leave_out(path, "binary");
      else
        found_.paths.push_back(path);
    if (found_.paths.size() == before)
      fail_input(fmt::format("corpus {}: no text files", given), expected,
                 paths.empty() ? "check the name; it is relative to the current folder"
                               : "for files that are not UTF-8 text: --tokens bytes");
  }

  void leave_out(const std::string& path, const char* kind) {
    LeftOut& left_out = left_out_[kind];
    if (left_out.count++ < shown) left_out.some.push_back(path);
  }

  Tokens tokens_;
  TextFiles found_;
  struct LeftOut {
    std::vector<std::string> some;  ///< the first of them
    std::size_t count = 0;
  };
  std::map<std::string, LeftOut> left_out_;  ///< by kind
};
}  // namespace

TextFiles find_text_files(const std::vector<std::string>& given, Tokens tokens) {
  Finder finder(tokens);
  for (const std::string& one : given) finder.add(one);
  return finder.finish();
}
}  // namespace charnn
