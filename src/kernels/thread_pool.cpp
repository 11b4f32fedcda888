#include "kernels/thread_pool.h"
#include <chrono>
#include <sched.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace charnn {
namespace {
void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Waits until `value` is no longer `old`; returns what it is then.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
  do {
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      pause();
    }
  } while (Clock::now() < end);
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}
}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  ending_ = true;
  ++generation_;
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::take_parts() {
  const FlushDenormals flush;
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (const auto untaken = static_cast<std::uint32_t>(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire)) continue;
    call_(part_, static_cast<std::int64_t>(parts_ - untaken));
    done_.fetch_add(1, std::memory_order_release);  // from here on the job may be over
    done_.notify_one();
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::run_parts(std::int64_t parts, Call call, const void* part) {
  if (parts <= 0) return;
  if (parts == 1 || workers_.empty()) {
    const FlushDenormals flush;
    for (std::int64_t i = 0; i < parts; ++i) call(part, i);
    return;
  }
  call_ = call;
  part_ = part;
  parts_ = static_cast<std::uint32_t>(parts);
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t number = generation_.load(std::memory_order_relaxed) + 1;
  ticket_.store(std::uint64_t{number} << 32 | parts_, std::memory_order_release);
  generation_.store(number, std::memory_order_release);
  generation_.notify_all();
  take_parts();
  for (std::uint32_t done; (done = done_.load(std::memory_order_acquire)) != parts_;) wait_for_change(done_, done);
}

void ThreadPool::work() {
  for (std::uint32_t seen = 0;;) {
    seen = wait_for_change(generation_, seen);
    if (ending_) return;
    take_parts();
  }
}

int available_cpus() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 0 ? static_cast<int>(cores) : 1;
}

FlushDenormals::FlushDenormals() noexcept {
#if defined(__x86_64__)
  before_ = _mm_getcsr();
  _mm_setcsr(before_ | _MM_FLUSH_ZERO_ON | 0x0040U /* denormals are zero */);
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(before_);
#endif
}
}  // namespace charnn
