#include "core/cli/run_folder.h"
#include "tests/support.h"

namespace charnn::cli {
namespace {

using test::error_of;
using test::expect_contains;

/// The weights of a small network, whatever the config says.
Checkpoint checkpoint_of(const Config& config) {
  const NetworkLayout layout({.cell = Cell::lstm, .layers = 1, .hidden = 4, .embedding = 3}, 2);
  const std::vector<float> zeros(static_cast<std::size_t>(layout.size()));
  return {to_json_text(config),
          Vocabulary(Tokens::chars, {U'a', U'b'}),
          {},
          layout,
          zeros,
          zeros,
          zeros,
          State::zeros(layout.config(), 2),
          {}};
}

TEST(LoadModel, RefusesAConfigThatDoesNotFitTheWeightsBeforeItTakesMemory) {
  const test::TemporaryFolder folder;
  Config config;
  config.model = {.cell = Cell::lstm, .layers = 1, .hidden = 4, .embedding = 3};
  save_checkpoint(folder / "good", checkpoint_of(config));
  EXPECT_EQ(load_model({folder / "good"}).checkpoint.layout.vocabulary_size(), 2);
  config.model.hidden = 65536;  // with 64 layers: some 8 TB
  config.model.layers = 64;
  save_checkpoint(folder / "bad", checkpoint_of(config));
  const std::string message = error_of([&] { load_model({folder / "bad"}); });
  expect_contains(message, "tensor model.rnn.weight_ih_l0 has shape [16, 3]");
  expect_contains(message, "shape [262144, 3]");
  expect_contains(message, "does not fit its own config");
}

TEST(RunFolder, KeepsTheNewestOfTheKeptCheckpoints) {
  const test::TemporaryFolder folder;
  const RunFolder run(folder / "");
  for (const char* name : {"step-5.safetensors", "step-10.safetensors", "step-100.safetensors", "step-x.safetensors",
                           "step-007.safetensors", "step-20.safetensors.tmp"})
    folder.write(name, "");
  EXPECT_EQ(run.kept_steps(), (std::vector<std::int64_t>{5, 10, 100}));
  run.remove_kept(50, 0);
  EXPECT_EQ(run.kept_steps().size(), 3U) << "0: all stay";
  run.remove_kept(50, 1);
  EXPECT_EQ(run.kept_steps(), (std::vector<std::int64_t>{10, 100})) << "later ones are not this run's to remove";
  EXPECT_EQ(checkpoint_path(folder / "", "10"), run.kept(10));
  folder.write("last.safetensors", "");
  error_of([&] { checkpoint_path(folder / "", "10x"); });
  folder.write("step-30.safetensors.tmp", "");
  run.remove_rest();
  EXPECT_FALSE(std::filesystem::exists(folder / "step-30.safetensors.tmp"));
  const std::string error = error_of([&] { checkpoint_path(folder / "", "11"); });
  expect_contains(error, "one of the steps 10, 100");
}

}  // namespace
}  // namespace charnn::cli
