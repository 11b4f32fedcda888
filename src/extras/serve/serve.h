#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <nlohmann/json.hpp>
#include "core/cli/text_maker.h"

namespace charnn::cli {
/// What a request may ask for at most.
struct ServeLimits {
  std::int64_t length = 100'000;  ///< characters to write
  double seconds = 60;            ///< from the arrival of the request on
  std::int64_t requests = 64;     ///< at work at the same time
};

/// Answers requests, a JSON object a line, with such lines. Several requests are worked on side by side. Nothing that a
/// line may hold does more than make an error its answer.
class Server {
 public:
  /// `defaults`: of what a request does not say. `write` is handed whole lines.
  Server(TextMaker& maker, TextOptions defaults, ServeLimits limits, std::uint64_t first_seed,
         std::function<void(std::string_view)> write);
  ~Server();

  void handle_line(std::string_view line);
  void refuse_line(std::string_view why);  ///< an error that belongs to no request
  void step();                             ///< one symbol for every text
  bool idle() const noexcept { return generator_.idle(); }

 private:
  struct Work;

  void start(const nlohmann::json& request);
  void cancel(const nlohmann::json& request);
  TextOptions options_of(const nlohmann::json& request, Work& work) const;
  void send_delta(Work& work);
  void finish(Work& work, TextEnd end);
  void send(const nlohmann::ordered_json& answer);

  TextMaker& maker_;
  TextOptions defaults_;
  ServeLimits limits_;
  std::uint64_t next_seed_;
  std::function<void(std::string_view)> write_;
  Generator generator_;
  std::list<Work> works_;  ///< their addresses must not change
};
}  // namespace charnn::cli
