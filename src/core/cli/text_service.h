#pragma once
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include "core/cli/text_maker.h"

namespace charnn::cli {
/// What a request may ask for at most.
struct ServiceLimits {
  std::int64_t length = 100'000;  ///< characters of a text
  double seconds = 60;            ///< for a text, from the request's arrival; 0: no limit
  std::int64_t requests = 64;     ///< in progress at the same time
};

/// Writes texts for other programs, several at a time. Requests and answers are JSON objects: docs/sampling.md lists
/// their keys. The worst that any request can cause is an error as its answer.
class TextService {
 public:
  /// Takes an answer; false: nobody reads it, and the text ends.
  using Send = std::function<bool(const nlohmann::ordered_json&)>;

  /// `maker` must outlive the service. `defaults` holds for everything a request leaves out; a request without a seed
  /// gets `seed`, the next one `seed` + 1.
  TextService(TextMaker& maker, TextOptions defaults, const ServiceLimits& limits, std::uint64_t seed);

  ~TextService();

  bool idle() const noexcept { return generator_.idle(); }
  void handle(const nlohmann::json& request, const Send& send);
  /// Writes one symbol of every text.
  void step();

 private:
  struct Work;
  void start(const nlohmann::json& request, const nlohmann::json& id, const Send& send);
  void cancel(const nlohmann::json& request, const nlohmann::json& id);
  void explain(PreparedText& prepared, Work& work);
  void finish(std::list<Work>::iterator work, TextEnd end);
  static void send_delta(Work& work);
  std::list<Work>::iterator find(const nlohmann::json& id);

  TextMaker& maker_;
  TextOptions defaults_;
  ServiceLimits limits_;
  std::uint64_t next_seed_;
  Generator generator_;
  std::list<Work> works_;  ///< the generator's callbacks hold their addresses
};
}  // namespace charnn::cli
