#include "core/io/checkpoint.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

Checkpoint example() {
  const ModelConfig config{.cell = Cell::lstm, .layers = 1, .hidden = 4, .embedding = 3};
  const CharRnn model(config, 3);
  Checkpoint c{"{\"a\":1}",
               Vocabulary(Tokens::chars, {U'\n', U'a', U'é'}),
               {},
               model.weights(),
               {},
               {},
               model.zero_state(2),
               capture_rng(torch::kCPU)};
  for (const auto& [name, weight] : c.model) {
    c.exp_avg.emplace_back(name, torch::randn_like(weight).detach());
    c.exp_avg_sq.emplace_back(name, torch::rand_like(weight).detach());
  }
  c.train = {.step = 12,
             .optimizer_step = 11,
             .cursor = {1, 30},
             .chars = 99,
             .loss_sum = 0.1 + 0.2,
             .loss_chars = 5,
             .evaluated_step = 10,
             .best_loss = 1.0 / 3,
             .best_step = 10,
             .evals_since_best = 3,
             .corpus = {1234, 0xfedcba9876543210U},
             .rate = {0.25, 1.5, 2},
             .guard = {{0.1, 0.3}, 1.25, 400, 1, 7, 2, 1},
             .watch = {1.1, 0.2, -3, 4, 12.5, 6, 1.75, 2, {"overfitting", "vanished"}}};
  return c;
}

void expect_equal(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
  }
}

TEST(Checkpoint, ComesBackTheSame) {
  const test::TemporaryFolder folder;
  const Checkpoint saved = example();
  save_checkpoint(folder / "a", saved);
  const Checkpoint loaded = load_checkpoint(folder / "a");
  EXPECT_EQ(loaded.config, saved.config);
  EXPECT_EQ(loaded.vocabulary, saved.vocabulary);
  EXPECT_EQ(loaded.train.step, 12);
  EXPECT_EQ(loaded.train.optimizer_step, 11);
  EXPECT_EQ(loaded.train.cursor, saved.train.cursor);
  EXPECT_EQ(loaded.train.loss_sum, saved.train.loss_sum) << "bit for bit";
  EXPECT_EQ(loaded.train.best_loss, saved.train.best_loss);
  EXPECT_EQ(loaded.train.corpus, saved.train.corpus);
  EXPECT_EQ(loaded.train.rate.factor, 0.25);
  EXPECT_EQ(loaded.train.rate.plateau_best, 1.5);
  EXPECT_EQ(loaded.train.guard.best, 1.25);
  EXPECT_EQ(loaded.train.guard.vain_rollbacks, 1);
  EXPECT_EQ(loaded.train.watch.odd_ratio, -3);
  EXPECT_EQ(loaded.train.watch.said, saved.train.watch.said);
  expect_equal(loaded.model, saved.model);
  expect_equal(loaded.exp_avg, saved.exp_avg);
  expect_equal(loaded.exp_avg_sq, saved.exp_avg_sq);
  expect_equal(loaded.rng, saved.rng);
  save_checkpoint(folder / "b", loaded);
  EXPECT_EQ(read_file(folder / "a", "file"), read_file(folder / "b", "file"));
}

TEST(Checkpoint, AnOlderProgressIsUnderstood) {
  nlohmann::json json = train_state_to_json(example().train);
  for (const char* newer : {"rate", "guard", "watch", "evals_since_best"}) json.erase(newer);
  const TrainState state = train_state_from_json(json);
  EXPECT_EQ(state.step, 12);
  EXPECT_EQ(state.rate.factor, 1);
  json.erase("step");
  EXPECT_THROW(train_state_from_json(json), nlohmann::json::exception);
}

TEST(Checkpoint, GeneratorGoesOnWhereItWas) {
  torch::manual_seed(9);
  torch::rand({3});
  const NamedTensors rng = capture_rng(torch::kCPU);
  const torch::Tensor expected = torch::rand({5});
  torch::manual_seed(1);
  restore_rng(rng, torch::kCPU);
  EXPECT_TRUE(torch::equal(torch::rand({5}), expected));
  expect_contains(error_of([] {
                    restore_rng({{"torch_cpu", torch::zeros({3}, torch::kUInt8)}}, torch::kCPU);
                  }),
                  "rng.torch_cpu");
}

TEST(Checkpoint, RefusesWhatTrainingNeverMakes) {
  const test::TemporaryFolder folder;
  const auto refusal = [&](const std::function<void(Checkpoint&)>& spoil) {
    Checkpoint c = example();
    spoil(c);
    save_checkpoint(folder / "c", c);
    return error_of([&] { load_checkpoint(folder / "c"); });
  };
  const auto spoiled = [](torch::Tensor tensor, float value) {
    tensor = tensor.detach().clone();
    tensor.view(-1)[1] = value;
    return tensor;
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  expect_contains(refusal([&](Checkpoint& c) { c.model[0].second = spoiled(c.model[0].second, nan); }),
                  "tensor model.encoder.weight has values that are no finite numbers");
  expect_contains(refusal([&](Checkpoint& c) { c.exp_avg[2].second = spoiled(c.exp_avg[2].second, infinity); }),
                  "optimizer.exp_avg.rnn.weight_hh_l0");
  expect_contains(refusal([&](Checkpoint& c) { c.exp_avg_sq[0].second = spoiled(c.exp_avg_sq[0].second, -1); }),
                  "negative");
  expect_contains(refusal([&](Checkpoint& c) { c.state.h = spoiled(c.state.h, nan); }), "state.h");
  expect_contains(refusal([&](Checkpoint& c) { c.train.step = -1; }), "negative");
  expect_contains(refusal([&](Checkpoint& c) { c.train.chars = std::int64_t{1} << 60; }), "\"chars\" is no count");
}

TEST(Checkpoint, AVocabularyIsTakenLiterally) {
  const auto vocabulary = [](const char* json) { return vocabulary_from_json(nlohmann::json::parse(json)); };
  EXPECT_EQ(vocabulary(R"({"tokens":"chars","symbols":["a","é"]})").size(), 2);
  EXPECT_EQ(vocabulary(R"({"tokens":"bytes"})"), Vocabulary::all_bytes());
  for (const char* wrong : {R"({"tokens":"words","symbols":["a"]})", R"({"tokens":"chars","symbols":["ab"]})",
                            R"({"tokens":"chars","symbols":[""]})", R"({"tokens":"chars","symbols":[7]})",
                            R"({"tokens":"chars"})", R"({"symbols":["a"]})"})
    EXPECT_THROW(vocabulary(wrong), nlohmann::json::exception) << wrong;
}

TEST(Checkpoint, RefusesOtherFiles) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { load_checkpoint(folder.write("png", "\x89PNG\r\n\x1a\n and more bytes")); }),
                  "header length");
  const std::string other = encode_safetensors({{"a", torch::zeros({2})}}, {});
  expect_contains(error_of([&] { load_checkpoint(folder.write("other", other)); }), "no \"format\"");
  const std::string newer = encode_safetensors({}, {{"format", "charnn-checkpoint-9"}});
  expect_contains(error_of([&] { load_checkpoint(folder.write("newer", newer)); }), "charnn-checkpoint-9");
  const std::string partial = encode_safetensors({}, {{"format", "charnn-checkpoint-1"},
                                                      {"config", "{}"},
                                                      {"vocab", "{\"tokens\":\"chars\",\"symbols\":[1]}"},
                                                      {"train_state", "{}"}});
  expect_contains(error_of([&] { load_checkpoint(folder.write("partial", partial)); }), "metadata");
}

}  // namespace
}  // namespace charnn
