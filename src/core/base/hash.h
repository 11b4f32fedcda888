#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

namespace charnn {
/// XXH3, 64 bits (Collet, github.com/Cyan4973/xxHash), of text that comes in pieces.
class Hash64 {
 public:
  explicit Hash64(std::uint64_t seed = 0);

  void add(std::string_view text);
  std::uint64_t value() const;  ///< of all that was added so far

 private:
  struct Free {
    void operator()(void* state) const noexcept;
  };
  std::unique_ptr<void, Free> state_;
};

/// The same of a text that is there as a whole.
std::uint64_t hash64(std::string_view text);
}  // namespace charnn
