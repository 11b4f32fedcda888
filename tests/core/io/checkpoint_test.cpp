#include "core/io/checkpoint.h"
#include <functional>
#include <limits>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/files.h"
#include "core/base/random.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

Checkpoint example() {
  const NetworkLayout layout({.cell = Cell::lstm, .layers = 1, .hidden = 4, .embedding = 3}, 3);
  Random random(5);
  const auto numbers = [&](std::size_t count, double from, double to) {
    std::vector<float> all(count);
    for (float& number : all) number = static_cast<float>(from + (to - from) * random.uniform());
    return all;
  };
  const auto size = static_cast<std::size_t>(layout.size());
  Checkpoint c{R"({"model":{"cell":"lstm","layers":1,"hidden":4,"embedding":3}})",
               Vocabulary(Tokens::chars, {U'\n', U'a', U'é'}),
               {},
               layout,
               numbers(size, -1, 1),
               numbers(size, -1, 1),
               numbers(size, 0, 1),
               State::zeros(layout.config(), 2),
               capture_generators()};
  from_rows(numbers(8, -1, 1), c.state, c.state.h);
  from_rows(numbers(8, -3, 3), c.state, c.state.c);
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
             .guard = {{0.1, 0.3}, 1.25, 400, 1, 7, 1},
             .watch = {1.1, 0.2, -3, 4, 12.5, 6, 1.75, 2, {"overfitting", "vanished"}}};
  return c;
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
  EXPECT_EQ(loaded.train.watch.warnings_given, saved.train.watch.warnings_given);
  EXPECT_EQ(loaded.layout.config().cell, Cell::lstm);
  EXPECT_EQ(loaded.layout.config().hidden, 4);
  EXPECT_EQ(loaded.layout.size(), saved.layout.size());
  EXPECT_EQ(loaded.weights, saved.weights);
  EXPECT_EQ(loaded.exp_avg, saved.exp_avg);
  EXPECT_EQ(loaded.exp_avg_sq, saved.exp_avg_sq);
  EXPECT_TRUE(loaded.average.empty());
  EXPECT_EQ(loaded.state.streams, 2);
  EXPECT_EQ(loaded.state.h, saved.state.h);
  EXPECT_EQ(loaded.state.c, saved.state.c);
  EXPECT_EQ(loaded.generators, saved.generators);
  save_checkpoint(folder / "b", loaded);
  EXPECT_EQ(read_file(folder / "a", "file"), read_file(folder / "b", "file"));
}

TEST(Checkpoint, KeepsAveragedWeightsIfThereAreAny) {
  const test::TemporaryFolder folder;
  Checkpoint saved = example();
  EXPECT_EQ(saved.best_weights(), saved.weights);
  saved.average = saved.exp_avg;
  save_checkpoint(folder / "a", saved);
  const Checkpoint loaded = load_checkpoint(folder / "a");
  EXPECT_EQ(loaded.average, saved.average);
  EXPECT_EQ(loaded.best_weights(), saved.average);
  EXPECT_EQ(loaded.weights, saved.weights);
}

TEST(Checkpoint, AnOlderProgressIsUnderstood) {
  nlohmann::json json = train_state_to_json(example().train);
  for (const char* newer : {"rate", "guard", "watch", "evals_since_best"}) json.erase(newer);
  const TrainState state = train_state_from_json(json, "run");
  EXPECT_EQ(state.step, 12);
  EXPECT_EQ(state.rate.factor, 1);
  json.erase("step");
  EXPECT_THROW(train_state_from_json(json, "run"), nlohmann::json::exception);
}

TEST(Checkpoint, GeneratorGoesOnWhereItWas) {
  const auto draw = [] {
    std::vector<std::uint64_t> drawn;
    for (int i = 0; i < 5; ++i) drawn.push_back(draw_seed());
    return drawn;
  };
  seed_generators(9);
  draw_seed();
  const GeneratorStates states = capture_generators();
  const std::vector<std::uint64_t> expected = draw();
  seed_generators(1);
  EXPECT_NE(draw(), expected);
  restore_generators(states);
  EXPECT_EQ(draw(), expected);
  for (const std::size_t size : {0U, 3U})
    expect_contains(error_of([&] {
                      restore_generators({{"torch_cpu", std::string(size, '\0')}});
                    }),
                    fmt::format("rng.torch_cpu of {} bytes", size));
}

/// The message that refuses the example once it is `spoil`ed.
std::string refusal(const std::function<void(Checkpoint&)>& spoil) {
  const test::TemporaryFolder folder;
  Checkpoint c = example();
  spoil(c);
  save_checkpoint(folder / "c", c);
  return error_of([&] { load_checkpoint(folder / "c"); });
}

TEST(Checkpoint, RefusesWhatTrainingNeverMakes) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto at = [](const Checkpoint& c, NetworkLayout::Part part) {
    return static_cast<std::size_t>(c.layout.rnn(0, part).offset);
  };
  expect_contains(refusal([&](Checkpoint& c) { c.weights[1] = nan; }),
                  "tensor model.encoder.weight contains NaN or infinity");
  expect_contains(refusal([&](Checkpoint& c) { c.exp_avg[at(c, NetworkLayout::Part::weight_hh) + 1] = infinity; }),
                  "tensor optimizer.exp_avg.rnn.weight_hh_l0 contains NaN or infinity");
  expect_contains(refusal([&](Checkpoint& c) { c.exp_avg_sq[at(c, NetworkLayout::Part::bias_ih)] = -1; }),
                  "tensor optimizer.exp_avg_sq.rnn.bias_ih_l0 has negative values");
  expect_contains(refusal([&](Checkpoint& c) { c.state.h[1] = nan; }), "tensor state.h contains NaN or infinity");
  expect_contains(refusal([&](Checkpoint& c) { c.state.c[1] = nan; }), "tensor state.c contains NaN or infinity");
  expect_contains(refusal([&](Checkpoint& c) { c.train.step = -1; }), "train_state: step = -1");
  expect_contains(refusal([&](Checkpoint& c) { c.train.chars = std::int64_t{1} << 60; }),
                  "train_state: chars = 1152921504606846976");
}

TEST(Checkpoint, TensorsMustBeThoseOfItsConfig) {
  const auto with = [](const char* model) {
    return refusal([&](Checkpoint& c) { c.config = std::string(R"({"model":)") + model + "}"; });
  };
  const std::string wider = with(R"({"cell":"lstm","layers":1,"hidden":5,"embedding":3})");
  expect_contains(wider, "tensor model.rnn.weight_ih_l0 has shape [16, 3]");
  expect_contains(wider, "32-bit floats of shape [20, 3]");
  expect_contains(wider, "does not fit its own config");
  expect_contains(with(R"({"cell":"lstm","layers":2,"hidden":4,"embedding":3})"),
                  "tensor model.rnn.weight_ih_l1 is missing");
  expect_contains(with(R"({"cell":"lstm","hidden":0})"), "model.hidden");
  expect_contains(with("[]"), "an object");
  expect_contains(refusal([](Checkpoint& c) { c.config = "{}"; }), "metadata as charnn writes it");
  expect_contains(refusal([](Checkpoint& c) {
                    c.vocabulary = Vocabulary(Tokens::chars, {U'a', U'b'});
                  }),
                  "tensor model.encoder.weight has shape [3, 3]");
  // Two layers saved, of which the config knows one.
  expect_contains(refusal([](Checkpoint& c) {
                    ModelConfig two = c.layout.config();
                    two.layers = 2;
                    c.layout = NetworkLayout(two, 3);
                    for (std::vector<float>* part : {&c.weights, &c.exp_avg, &c.exp_avg_sq})
                      part->assign(static_cast<std::size_t>(c.layout.size()), 0.5F);
                  }),
                  "unknown tensor \"model.rnn.weight_ih_l1\"");
  expect_contains(refusal([](Checkpoint& c) { c.state.has_c = false; }), "tensor state.c is missing");
  expect_contains(
      refusal([](Checkpoint& c) { c.state = State::zeros({.cell = Cell::lstm, .layers = 1, .hidden = 3}, 2); }),
      "tensor state.h has shape [1, 2, 3]");
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
  const std::string other = encode_safetensors({{"a", Dtype::f32, {2}, std::string(8, '\0')}}, {});
  expect_contains(error_of([&] { load_checkpoint(folder.write("other", other)); }), "no \"format\"");
  save_checkpoint(folder / "c", example());
  SafeTensors file = read_safetensors(folder / "c", "checkpoint");
  file.tensors.push_back({"model\x1b", Dtype::f32, {0}});
  file.metadata.erase("checksum");
  const std::string unknown = encode_safetensors(file.tensors, {file.metadata.begin(), file.metadata.end()});
  expect_contains(error_of([&] { load_checkpoint(folder.write("unknown", unknown)); }),
                  "unknown tensor \"model\\u001b\"");
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
