// The CPU path against LibTorch's modules in double precision, over one table of cases.
#include "fast/fast_network.h"
#include <cmath>
#include <numeric>
#include <string>
#include <gtest/gtest.h>
#include "core/base/error.h"
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "kernels/gemm.h"
#include "kernels/thread_pool.h"
#include "tests/core/model/reference.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::expect_near;
using test::expect_same;
using test::Trained;

struct Case {
  Cell cell;
  std::int64_t layers, hidden, embedding, vocabulary, batch, steps;
  int threads;
  double starts = 0;  ///< share of symbols with which a document starts
  DecoderInput decoder_input = DecoderInput::last;
};

/// A network, a window of text, and a state to begin from.
struct Scene {
  explicit Scene(const Case& k)
      : network({.cell = k.cell,
                 .layers = k.layers,
                 .hidden = k.hidden,
                 .embedding = k.embedding,
                 .decoder_input = k.decoder_input},
                (seed_generators(11), k.vocabulary)),
        batch(test::random_batch(k.steps, k.batch, k.vocabulary, 12, k.starts)),
        state(test::random_state(network.config(), k.batch, 13)) {}

  Trained fast(Precision precision, int threads) {
    network.configure({.training = precision, .threads = threads});
    return test::train(network, batch, state);
  }

  /// The same with floats as they are, as on CPUs that split none into parts.
  Trained plain_floats(int threads) const {
    ThreadPool pool(threads);
    FastNetwork plain(network.layout(), Format::f32, pool);
    FastWindow window{batch.steps, batch.streams, batch.input.data(), batch.target.data(),
                      batch.starts.empty() ? nullptr : batch.starts.data()};
    window.training = true;
    window.gradient_scale = 1.0F / static_cast<float>(batch.input.size());
    State next = state;
    std::vector<float> nats(batch.input.size()), gradients(static_cast<std::size_t>(network.layout().size()), 9.0F);
    plain.forward(network.weights().data(), window, next);
    plain.copy_nats(nats);
    plain.backward(gradients.data());
    const double loss = std::accumulate(nats.begin(), nats.end(), 0.0) / static_cast<double>(nats.size());
    return test::trained(loss, next, gradients);
  }

  Trained reference() const {
    return test::train_reference(network.layout(), network.weights().to_host(), batch, state);
  }

  void expect_near_reference(const Trained& actual, double tolerance) const {
    expect_near(network.layout(), actual, reference(), tolerance);
  }

  Network network;
  Batch batch;
  State state;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    all.push_back({cell, 1, 16, 16, 16, 1, 1, 1});
    all.push_back({cell, 1, 1, 1, 2, 1, 3, 1});
    all.push_back({cell, 2, 32, 8, 20, 4, 9, 1});
    all.push_back({cell, 2, 19, 7, 11, 5, 13, 3});
    all.push_back({cell, 3, 87, 33, 65, 7, 6, 2});
    all.push_back({cell, 1, 130, 64, 300, 3, 40, 2});  // more symbols than occur
    all.push_back({cell, 2, 128, 64, 65, 50, 12, 2});
    all.push_back({cell, 2, 32, 8, 20, 4, 9, 1, 0.2});
    all.push_back({cell, 2, 48, 24, 33, 7, 90, 3, 0.05});
    all.push_back({cell, 1, 19, 7, 11, 5, 4, 2, 1});
    all.push_back({cell, 3, 19, 7, 11, 5, 90, 2, 0.05, DecoderInput::sum});
    all.push_back({cell, 2, 48, 24, 33, 3, 300, 5});  // many rows of gradients; more threads than streams
  }
  all.push_back({Cell::lstm, 1, 256, 16, 16, 16, 550, 2});  // gradients in several stretches of rows
  return all;
}

class FastNetworkTest : public testing::TestWithParam<Case> {};

TEST_P(FastNetworkTest, MatchesTheReference) {
  Scene scene(GetParam());
  scene.expect_near_reference(scene.fast(Precision::fp32, GetParam().threads), 3e-5);
}

TEST_P(FastNetworkTest, PlainFloatsMatchTheReference) {
  const Scene scene(GetParam());
  const Trained result = scene.plain_floats(GetParam().threads);
  scene.expect_near_reference(result, 3e-5);
  expect_same(result, scene.plain_floats(2));
}

TEST_P(FastNetworkTest, Bf16StaysNearTheReference) {
  if (bf16_unit() == Bf16Unit::none) GTEST_SKIP() << "this CPU cannot multiply bf16";
  Scene scene(GetParam());
  scene.expect_near_reference(scene.fast(Precision::bf16, GetParam().threads), 0.05);
}

TEST_P(FastNetworkTest, ThreadsChangeNoBit) {
  Scene scene(GetParam());
  expect_same(scene.fast(Precision::fp32, 1), scene.fast(Precision::fp32, 4));
  if (bf16_unit() != Bf16Unit::none) expect_same(scene.fast(Precision::bf16, 1), scene.fast(Precision::bf16, 3));
}

INSTANTIATE_TEST_SUITE_P(Cases, FastNetworkTest, testing::ValuesIn(cases()), [](const auto& k) {
  const Case& c = k.param;
  return std::string(cell_names[static_cast<std::size_t>(c.cell)]) + "_" + std::to_string(c.layers) + "x" +
         std::to_string(c.hidden) + "_V" + std::to_string(c.vocabulary) + "_B" + std::to_string(c.batch) + "_T" +
         std::to_string(c.steps) + "_threads" + std::to_string(c.threads) +
         (c.decoder_input == DecoderInput::sum ? "_sum" : "") +
         (c.starts > 0 ? "_documents" + std::to_string(static_cast<int>(100 * c.starts)) : "");
});

TEST(FastNetwork, SymbolsOutsideTheVocabularyAreRefused) {
  Scene scene({Cell::rnn, 1, 4, 3, 5, 2, 3, 1});
  for (const std::int64_t id : {-1, 5}) {
    scene.batch.input[4] = id;
    test::expect_contains(test::error_of([&] { scene.fast(Precision::fp32, 1); }), "symbol " + std::to_string(id));
  }
}

}  // namespace
}  // namespace charnn
