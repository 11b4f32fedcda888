#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

namespace charnn::play {
/// Lines on their way from the thread that writes texts to the one that sends them to a browser.
class Lines {
 public:
  /// False: the reader has gone, or is so slow that it may as well have.
  bool push(const std::string& line) {
    constexpr std::size_t most = std::size_t{1} << 24;  // in bytes
    const std::lock_guard lock(mutex_);
    left_ = left_ || waiting_.size() > most;
    if (!left_) waiting_ += line;
    changed_.notify_one();
    return !left_;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }

  /// Waits up to half a second for lines, and takes all. False: there are none, and none will come.
  bool take(std::string& lines) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(500), [&] { return closed_ || !waiting_.empty(); });
    lines = std::exchange(waiting_, {});
    return !closed_ || !lines.empty();
  }
  bool left() {
    const std::lock_guard lock(mutex_);
    return left_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  bool closed_ = false, left_ = false;
};
}  // namespace charnn::play
