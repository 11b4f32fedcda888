#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <nlohmann/json.hpp>
#include "extras/play/lines.h"

namespace charnn::play {
/// A request as it came over HTTP; header names are in lower case.
struct Request {
  std::string method = "GET", path = "/";
  std::map<std::string, std::string> query = {}, headers = {};
  std::string body = {};
};

struct Answer {
  int status = 200;
  std::string type = "application/json", body = {};
  std::map<std::string, std::string> headers = {};
  std::shared_ptr<Lines> lines = nullptr;  ///< if set, the body comes line by line
};

/// A run, or a checkpoint file, that the page may show.
struct Run {
  std::string name;
  std::string path;     ///< run folder or checkpoint file
  std::string metrics;  ///< a path; empty: none
  std::vector<std::string> checkpoints;
};

/// What is behind the page: everything but sockets and networks. The worst that any request can cause is an error as
/// its answer.
class Site {
 public:
  struct Parts {
    std::function<std::vector<Run>()> runs;
    /// Begins a text. May throw Error.
    std::function<std::shared_ptr<Lines>(const Run& run, const std::string& checkpoint, const nlohmann::json& request)>
        write;
    std::vector<std::string> hosts = {};  ///< how the page may be addressed ("127.0.0.1:8000"); empty: in any way
    std::string token = {};               ///< that requests must bring; empty: none
  };
  explicit Site(Parts parts) : parts_(std::move(parts)) {}

  Answer answer(const Request& request) const;
  /// What a request is refused with before its body is read; nothing if it may go on.
  std::optional<Answer> refusal(const Request& request) const;

 private:
  static Answer guarded(const std::function<Answer()>& make);
  Answer routed(const Request& request) const;
  void check(const Request& request) const;
  Run run_named(const std::string& name) const;
  Answer runs() const;
  Answer records(const Request& request) const;
  Answer write(const Request& request) const;

  Parts parts_;
};
}  // namespace charnn::play
