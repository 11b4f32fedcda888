#pragma once
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>
#include "core/dist/group.h"

namespace charnn::cli {
/// The other processes of `charnn train --processes N`: the same command, started on this machine.
class LocalProcesses {
 public:
  explicit LocalProcesses(int processes) : processes_(processes) {}
  ~LocalProcesses();  ///< waits for them; those that have not ended after 10 s are killed
  LocalProcesses(const LocalProcesses&) = delete;

  void start(int port);  ///< rank 0 listens there. Throws Error (failure)
  /// One that has ended: "process 1 of 2 was killed by SIGKILL"; or "". Waits that long for one to end.
  std::string ended(double wait_seconds);

 private:
  struct Child {
    pid_t pid;
    int rank;
  };
  int processes_;
  std::vector<Child> running_;
};

/// The processes that train together with this one.
struct Company {
  /// As a launcher has set them in the environment; or, where `processes` is above 1, started here. Waits until all are
  /// there. Throws Error.
  explicit Company(int processes);
  Company(const Company&) = delete;

  std::unique_ptr<LocalProcesses> started;
  std::unique_ptr<Group> group;
};
}  // namespace charnn::cli
