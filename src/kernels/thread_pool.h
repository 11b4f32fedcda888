#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace charnn {
/// A fixed number of threads that share out the parts of one job at a time. Waiting threads spin for some microseconds,
/// since the next job mostly comes at once, and then sleep, so that an idle pool leaves the CPU to others.
class ThreadPool {
 public:
  /// `threads` counts the caller too; 1 makes no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// Calls part(i) once for every i in [0, parts), each on one of the threads, and returns when all are done. Which
  /// thread takes which part differs from call to call. `part` must not throw. A single part may itself call run().
  template <class Part>
  void run(std::int64_t parts, const Part& part) {
    run_parts(
        parts, [](const void* p, std::int64_t i) { (*static_cast<const Part*>(p))(i); }, &part);
  }

  /// Calls part(begin, end) for ranges of [0, n) of at most `grain` each.
  template <class Part>
  void run_ranges(std::int64_t n, std::int64_t grain, const Part& part) {
    run((n + grain - 1) / grain,
        [&](std::int64_t i) { part(i * grain, i * grain + grain < n ? i * grain + grain : n); });
  }

  /// Calls part(begin, end) for [0, n) in as many ranges as there are threads, which begin at multiples of `unit`.
  template <class Part>
  void share_out(std::int64_t n, std::int64_t unit, const Part& part) {
    const std::int64_t units = (n + unit - 1) / unit, parts = size() < units ? size() : units;
    run(parts, [&](std::int64_t i) {
      const std::int64_t end = units * (i + 1) / parts * unit;
      part(units * i / parts * unit, end < n ? end : n);
    });
  }

 private:
  using Call = void (*)(const void* part, std::int64_t i);
  void run_parts(std::int64_t parts, Call call, const void* part);
  void take_parts();
  void work();

  // The job, written before ticket_ names it. Who takes a part may read it, since a job ends only with its last part; a
  // worker that comes late (its CPU may be busy with something else) finds no part and is not waited for.
  Call call_ = nullptr;
  const void* part_ = nullptr;
  std::uint32_t parts_ = 0;
  std::atomic<std::uint64_t> ticket_{0};      ///< the job's number, and in the lower half how many parts are untaken
  std::atomic<std::uint32_t> done_{0};        ///< parts done
  std::atomic<std::uint32_t> generation_{0};  ///< the job's number, to wait for the next one
  std::atomic<bool> ending_{false};
  std::vector<std::thread> workers_;
};

/// The number of CPUs that this process may run on.
int available_cpus();

/// Treats denormal floats as zero in this thread while it lives: calculating with them is 100 times slower on some
/// CPUs, and they carry nothing that training could use. (x86-64; elsewhere it does nothing.)
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_ = 0;
};
}  // namespace charnn
