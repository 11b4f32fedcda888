#include "core/dist/group.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <future>
#include <thread>
#include "core/base/random.h"
#include "tests/support.h"

namespace charnn {
namespace {

/// Runs work(group) in `size` groups, each in a thread of its own.
template <class Work>
void in_groups(int size, const Work& work) {
  std::promise<int> port;
  const std::shared_future<int> listening = port.get_future().share();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      LinkEvents events;
      events.listening = [&](int number) { port.set_value(number); };
      Group group({.rank = rank, .size = size, .port = rank == 0 ? 0 : listening.get()}, events);
      work(group);
    });
  for (std::thread& thread : threads) thread.join();
}

/// Values of very different sizes, for which the order of additions shows.
std::vector<float> values_of(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>((random.uniform() - 0.5) * std::exp2(20 * random.uniform()));
  return values;
}

std::vector<float> sum(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::plus<>());
  return result;
}

TEST(Group, AloneNothingChanges) {
  Group alone;
  std::vector<float> values{1, 2, 3};
  const std::vector<double> notes{4.5};
  EXPECT_EQ(alone.add(values, notes), notes);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(alone.gather("abc"), std::vector<std::string>{"abc"});
  EXPECT_EQ(alone.broadcast("abc"), "abc");
  EXPECT_EQ(alone.most(7), 7);
}

TEST(Group, AddsInABinaryTree) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{5}, std::size_t{1001}}) {
    std::vector<std::vector<float>> parts;
    for (std::uint64_t i = 0; i < 4; ++i) parts.push_back(values_of(i, count));
    const std::vector<float> two = sum(parts[0], parts[1]), four = sum(two, sum(parts[2], parts[3]));
    for (const int size : {2, 4})
      in_groups(size, [&](Group& group) {
        for (int round = 0; round < 3; ++round) {
          std::vector<float> values = parts[static_cast<std::size_t>(group.rank())];
          const double notes[] = {0.1 + group.rank(), -1e300};
          const std::vector<double> all = group.add(values, notes);
          EXPECT_EQ(values, size == 2 ? two : four);
          ASSERT_EQ(all.size(), 2U * static_cast<std::size_t>(size));
          for (int rank = 0; rank < size; ++rank) EXPECT_EQ(all[2 * static_cast<std::size_t>(rank)], 0.1 + rank);
          EXPECT_EQ(all[1], -1e300);
        }
        EXPECT_GT(group.seconds(), 0);
      });
  }
}

TEST(Group, GathersAndSendsBytesOfAnyLength) {
  in_groups(4, [](Group& group) {
    const auto text = [](int rank) {
      return std::string(static_cast<std::size_t>(1000 * rank), static_cast<char>('a' + rank));
    };
    const auto all = group.gather(text(group.rank()));
    ASSERT_EQ(all.size(), 4U);
    for (int rank = 0; rank < 4; ++rank) EXPECT_EQ(all[static_cast<std::size_t>(rank)], text(rank));
    EXPECT_EQ(group.gather(""), std::vector<std::string>(4));
    const std::string large(3'000'000, 'x');
    EXPECT_EQ(group.broadcast(group.leads() ? large : "another"), large);
    EXPECT_EQ(group.broadcast(group.leads() ? "" : "another"), "");
    EXPECT_EQ(group.most(group.rank() == 2 ? 15 : 0), 15);
  });
}

TEST(Group, SharesAreInARowAndComplete) {
  for (const int size : {1, 2, 4, 8})
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{3}, std::int64_t{50}}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Share share = share_of(count, rank, size);
        EXPECT_EQ(share.first, next);
        next += share.count;
      }
      EXPECT_EQ(next, count);
    }
}

}  // namespace
}  // namespace charnn
