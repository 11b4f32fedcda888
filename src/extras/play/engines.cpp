#include "extras/play/engines.h"
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"

namespace charnn::play {
using nlohmann::json;
using nlohmann::ordered_json;

class Engines::Engine {
 public:
  Engine(cli::LoadedModel model, const cli::ServiceLimits& limits)
      : maker_(std::move(model), StepWeights::automatic, /*threads=*/1, /*many=*/false),
        service_(maker_, defaults_of(maker_), limits, std::random_device()()),
        thread_([this] { run(); }) {}

  ~Engine() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
    for (const std::weak_ptr<Lines>& one : open_)
      if (const auto lines = one.lock()) lines->close();
  }

  std::shared_ptr<Lines> write(const json& request) {
    auto lines = std::make_shared<Lines>();
    const std::lock_guard lock(mutex_);
    if (failed_)
      throw Error(ExitCode::failure, "this network's texts have failed before", "", "start charnn play again");
    waiting_.emplace_back(request, lines);
    std::erase_if(open_, [](const std::weak_ptr<Lines>& one) { return one.expired(); });
    open_.push_back(lines);
    changed_.notify_one();
    return lines;
  }

 private:
  static cli::TextOptions defaults_of(const cli::TextMaker& maker) {
    cli::TextOptions options;
    options.config = maker.model().config.sample;
    return options;
  }

  void run() try {
    for (;;) {
      std::deque<std::pair<json, std::shared_ptr<Lines>>> some;
      {
        std::unique_lock lock(mutex_);
        if (service_.idle()) changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
        if (ending_) return;
        some.swap(waiting_);
      }
      for (const auto& [request, lines] : some)
        if (!lines->left()) begin(request, lines);
      if (!service_.idle()) service_.step();
    }
  } catch (const std::exception& error) {  // out of memory, for example
    const std::lock_guard lock(mutex_);
    failed_ = true;
    for (const std::weak_ptr<Lines>& one : open_)
      if (const auto lines = one.lock()) {
        lines->push(to_ascii({{"error", error.what()}}) + "\n");
        lines->close();
      }
  }

  void begin(const json& request, const std::shared_ptr<Lines>& lines) {
    service_.handle(request, [lines](const ordered_json& answer) {
      const bool read = lines->push(to_ascii(answer) + "\n");
      if (answer.contains("end") || answer.contains("error")) lines->close();
      return read;
    });
  }

  cli::TextMaker maker_;
  cli::TextService service_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<json, std::shared_ptr<Lines>>> waiting_;
  std::list<std::weak_ptr<Lines>> open_;
  bool ending_ = false, failed_ = false;
  std::thread thread_;  // last: it uses all others
};

Engines::Engines(const cli::ServiceLimits& limits) : limits_(limits) {}
Engines::~Engines() = default;

std::shared_ptr<Lines> Engines::write(const std::string& file, const json& request) {
  // Whoever reads the answers keeps the engine, even if others take its place. (The engine itself must not.)
  struct Text {
    std::shared_ptr<Engine> engine;
    std::shared_ptr<Lines> lines;
  };
  auto engine = engine_of(file);
  auto lines = engine->write(request);
  Lines* const address = lines.get();
  return {std::make_shared<Text>(Text{std::move(engine), std::move(lines)}), address};
}

std::shared_ptr<Engines::Engine> Engines::engine_of(const std::string& file) {
  constexpr std::size_t most = 3;
  std::list<Loaded> gone;  // ends after the lock: it waits for a thread
  const std::lock_guard lock(mutex_);
  std::error_code none;
  const auto time = std::filesystem::last_write_time(file, none).time_since_epoch().count();
  const std::string version = fmt::format("{}\n{}\n{}", file, time, std::filesystem::file_size(file, none));
  const auto found = std::ranges::find(loaded_, version, &Loaded::version);
  if (found != loaded_.end()) {
    loaded_.splice(loaded_.begin(), loaded_, found);
  } else {
    auto engine = std::make_shared<Engine>(cli::load_model({file}), limits_);
    // An older state of the same file is of no more use.
    for (auto next = loaded_.begin(); next != loaded_.end();) {
      const auto one = next++;
      if (one->version.starts_with(file + "\n")) gone.splice(gone.end(), loaded_, one);
    }
    loaded_.push_front({version, std::move(engine)});
    if (loaded_.size() > most) gone.splice(gone.end(), loaded_, std::prev(loaded_.end()));
  }
  return loaded_.front().engine;
}
}  // namespace charnn::play
