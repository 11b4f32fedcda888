#include "core/dist/group.h"
#include <algorithm>
#include <cstring>
#include "core/base/clock.h"

namespace charnn {
namespace {
template <class T>
std::span<const char> bytes_of(const std::vector<T>& values) {
  return {static_cast<const char*>(static_cast<const void*>(values.data())), values.size() * sizeof(T)};
}
template <class T>
std::span<char> bytes_of(std::vector<T>& values) {
  return {static_cast<char*>(static_cast<void*>(values.data())), values.size() * sizeof(T)};
}
}  // namespace

Group::Group(const Place& place, LinkEvents events) : place_(place) {
  if (place.size > 1) link_ = open_link(place, std::move(events));
}

std::vector<double> Group::add(std::span<float> values, std::span<const double> notes) {
  if (!link_) return {notes.begin(), notes.end()};
  const Clock::time_point start = Clock::now();
  // Process r adds up piece r of the values. Each piece that is sent has the sender's notes behind it.
  constexpr std::size_t floats_a_note = sizeof(double) / sizeof(float);
  const auto n = static_cast<std::size_t>(size());
  const std::size_t piece = (values.size() + n - 1) / n, chunk = piece + floats_a_note * notes.size();
  sent_.assign(n * chunk, 0);
  received_.resize(n * chunk);
  for (std::size_t r = 0; r < n; ++r) {
    const std::size_t begin = std::min(r * piece, values.size()), end = std::min(begin + piece, values.size());
    std::copy(values.begin() + begin, values.begin() + end, sent_.begin() + r * chunk);
    if (!notes.empty()) std::memcpy(&sent_[r * chunk + piece], notes.data(), notes.size_bytes());
  }
  link_->all_to_all(bytes_of(sent_), bytes_of(received_));
  std::vector<double> all_notes(n * notes.size());
  for (std::size_t r = 0; r < n && !notes.empty(); ++r)
    std::memcpy(&all_notes[r * notes.size()], &received_[r * chunk + piece], notes.size_bytes());
  for (std::size_t apart = 1; apart < n; apart *= 2)
    for (std::size_t r = 0; r + apart < n; r += 2 * apart) {
      float *sum = &received_[r * chunk], *more = &received_[(r + apart) * chunk];
      for (std::size_t i = 0; i < piece; ++i) sum[i] += more[i];
    }
  received_.resize(piece);
  sent_.resize(n * piece);
  link_->all_gather(bytes_of(received_), bytes_of(sent_));
  std::copy_n(sent_.begin(), values.size(), values.begin());
  seconds_ += seconds_since(start);
  return all_notes;
}

std::vector<std::string> Group::gather(std::string_view own) {
  if (!link_) return {std::string(own)};
  const auto n = static_cast<std::size_t>(size());
  std::vector<std::uint64_t> lengths(n);
  link_->all_gather(bytes_of(std::vector<std::uint64_t>{own.size()}), bytes_of(lengths));
  const std::uint64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::vector<char> padded(longest), all(n * longest);
  std::copy(own.begin(), own.end(), padded.begin());
  if (longest > 0) link_->all_gather(padded, all);
  std::vector<std::string> parts;
  for (std::size_t r = 0; r < n; ++r) parts.emplace_back(all.data() + r * longest, lengths[r]);
  return parts;
}

std::string Group::broadcast(std::string bytes) {
  if (!link_) return bytes;
  std::vector<std::uint64_t> length{bytes.size()};
  link_->broadcast(bytes_of(length));
  bytes.resize(length[0]);
  if (!bytes.empty()) link_->broadcast(bytes);
  return bytes;
}

int Group::most(int value) {
  if (!link_) return value;
  std::vector<int> all(static_cast<std::size_t>(size()));
  link_->all_gather(bytes_of(std::vector<int>{value}), bytes_of(all));
  return *std::max_element(all.begin(), all.end());
}
}  // namespace charnn
