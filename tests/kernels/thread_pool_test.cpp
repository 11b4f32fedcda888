#include "kernels/thread_pool.h"
#include <gtest/gtest.h>

namespace charnn {
namespace {

TEST(ThreadPool, RunsEveryPartOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const std::int64_t parts : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(parts) + 1);
      pool.run(parts, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
      for (std::int64_t i = 0; i < parts; ++i)
        EXPECT_EQ(calls[static_cast<std::size_t>(i)], 1) << threads << " threads, part " << i << " of " << parts;
      EXPECT_EQ(calls.back(), 0);
    }
  }
}

TEST(ThreadPool, RangesCoverAllWithoutOverlap) {
  ThreadPool pool(3);
  for (const std::int64_t n : {0, 1, 9, 10, 11, 100})
    for (const std::int64_t grain : {1, 4, 10, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n) + 1);
      pool.run_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_LT(begin, end);
        EXPECT_LE(end - begin, grain);
        for (std::int64_t i = begin; i < end; ++i) ++calls.at(static_cast<std::size_t>(i));
      });
      for (std::int64_t i = 0; i <= n; ++i)
        EXPECT_EQ(calls[static_cast<std::size_t>(i)], i < n ? 1 : 0) << n << " by " << grain;
    }
}

TEST(ThreadPool, ManyJobsInARow) {
  for (const int threads : {2, 5}) {
    ThreadPool pool(threads);
    const int jobs = threads == 2 ? 10000 : 1000;
    std::atomic<std::int64_t> calls = 0;
    std::int64_t expected = 0;
    for (int job = 0; job < jobs; ++job) {
      pool.run(job % 4, [&](std::int64_t) { calls.fetch_add(1, std::memory_order_relaxed); });
      // What a job has done is seen as soon as run() returns.
      ASSERT_EQ(calls.load(std::memory_order_relaxed), expected += job % 4);
    }
  }
}

// Plain memory, so that ThreadSanitizer sees whether the pool orders what its threads read and write.
TEST(ThreadPool, PartsSeeWhatWasWrittenBeforeAndTheirWritesAreSeenAfter) {
  ThreadPool pool(3);
  std::vector<int> numbers(64);
  for (int job = 0; job < 500; ++job) {
    const int added = job;
    pool.run(std::ssize(numbers), [&](std::int64_t i) { numbers[static_cast<std::size_t>(i)] += added; });
    for (int& number : numbers) ASSERT_EQ(number++, job * (job + 1) / 2 + job);
  }
}

#if defined(__x86_64__)
TEST(FlushDenormals, ActsWhileItLives) {
  const volatile float small = 1e-30F, smaller = 1e-10F, denormal = 1e-40F, large = 1e30F;
  {
    const FlushDenormals flush;
    EXPECT_EQ(small * smaller, 0);
    EXPECT_EQ(denormal * large, 0);
    EXPECT_GT(small * large, 0);
  }
  EXPECT_GT(small * smaller, 0);
  EXPECT_GT(denormal * large, 0);
}

TEST(ThreadPool, FlushesDenormalsInItsParts) {
  ThreadPool pool(2);
  const volatile float small = 1e-30F, smaller = 1e-10F;
  pool.run(8, [&](std::int64_t) { EXPECT_EQ(small * smaller, 0); });
  EXPECT_GT(small * smaller, 0);
}
#endif

}  // namespace
}  // namespace charnn
