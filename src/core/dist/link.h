#pragma once
#include <functional>
#include <memory>
#include <span>
#include "core/base/error.h"
#include "core/dist/place.h"

namespace charnn {
/// Connections between the processes of a group. All of them make the same calls in the same order. Calls throw
/// LinkError (failure) if a process has gone or does not answer in time; then the link is of no more use.
class Link {
 public:
  virtual ~Link() = default;
  /// Chunk r of `in` goes to process r; the chunks that were sent to this process come by rank. All are equally long.
  virtual void all_to_all(std::span<const char> in, std::span<char> out) = 0;
  /// The `own` bytes of all processes, by rank.
  virtual void all_gather(std::span<const char> own, std::span<char> out) = 0;
  /// From rank 0.
  virtual void broadcast(std::span<char> bytes) = 0;
};

/// What goes on while the others are waited for.
struct LinkEvents {
  std::function<void(int port)> listening = [](int) {};  ///< rank 0, once the others can find it at that port
  std::function<void()> waiting = [] {};                 ///< again and again; may throw
  std::function<std::string()> lost = [] { return std::string(); };  ///< more about a process that has gone, or ""
};

/// What a link throws.
class LinkError : public Error {
 public:
  using Error::Error;
};

/// Waits until all processes are there. Throws Error (failure) if they do not come in time, Error (usage) if charnn was
/// built without c10d.
std::unique_ptr<Link> open_link(const Place& place, LinkEvents events);
}  // namespace charnn
