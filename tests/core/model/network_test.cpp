// The network's weights, and its LibTorch module.
#include "core/model/network.h"
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <vector>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/version.h>
#include "core/model/char_rnn.h"
#include "core/model/torch_runtime.h"
#include "kernels/gemm.h"
#include "tests/core/model/reference.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

constexpr Cell all_cells[] = {Cell::rnn, Cell::gru, Cell::lstm};

TEST(NetworkLayout, NamesAndShapesArePyTorchs) {
  const NetworkLayout layout({.cell = Cell::gru, .layers = 2, .hidden = 5, .embedding = 3}, 7);
  std::string names;
  for (const WeightInfo& weight : layout.weights()) names += weight.name + " " + std::to_string(weight.shape[0]) + "\n";
  EXPECT_EQ(names,
            "encoder.weight 7\n"
            "rnn.weight_ih_l0 15\nrnn.weight_hh_l0 15\nrnn.bias_ih_l0 15\nrnn.bias_hh_l0 15\n"
            "rnn.weight_ih_l1 15\nrnn.weight_hh_l1 15\nrnn.bias_ih_l1 15\nrnn.bias_hh_l1 15\n"
            "decoder.weight 7\ndecoder.bias 7\n");
  EXPECT_EQ(layout.size(), 7 * 3 + 15 * (3 + 5 + 2) + 15 * (5 + 5 + 2) + 7 * 5 + 7);
}

TEST(NetworkLayout, IsThatOfTheModule) {
  for (const Cell cell : all_cells) {
    const NetworkLayout layout({.cell = cell, .layers = 3, .hidden = 6, .embedding = 4}, 5);
    const auto parameters = CharRnn(layout).named_parameters();
    ASSERT_EQ(layout.weights().size(), parameters.size());
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const WeightInfo& weight = layout.weights()[i];
      EXPECT_EQ(weight.name, parameters[i].key());
      EXPECT_EQ(weight.shape, parameters[i].value().sizes().vec()) << weight.name;
      EXPECT_EQ(weight.size, parameters[i].value().numel()) << weight.name;
      EXPECT_EQ(weight.offset, offset) << weight.name;
      offset += weight.size;
    }
    EXPECT_EQ(layout.size(), offset);
    EXPECT_EQ(layout.encoder().name, "encoder.weight");
    EXPECT_EQ(layout.rnn(2, NetworkLayout::Part::bias_ih).name, "rnn.bias_ih_l2");
    EXPECT_EQ(layout.decoder_weight().name, "decoder.weight");
    EXPECT_EQ(layout.decoder_bias().name, "decoder.bias");
  }
}

TEST(NetworkLayout, IsKnownForNetworksTooLargeToBeMade) {
  const NetworkLayout huge({.cell = Cell::lstm, .layers = 64, .hidden = 65536, .embedding = 4}, 5);
  EXPECT_GT(huge.size(), 4LL * 65536 * 65536 * 127);
}

TEST(Network, BeginsWithTheModulesWeightsAndKeepsTrainedOnes) {
  const ModelConfig config{.cell = Cell::lstm, .layers = 2, .hidden = 4, .embedding = 3, .forget_bias = 1};
  seed_generators(3);
  const Network fresh(config, 5);
  const std::vector<float> weights = fresh.weights().to_host();
  seed_generators(3);
  const auto parameters = CharRnn(fresh.layout()).named_parameters();
  for (const WeightInfo& weight : fresh.layout().weights()) {
    const auto values =
        std::span(weights).subspan(static_cast<std::size_t>(weight.offset), static_cast<std::size_t>(weight.size));
    const std::vector<float> actual(values.begin(), values.end());
    EXPECT_EQ(test::doubles(actual), test::doubles(parameters[weight.name])) << weight.name;
    if (weight.name.find("bias_") == std::string::npos) continue;
    // The bias of the forget gate is as configured.
    const float expected = weight.name.find("_ih_") != std::string::npos ? 1.0F : 0.0F;
    EXPECT_EQ(std::vector<float>(values.begin() + 4, values.begin() + 8), std::vector<float>(4, expected))
        << weight.name;
  }
  const std::vector<float> trained(weights.size(), 0.25F);
  EXPECT_EQ(Network(fresh.layout(), trained).weights().to_host(), trained);
}

TEST(Network, RefusesBf16WhereTheCpuHasNone) {
  Network network({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 3}, 5);
  if (bf16_unit() == Bf16Unit::none)
    expect_contains(error_of([&] { network.configure({.training = Precision::bf16}); }), "bfloat16");
  else
    network.configure({.training = Precision::bf16});
}

TEST(Network, RefusesOnACpuWhatIsAGpus) {
  Network network({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 3}, 5);
  for (const Precision precision : {Precision::tf32, Precision::fp16}) {
    expect_contains(error_of([&] { network.configure({.training = precision}); }), "on a CPU");
    expect_contains(error_of([&] { network.configure({.evaluation = precision}); }), "a GPU's");
  }
}

TEST(Network, CarriedStateContinuesTheSequence) {
  for (const Cell cell : all_cells) {
    seed_generators(2);
    Network network({.cell = cell, .layers = 2, .hidden = 6, .embedding = 3}, 5);
    const Batch batch = test::random_batch(8, 3, 5, 1);
    Batch half(4, 3, false);
    State at_once = network.zero_state(3), carried = network.zero_state(3);
    std::vector<float> whole(24), part(12);
    network.score_window(batch, at_once, whole);
    for (const std::ptrdiff_t begin : {0, 12}) {
      std::copy_n(batch.input.begin() + begin, 12, half.input.begin());
      std::copy_n(batch.target.begin() + begin, 12, half.target.begin());
      network.score_window(half, carried, part);
      for (std::ptrdiff_t i = 0; i < 12; ++i)
        EXPECT_NEAR(part[static_cast<std::size_t>(i)], whole[static_cast<std::size_t>(begin + i)], 1e-5);
    }
    EXPECT_TRUE(test::all_close(test::doubles(to_rows(carried, carried.h)), test::doubles(to_rows(at_once, at_once.h)),
                                1e-5, 1e-6));
  }
}

TEST(CharRnn, CalculatesInSixteenBitsOnFloatWeights) {
#if TORCH_VERSION_MAJOR >= 2
  const auto types = {torch::kBFloat16, torch::kHalf};
#else
  const auto types = {torch::kBFloat16};  // has no half on a CPU
#endif
  for (const Cell cell : all_cells)
    for (const torch::ScalarType type : types) {
      const DecoderInput decoder = cell == Cell::gru ? DecoderInput::last : DecoderInput::sum;
      seed_generators(2);
      const NetworkLayout layout({.cell = cell, .layers = 2, .hidden = 16, .embedding = 8, .decoder_input = decoder},
                                 9);
      CharRnn network(layout);
      const torch::Tensor ids = torch::randint(9, {6, 3}, torch::kInt64);
      const auto exact = network.forward(ids, network.zero_state(3));
      const auto rounded = network.forward(ids, network.zero_state(3), {}, {}, type);
      EXPECT_EQ(rounded.logits.scalar_type(), torch::kFloat);
      EXPECT_EQ(rounded.state.h.scalar_type(), torch::kFloat);
      EXPECT_TRUE(torch::allclose(rounded.logits, exact.logits, 0.05, 0.02));
      EXPECT_FALSE(torch::equal(rounded.logits, exact.logits));
      rounded.logits.square().sum().backward();
      for (const auto& parameter : network.named_parameters()) {
        ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
        EXPECT_EQ(parameter.value().grad().scalar_type(), torch::kFloat);
      }
    }
}

TEST(CharRnn, CarriedStateContinuesTheSequence) {
  for (const Cell cell : all_cells) {
    torch::manual_seed(2);
    CharRnn module(NetworkLayout({.cell = cell, .layers = 2, .hidden = 6, .embedding = 3}, 5));
    const torch::NoGradGuard no_grad;
    const torch::Tensor ids = torch::randint(0, 5, {8, 3}, torch::kInt64);
    const auto whole = module.forward(ids, module.zero_state(3));
    const auto first = module.forward(ids.slice(0, 0, 4), module.zero_state(3));
    const auto second = module.forward(ids.slice(0, 4, 8), first.state);
    EXPECT_TRUE(torch::allclose(whole.logits.slice(0, 4, 8), second.logits, 1e-5, 1e-6));
    EXPECT_EQ(whole.state.c.defined(), cell == Cell::lstm);
  }
}

/// Expects a mask of that shape that drops about `rate`.
void expect_mask(const torch::Tensor& mask, const std::vector<std::int64_t>& shape, double rate) {
  ASSERT_EQ(mask.sizes().vec(), shape);
  EXPECT_NEAR(mask.eq(0).to(torch::kDouble).mean().item<double>(), rate, 0.05);
  EXPECT_NEAR(mask.max().item<double>(), 1 / (1 - rate), 1e-6);
}

TEST(CharRnn, DrawsMasksAsConfigured) {
  seed_generators(2);
  const CharRnn module(NetworkLayout({.cell = Cell::gru,
                                      .layers = 2,
                                      .hidden = 40,
                                      .embedding = 50,
                                      .dropout = 0.5,
                                      .output_dropout = 0.25,
                                      .input_dropout = 0.4,
                                      .embedding_dropout = 0.3,
                                      .weight_dropout = 0.2,
                                      .dropout_mask = DropoutMask::window},
                                     900));
  const DropoutFactors masks = module.draw_dropout(7, 30, at::detail::createCPUGenerator(2));
  expect_mask(masks.symbols, {900, 1}, 0.3);
  expect_mask(masks.input, {1, 30, 50}, 0.4);
  ASSERT_EQ(masks.outputs.size(), 2U);
  expect_mask(masks.outputs[0], {1, 30, 40}, 0.5);
  expect_mask(masks.outputs[1], {1, 30, 40}, 0.25);
  for (const torch::Tensor& mask : masks.weight_hh) expect_mask(mask, {120, 40}, 0.2);
  const CharRnn plain(NetworkLayout({.layers = 1, .hidden = 40, .embedding = 50, .dropout = 0.5}, 9));
  const DropoutFactors some = plain.draw_dropout(7, 30, at::detail::createCPUGenerator(2));
  expect_mask(some.outputs[0], {7, 30, 40}, 0.5);
  EXPECT_FALSE(some.symbols.defined() || some.input.defined() || some.weight_hh[0].defined());
}

/// Those that are used through LibTorch: a GPU as well, where there is one.
std::vector<Device> torch_devices() {
  const char* wanted = std::getenv("DEVICE");
  if (cuda_devices() == 0) {
    EXPECT_FALSE(wanted != nullptr && std::string_view(wanted) == "cuda") << "LibTorch sees no GPU";
    return {Device::torch};
  }
  set_up_torch(Device::cuda);
  return {Device::torch, Device::cuda};
}

TEST(TorchNetwork, TrainsAsTheCpuPathDoes) {
  for (const Device device : torch_devices())
    for (const Cell cell : all_cells) {
      SCOPED_TRACE(cell_names[static_cast<std::size_t>(cell)]);
      seed_generators(4);
      constexpr std::int64_t V = 11, T = 9, B = 4;
      const NetworkLayout layout({.cell = cell, .layers = 2, .hidden = 19, .embedding = 7}, V);
      const std::vector<float> weights = Network(layout.config(), V).weights().to_host();
      Network by_cpu(layout, weights), by_torch(layout, weights, device);
      State state = test::random_state(layout.config(), B, 1), torch_state = state;
      for (const unsigned window : {0U, 1U, 2U}) {
        // The second and the third have documents; nothing but the first's state comes from the host.
        const Batch batch = test::random_batch(T, B, V, 2 + window, window > 0 ? 0.1 : 0);
        std::vector<float> nats(T * B), torch_nats(T * B);
        const double loss = by_cpu.train_window(batch, state, nats);
        const double torch_loss = by_torch.train_window(batch, torch_state, torch_nats);
        ASSERT_NE(torch_state.device, nullptr);
        test::expect_near(layout, test::trained(torch_loss, torch_state.on_host(), by_torch.gradients().to_host()),
                          test::trained(loss, state, by_cpu.gradients().to_host()), 3e-5);
        EXPECT_TRUE(test::all_close(test::doubles(torch_nats), test::doubles(nats), 1e-5, 1e-5));
        std::vector<float> changed = by_cpu.weights().to_host();
        for (float& weight : changed) weight *= 1.2F;
        for (Network* network : {&by_cpu, &by_torch}) network->change_weights().assign(changed);
      }
    }
}

TEST(TorchNetwork, DropsTheSameAtTheSameSeed) {
  for (const Device device : torch_devices()) {
    const ModelConfig config{.layers = 2,
                             .hidden = 16,
                             .embedding = 7,
                             .dropout = 0.3,
                             .input_dropout = 0.2,
                             .embedding_dropout = 0.2,
                             .weight_dropout = 0.2};
    Network network(config, 11, device);
    const Batch batch = test::random_batch(9, 4, 11, 2, 0.1);
    const auto loss = [&](std::uint64_t seed) {
      State state = network.zero_state(4);
      return network.train_window(batch, state, {}, Network::Step{36, seed});
    };
    const double once = loss(7);
    EXPECT_EQ(loss(7), once);
    EXPECT_NE(loss(8), once);
  }
}

TEST(TorchNetwork, RoundsOnlyWhereItIsAskedTo) {
  for (const Device device : torch_devices()) {
    seed_generators(4);
    Network network({.hidden = 128, .embedding = 30}, 11, device);
    const Batch batch = test::random_batch(9, 8, 11, 2);
    const auto loss = [&](Precision precision) {
      network.configure({.training = precision});
      State state = network.zero_state(8);
      return network.train_window(batch, state);
    };
    const double exact = loss(Precision::fp32), rounded = loss(Precision::bf16);
    EXPECT_NE(rounded, exact);
    EXPECT_NEAR(rounded, exact, 0.02);
    if (device == Device::torch) continue;
    EXPECT_NEAR(loss(Precision::fp16), exact, 0.005);
    EXPECT_NEAR(loss(Precision::tf32), exact, 0.005);
  }
}

TEST(State, CanBeChangedOnADevice) {
  Network network({.layers = 1, .hidden = 4, .embedding = 3}, 5, Device::torch);
  const Batch batch = test::random_batch(3, 2, 5, 1);
  State state = network.zero_state(2);
  network.train_window(batch, state);
  const State host = state.on_host();
  EXPECT_NE(to_rows(host, host.h), std::vector<float>(8));
  const State second = state.columns(1, 1), expected = host.columns(1, 1);
  EXPECT_EQ(to_rows(second, second.h), to_rows(expected, expected.h));
  state.clear(0);
  ASSERT_NE(state.device, nullptr);
  const State kept = state.columns(1, 1), cleared = state.columns(0, 1);
  EXPECT_EQ(to_rows(kept, kept.c), to_rows(expected, expected.c));
  EXPECT_EQ(to_rows(cleared, cleared.h), std::vector<float>(4));
  for (const double skip : {0, 1}) {
    state.device = state.device->zero_where(Scalar(torch::tensor(skip, torch::kDouble)));
    const State after = state.columns(1, 1);
    EXPECT_EQ(to_rows(after, after.c), skip == 0 ? to_rows(expected, expected.c) : std::vector<float>(4));
  }
}

TEST(Scalar, OfADeviceIsAsGoodAsOneThatIsKnown) {
  const auto on_device = [](double value) { return Scalar(torch::tensor(value, torch::kDouble)); };
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const double a : {1.5, -1e-300, infinity, nan})
    for (const double b : {2.0, 1e300, -infinity})
      for (const Scalar& first : {Scalar(a), on_device(a)})
        for (const Scalar& second : {Scalar(b), on_device(b)}) {
          const Scalar added = sum(first, second), flag = not_finite(first, second);
          EXPECT_EQ(added.known(), first.known() && second.known());
          const std::vector<double> read = read_all(std::vector{added, Scalar(7), flag, second});
          const bool finite = std::isfinite(a) && std::isfinite(b);
          EXPECT_TRUE(!finite || read[0] == a + b);
          EXPECT_EQ(std::isnan(read[0]), std::isnan(a + b));
          EXPECT_EQ(read[1], 7);
          EXPECT_EQ(read[2], finite ? 0 : 1) << a << ' ' << b;
          EXPECT_EQ(read[3], b);
        }
}

}  // namespace
}  // namespace charnn
