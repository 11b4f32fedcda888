#include "core/base/hash.h"
#include <new>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace charnn {
namespace {
XXH3_state_t* of(void* state) { return static_cast<XXH3_state_t*>(state); }
}  // namespace

void Hash64::Free::operator()(void* state) const noexcept { XXH3_freeState(of(state)); }

Hash64::Hash64(std::uint64_t seed) : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset_withSeed(of(state_.get()), seed);
}

void Hash64::add(std::string_view text) { XXH3_64bits_update(of(state_.get()), text.data(), text.size()); }

std::uint64_t Hash64::value() const { return XXH3_64bits_digest(of(state_.get())); }

std::uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }
}  // namespace charnn
