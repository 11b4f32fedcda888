// The only source that sees c10d, PyTorch's library for groups of processes, here over TCP by Gloo.
#include <charconv>
#include <cstdlib>
#include <future>
#include <netdb.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <fmt/format.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/types.h>
#include <torch/version.h>
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/dist/link.h"

namespace charnn {
namespace {
using Milliseconds = std::chrono::milliseconds;

/// CHARNN_GROUP_TIMEOUT, in seconds.
Milliseconds time_limit() {
  const char* variable = std::getenv("CHARNN_GROUP_TIMEOUT");
  if (variable == nullptr) return std::chrono::seconds(60);
  const std::string_view text = variable;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), seconds);
  if (error != std::errc() || end != text.end() || seconds < 1 || seconds > 1'000'000)
    fail_input(fmt::format("CHARNN_GROUP_TIMEOUT={} in the environment", text), "seconds, from 1 to 1000000",
               "unset it: 60");
  return std::chrono::seconds(seconds);
}

/// The address of this machine from which `host` is reached. Gloo would take what the machine's own name stands for,
/// which on Debian is 127.0.1.1: no other machine can reach that.
std::string local_address(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return host;
  std::string name = host;
  if (const int fd = ::socket(found->ai_family, SOCK_DGRAM, 0); fd >= 0) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    char text[NI_MAXHOST];
    auto* any = static_cast<sockaddr*>(static_cast<void*>(&address));
    if (::connect(fd, found->ai_addr, found->ai_addrlen) == 0 && ::getsockname(fd, any, &length) == 0 &&
        ::getnameinfo(any, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      name = text;
    ::close(fd);
  }
  ::freeaddrinfo(found);
  return name;
}

/// The first line, without the stack that LibTorch adds.
std::string first_line(std::string text) { return text.substr(0, text.find('\n')); }

at::Tensor tensor_of(std::span<const char> bytes) {
  return at::from_blob(const_cast<char*>(bytes.data()), {static_cast<std::int64_t>(bytes.size())}, at::kByte);
}

class GlooLink : public Link {
 public:
  GlooLink(const Place& place, LinkEvents events) : place_(place), events_(std::move(events)), limit_(time_limit()) {
    const auto options = c10d::ProcessGroupGloo::Options::create(limit_);
    options->devices.push_back(device());  // before the store: a process whose own network is wrong says so itself
    open_store();
    wait_for_all();
    calling([&] { group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, place_.rank, place_.size, options); });
  }

  void all_to_all(std::span<const char> in, std::span<char> out) override {
    calling([&] {
      at::Tensor from = tensor_of(in), to = tensor_of(out);
      std::vector<std::int64_t> equal;
      group_->alltoall_base(to, from, equal, equal)->wait();
    });
  }

  void all_gather(std::span<const char> own, std::span<char> out) override {
    calling([&] {
      std::vector<at::Tensor> from{tensor_of(own)};
      std::vector<std::vector<at::Tensor>> to{tensor_of(out).chunk(place_.size)};
      group_->allgather(to, from)->wait();
    });
  }

  void broadcast(std::span<char> bytes) override {
    calling([&] {
      std::vector<at::Tensor> tensors{tensor_of(bytes)};
      group_->broadcast(tensors)->wait();
    });
  }

 private:
  /// The network interface to listen at.
  std::shared_ptr<gloo::transport::Device> device() const {
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    const std::string address = interface != nullptr ? "" : local_address(place_.host, place_.port);
    const bool by_name = place_.host.find_first_not_of("0123456789.:") != std::string::npos;
    if (by_name && place_.host != "localhost" && place_.local_size < place_.size && address.starts_with("127."))
      fail_input(fmt::format("MASTER_ADDR={} is {} on this machine", place_.host, address),
                 "an address that the other machines reach", "give it as a number, or set GLOO_SOCKET_IFNAME");
    try {
      return interface != nullptr ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                  : c10d::ProcessGroupGloo::createDeviceForHostname(address);
    } catch (const std::exception& error) {
      fail_input(
          fmt::format("network interface {}: {}", interface != nullptr ? interface : address, first_line(error.what())),
          "one of this machine's", "ip -brief address lists them; GLOO_SOCKET_IFNAME chooses one");
    }
  }

  static std::string key(int rank) { return fmt::format("here/{}", rank); }

  /// Connects, and says that this process is here: in a thread, since a store of another version may never answer.
  void open_store() {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(place_.port);
    options.isServer = place_.rank == 0 && !place_.store_is_up;
    options.numWorkers = place_.size;
    options.waitWorkers = false;
    options.timeout = limit_;
    auto opened = std::make_shared<std::promise<c10::intrusive_ptr<c10d::TCPStore>>>();
    std::thread([opened, options, place = place_] {
      try {
        const auto store = c10::make_intrusive<c10d::TCPStore>(place.host, options);
        const auto own = prefixed(store, place);
        own->set(key(place.rank), std::vector<std::uint8_t>{1});
        own->check({key(place.rank)});
        opened->set_value(store);
      } catch (...) {
        opened->set_exception(std::current_exception());
      }
    }).detach();
    auto answer = opened->get_future();
    std::string problem = "no answer";
    const Clock::time_point last = Clock::now() + limit_ + std::chrono::seconds(2);
    while (answer.wait_for(Milliseconds(20)) != std::future_status::ready && Clock::now() < last) events_.waiting();
    if (answer.wait_for(Milliseconds(0)) == std::future_status::ready) try {
        const auto store = answer.get();
        store_ = prefixed(store, place_);
        if (options.isServer) events_.listening(store->getPort());
        return;
      } catch (const Error&) {
        throw;
      } catch (const std::exception& error) {
        problem = first_line(error.what());
      }
    throw LinkError(ExitCode::failure,
                    fmt::format("process {} of {}: no connection to {}:{} ({})", place_.rank, place_.size, place_.host,
                                place_.port, problem),
                    "rank 0's store there (MASTER_ADDR, MASTER_PORT), of the same LibTorch, " TORCH_VERSION,
                    "is rank 0 running, the address right, the port free? torchrun of another PyTorch version listens "
                    "there itself: set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 for it");
  }

  /// torchrun's store outlives a restart.
  static c10::intrusive_ptr<c10d::Store> prefixed(const c10::intrusive_ptr<c10d::TCPStore>& store, const Place& place) {
    return c10::make_intrusive<c10d::PrefixStore>(fmt::format("charnn/{}", place.restarts), store);
  }

  void wait_for_all() {
    const Clock::time_point start = Clock::now();
    for (int rank = 0; rank < place_.size;) {
      events_.waiting();
      bool here = false;
      calling([&] { here = store_->check({key(rank)}); });
      if (here)
        ++rank;
      else if (Clock::now() - start > limit_)
        throw LinkError(ExitCode::failure,
                        fmt::format("process {} of {} has not come within {:.0f} s", rank, place_.size,
                                    std::chrono::duration<double>(limit_).count()),
                        "all processes, started at about the same time",
                        fmt::format("is it running, and can it reach {}:{}?", place_.host, place_.port));
      else
        ::usleep(20'000);
    }
  }

  /// Errors of c10d, in charnn's words.
  template <class Function>
  void calling(Function function) {
    try {
      function();
    } catch (const std::exception& error) {
      const std::string what = first_line(error.what()), more = events_.lost();
      const bool late = what.find("imed out") != std::string::npos || what.find("imeout") != std::string::npos;
      throw LinkError(
          ExitCode::failure,
          more.empty() ? fmt::format("process {} of {}: another process {} ({})", place_.rank, place_.size,
                                     late ? "does not answer" : "has ended, or cannot be reached", what)
                       : more,
          "all processes to go on together",
          "see what the other process says, then start all of them again; with --resume if a checkpoint has been "
          "saved, which then is intact");
    }
  }

  Place place_;
  LinkEvents events_;
  Milliseconds limit_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};
}  // namespace

std::unique_ptr<Link> open_link(const Place& place, LinkEvents events) {
  return std::make_unique<GlooLink>(place, std::move(events));
}
}  // namespace charnn
