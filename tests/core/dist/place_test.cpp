#include "core/dist/place.h"
#include <map>
#include <string>
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

Place place(const std::map<std::string, std::string>& variables) {
  return place_in([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Place, AloneWithoutALauncher) {
  for (const auto& variables : {std::map<std::string, std::string>{}, {{"WORLD_SIZE", "4"}}, {{"RANK", "3"}}}) {
    EXPECT_EQ(place(variables).size, 1);
    EXPECT_EQ(place(variables).rank, 0);
  }
}

TEST(Place, Torchrun) {
  const Place p = place({{"RANK", "5"},
                         {"WORLD_SIZE", "8"},
                         {"LOCAL_RANK", "1"},
                         {"LOCAL_WORLD_SIZE", "4"},
                         {"MASTER_ADDR", "10.0.0.7"},
                         {"MASTER_PORT", "1234"},
                         {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                         {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(p.rank, 5);
  EXPECT_EQ(p.size, 8);
  EXPECT_EQ(p.local_rank, 1);
  EXPECT_EQ(p.local_size, 4);
  EXPECT_EQ(p.host, "10.0.0.7");
  EXPECT_EQ(p.port, 1234);
  EXPECT_TRUE(p.store_is_up);
  EXPECT_EQ(p.restarts, 2);
}

TEST(Place, OpenMpiAndMpich) {
  const Place open_mpi = place({{"OMPI_COMM_WORLD_RANK", "1"},
                                {"OMPI_COMM_WORLD_SIZE", "2"},
                                {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(open_mpi.rank, 1);
  EXPECT_EQ(open_mpi.local_size, 2);
  EXPECT_EQ(open_mpi.host, "127.0.0.1");
  EXPECT_EQ(open_mpi.port, 29500);
  EXPECT_FALSE(open_mpi.store_is_up);
  const Place mpich = place(
      {{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}, {"MASTER_ADDR", "h"}});
  EXPECT_EQ(mpich.rank, 3);
  EXPECT_EQ(mpich.local_rank, 1);
  expect_contains(error_of([] {
                    place({{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "2"}});
                  }),
                  "MASTER_ADDR");
}

TEST(Place, SlurmsOwnPmi) {
  const Place p = place({{"PMI_RANK", "3"},
                         {"PMI_SIZE", "4"},
                         {"SLURM_LOCALID", "1"},
                         {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
                         {"SLURM_STEP_NODELIST", "n[1-2]"}});
  EXPECT_EQ(p.local_rank, 1);
  EXPECT_EQ(p.local_size, 2);
  EXPECT_EQ(p.host, "n1");
}

TEST(Place, Slurm) {
  const auto on = [](const char* nodes) {
    return place({{"SLURM_PROCID", "2"},
                  {"SLURM_STEP_NUM_TASKS", "6"},
                  {"SLURM_LOCALID", "0"},
                  {"SLURM_STEP_TASKS_PER_NODE", "2(x3)"},
                  {"SLURM_JOB_ID", "4123"},
                  {"SLURM_STEP_NODELIST", nodes}});
  };
  EXPECT_EQ(on("node[012-014]").host, "node012");
  EXPECT_EQ(on("gpu7,node[1-2]").host, "gpu7");
  EXPECT_EQ(on("a[3,5-6],b1").host, "a3");
  EXPECT_EQ(on("a1").rank, 2);
  EXPECT_EQ(on("a1").local_size, 2);
  EXPECT_EQ(on("a1").port, 29500 + 123) << "two jobs may share a machine";
  // In a batch script there is one process, however many tasks its job has.
  EXPECT_EQ(place({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "6"}}).size, 1);
}

TEST(Place, NonsenseIsRefused) {
  const auto message = [](const char* name, const char* value) {
    std::map<std::string, std::string> variables{{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_WORLD_SIZE", "2"}};
    variables[name] = value;
    return error_of([&] { place(variables); });
  };
  expect_contains(message("RANK", "2"), "RANK=2");
  expect_contains(message("RANK", "-1"), "a number from 0 to 1");
  expect_contains(message("WORLD_SIZE", "two"), "WORLD_SIZE=two");
  expect_contains(message("MASTER_PORT", "70000"), "MASTER_PORT=70000");
  expect_contains(message("MASTER_PORT", "12x"), "MASTER_PORT=12x");
}

}  // namespace
}  // namespace charnn
