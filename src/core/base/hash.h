#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

namespace charnn {
/// XXH3, 64 bits (Collet, github.com/Cyan4973/xxHash), of a string that comes in pieces.
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

/// Hash of a string that is already complete.
std::uint64_t hash64(std::string_view text);
}  // namespace charnn
