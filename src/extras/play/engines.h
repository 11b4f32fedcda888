#pragma once
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <nlohmann/json.hpp>
#include "core/cli/text_service.h"
#include "extras/play/lines.h"

namespace charnn::play {
/// The networks in use, each with a thread that writes its texts: at most three, the one used least recently goes.
class Engines {
 public:
  explicit Engines(const cli::ServiceLimits& limits);
  ~Engines();

  /// Begins the text that `request` asks of the checkpoint in `file`, which is read anew when it has changed; the
  /// answers are lines of JSON. Throws Error if there is no such checkpoint.
  std::shared_ptr<Lines> write(const std::string& file, const nlohmann::json& request);

 private:
  class Engine;
  struct Loaded {
    std::string version;  ///< of the file: its name, time and size
    std::shared_ptr<Engine> engine;
  };
  std::shared_ptr<Engine> engine_of(const std::string& file);

  cli::ServiceLimits limits_;
  std::mutex mutex_;
  std::list<Loaded> loaded_;  ///< the one used last stands first
};
}  // namespace charnn::play
