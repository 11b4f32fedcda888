#pragma once
#include <functional>
#include <string>

namespace charnn {
/// Which of the processes that train one network together this one is.
struct Place {
  int rank = 0, size = 1;              ///< of all processes
  int local_rank = 0, local_size = 1;  ///< of those on this machine
  std::string host = "127.0.0.1";      ///< where rank 0 can be reached
  int port = 29500;                    ///< 0: a free one
  bool store_is_up = false;            ///< torchrun's own store listens at that port
  int restarts = 0;                    ///< how often torchrun has started all processes anew
  std::string torchrun = {};           ///< its run's name; "": another launcher, or none
};

using Environment = std::function<const char*(const char* name)>;

/// The place that a launcher has set in the environment: torchrun (RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE,
/// MASTER_ADDR, MASTER_PORT), mpirun of Open MPI or MPICH, or srun. Without one, the only process. Throws Error
/// (usage).
Place place_in(const Environment& environment);
}  // namespace charnn
