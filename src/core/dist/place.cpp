#include "core/dist/place.h"
#include <charconv>
#include <string_view>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn {
namespace {
/// How a launcher names rank, size, local rank and local size.
struct Names {
  const char *rank, *size, *local_rank, *local_size;
};
// Not SLURM_NTASKS, which is also set in a batch script, where no other task runs beside this one.
constexpr Names launchers[] = {
    {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"}};

/// The variable's number, from `least` to `most`. Slurm's lists, such as "2(x3),1", begin with one.
int number(const Environment& environment, const char* name, int least, int most, int missing) {
  const char* text = environment(name);
  if (text == nullptr) return missing;
  const std::string_view all = text;
  int value = 0;
  const auto [end, error] = std::from_chars(all.begin(), all.end(), value);
  const bool whole = end == all.end() || *end == '(' || *end == ',';
  if (error != std::errc() || !whole || value < least || value > most)
    fail_input(fmt::format("{}={} in the environment", name, text), fmt::format("a number from {} to {}", least, most),
               "a launcher such as torchrun sets it; unset it to train with one process");
  return value;
}

/// "node3" of Slurm's "node[3-5,8],other".
std::string first_host(std::string_view list) {
  const auto bracket = list.find('['), comma = list.find(',');
  if (bracket >= comma) return std::string(list.substr(0, comma));
  const std::string_view numbers = list.substr(bracket + 1);
  return std::string(list.substr(0, bracket)) + std::string(numbers.substr(0, numbers.find_first_of("-,]")));
}
}  // namespace

Place place_in(const Environment& environment) {
  constexpr int most = 1 << 16;
  Place place;
  for (const Names& names : launchers) {
    if (environment(names.rank) == nullptr || environment(names.size) == nullptr) continue;
    place.size = number(environment, names.size, 1, most, 1);
    place.rank = number(environment, names.rank, 0, place.size - 1, 0);
    place.local_size = number(environment, names.local_size, 1, place.size, 1);
    place.local_rank = number(environment, names.local_rank, 0, most, 0);
    if (environment(names.local_rank) == nullptr && environment("SLURM_LOCALID") != nullptr) {  // srun --mpi=pmi2
      place.local_size = number(environment, "SLURM_STEP_TASKS_PER_NODE", 1, place.size, 1);
      place.local_rank = number(environment, "SLURM_LOCALID", 0, most, 0);
    }
    break;
  }
  if (environment("TORCHELASTIC_RESTART_COUNT") != nullptr) {
    place.restarts = number(environment, "TORCHELASTIC_RESTART_COUNT", 0, 1 << 30, 0);
    const char* name = environment("TORCHELASTIC_RUN_ID");
    place.torchrun = name != nullptr ? name : "torchrun";
  }
  if (place.size == 1) return place;
  if (const char* host = environment("MASTER_ADDR"))
    place.host = host;
  else if (const char* nodes = environment("SLURM_STEP_NODELIST"))
    place.host = first_host(nodes);
  else if (place.local_size < place.size)
    fail_input(
        fmt::format("{} processes on several machines, and MASTER_ADDR is not set", place.size),
        "the address of the machine where rank 0 runs",
        "set it for all processes: mpirun -x MASTER_ADDR=10.0.0.1 (Open MPI), -genv MASTER_ADDR 10.0.0.1 (MPICH)");
  const int job = number(environment, "SLURM_JOB_ID", 0, 1 << 30, 0);  // jobs may share a machine
  place.port = number(environment, "MASTER_PORT", 1, 65535, place.port + job % 1000);
  const char* agent = environment("TORCHELASTIC_USE_AGENT_STORE");
  place.store_is_up = agent != nullptr && std::string_view(agent) == "True";
  return place;
}
}  // namespace charnn
