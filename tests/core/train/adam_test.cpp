#include "core/train/adam.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/io/safetensors.h"
#include "core/model/torch_runtime.h"
#include "tests/support.h"

namespace charnn {
namespace {

const ModelConfig tiny{.cell = Cell::rnn, .layers = 1, .hidden = 1, .embedding = 1};  // 10 weights with 2 symbols

std::vector<float> numbers(std::int64_t count, const std::function<double(std::int64_t)>& number) {
  std::vector<float> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(static_cast<float>(number(i)));
  return all;
}

/// Some gradient, different at every step.
std::vector<float> gradient(std::int64_t count, std::int64_t step) {
  return numbers(count, [&](std::int64_t i) { return 0.25 * static_cast<double>((7 * i + 5 * step) % 11 - 5); });
}

TEST(Adam, FollowsTorchOptimAdam) {
  const OptimizerConfig config{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .l2_penalty = 0.01, .clip_norm = 0.5};
  Network network(NetworkLayout(tiny, 2),
                  numbers(10, [](std::int64_t i) { return 0.1 * (static_cast<double>(i) - 4.5); }));
  Adam adam(network, config);
  for (std::int64_t step = 0; step < 20; ++step) {
    network.gradients().assign(gradient(10, step));
    adam.step(0.01 * static_cast<double>(step + 1), 1);  // the rate may change at every step
  }
  // From torch.optim.Adam (LibTorch 1.13), with the same weights and half the gradients.
  const std::vector<double> expected{-0.481616467, -0.294054151, -0.0712058246, -0.339666188, -0.123070344,
                                     0.213515252,  0.158701733,  0.00362259988, 0.408735484,  0.508684635};
  const std::vector<float> weights = network.weights().to_host();
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(static_cast<double>(weights[i]), expected[i], 1e-6 + 1e-5 * std::abs(expected[i])) << i;
  EXPECT_EQ(adam.steps(), 20);
}

TEST(Adam, DecayIsThatOfAdamWAndSparesBiases) {
  const NetworkLayout layout({.cell = Cell::lstm, .layers = 2, .hidden = 3, .embedding = 2}, 4);
  const std::vector<float> first =
      numbers(layout.size(), [](std::int64_t i) { return 0.5 + std::cos(static_cast<double>(i)); });
  const auto after = [&](double decay) {
    const OptimizerConfig config{.weight_decay = decay};
    Network network(layout, first);
    Adam adam(network, config);
    network.gradients().assign(gradient(layout.size(), 1));
    adam.step(0.01);
    return network.weights().to_host();
  };
  const std::vector<float> plain = after(0), decayed = after(3);
  for (const WeightInfo& weight : layout.weights())
    for (auto i = static_cast<std::size_t>(weight.offset); std::cmp_less(i, weight.offset + weight.size); ++i) {
      const double lost = weight.name.find("bias") == std::string::npos ? 0.01 * 3 * static_cast<double>(first[i]) : 0;
      EXPECT_NEAR(static_cast<double>(plain[i] - decayed[i]), lost, 1e-6) << weight.name;
    }
}

TEST(Adam, FollowsItsFormulasWhateverTheThreads) {
  const OptimizerConfig config{.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .l2_penalty = 0.1};
  const NetworkLayout layout({.cell = Cell::gru, .layers = 1, .hidden = 80, .embedding = 100}, 99);
  const std::int64_t count = layout.size();
  ASSERT_GT(count, 3 * (1 << 14)) << "enough for several threads";
  const std::vector<float> first = numbers(count, [](std::int64_t i) { return std::sin(static_cast<double>(i)); });
  std::string bytes;
  for (const int threads : {1, 3}) {
    Network network(layout, first);
    network.configure({.threads = threads});
    Adam adam(network, config);
    for (std::int64_t step = 0; step < 5; ++step) {
      network.gradients().assign(gradient(count, step));
      adam.step(0.02);
    }
    const std::vector<float> weights = network.weights().to_host(), exp_avg = adam.exp_avg().to_host(),
                             exp_avg_sq = adam.exp_avg_sq().to_host();
    double furthest = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      double w = static_cast<double>(first[i]), m = 0, v = 0;
      for (std::int64_t t = 1; t <= 5; ++t) {
        const double g =
            0.25 * static_cast<double>((7 * static_cast<std::int64_t>(i) + 5 * (t - 1)) % 11 - 5) + 0.1 * w;
        m = 0.8 * m + 0.2 * g;
        v = 0.95 * v + 0.05 * g * g;
        const auto n = static_cast<double>(t);
        w -= 0.02 * (m / (1 - std::pow(0.8, n))) / (std::sqrt(v / (1 - std::pow(0.95, n))) + 1e-3);
      }
      furthest =
          std::max({furthest, std::abs(static_cast<double>(weights[i]) - w),
                    std::abs(static_cast<double>(exp_avg[i]) - m), std::abs(static_cast<double>(exp_avg_sq[i]) - v)});
    }
    EXPECT_LT(furthest, 2e-6);
    if (bytes.empty()) bytes = bytes_of(weights);
    EXPECT_TRUE(bytes == bytes_of(weights)) << threads << " threads";
  }
}

TEST(Adam, AConstantGradientMovesEveryWeightByTheRate) {
  // Its mean is itself, and the root of its mean square its size: bias correction makes that true from the first step.
  Network network(NetworkLayout(tiny, 2), std::vector<float>(10));
  network.gradients().assign(std::vector<float>{1e-3F, -1e-3F, 5, -5, 100, -100, 0, 1, 1, 1});
  const OptimizerConfig config;
  Adam adam(network, config);
  for (int step = 1; step <= 3; ++step) {
    adam.step(0.125);
    const std::vector<float> weights = network.weights().to_host();
    const double moved = 0.125 * step;
    for (const std::size_t i : {0U, 2U, 4U, 7U}) EXPECT_NEAR(static_cast<double>(weights[i]), -moved, 1e-5) << i;
    for (const std::size_t i : {1U, 3U, 5U}) EXPECT_NEAR(static_cast<double>(weights[i]), moved, 1e-5) << i;
    EXPECT_EQ(weights[6], 0);
  }
}

TEST(Adam, TakesTheSameStepsOnADevice) {
  const auto after = [](Device device, const OptimizerConfig& config) {
    const NetworkLayout layout({.cell = Cell::lstm, .layers = 2, .hidden = 3, .embedding = 2}, 4);
    Network network(layout, numbers(layout.size(), [](std::int64_t i) { return std::cos(static_cast<double>(i)); }),
                    device);
    Adam adam(network, config);
    for (std::int64_t step = 0; step < 5; ++step) {
      network.gradients().assign(gradient(layout.size(), step));
      adam.step(0.01, adam.gradient_norm());
    }
    std::vector<float> all = network.weights().to_host();
    for (const FlatArray* array : {&adam.exp_avg(), &adam.exp_avg_sq(), adam.average()})
      for (const float value : array->to_host()) all.push_back(value);
    return all;
  };
  for (const double clip_norm : {0.0, 2.0})
    for (const double decay : {0.0, 0.5})
      for (const double l2 : {0.0, 0.1})
        for (const std::vector<std::string>& freeze : {std::vector<std::string>{}, {"rnn.0"}}) {
          OptimizerConfig config{.weight_decay = decay, .l2_penalty = l2, .clip_norm = clip_norm, .average_decay = 0.8};
          config.freeze = freeze;
          const std::vector<float> expected = after(Device::cpu, config), seen = after(Device::torch, config);
          for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(seen[i], expected[i], 2e-6) << i;
        }
}

TEST(Adam, NormIsThatOfAllGradientsTogether) {
  const OptimizerConfig config;
  Network network({.cell = Cell::rnn, .layers = 1, .hidden = 5, .embedding = 100}, 300);
  const NetworkLayout& layout = network.layout();
  std::vector<float> gradients(static_cast<std::size_t>(layout.size()));
  std::fill_n(gradients.begin() + layout.encoder().offset, 30000, 3.0F);
  std::fill_n(gradients.begin() + layout.decoder_bias().offset, 300, 4.0F);
  network.gradients().assign(gradients);
  const double norm = Adam(network, config).gradient_norm();
  EXPECT_NEAR(norm, std::sqrt(30000 * 9.0 + 300 * 16.0), 1e-4);
  network.configure({.threads = 3});
  EXPECT_EQ(norm, Adam(network, config).gradient_norm());
}

TEST(Adam, AveragesTheWeightsFromTheFirstStepOn) {
  OptimizerConfig config;
  config.average_decay = 0.75;
  Network network(tiny, 2);
  Adam adam(network, config);
  EXPECT_EQ(adam.average()->to_host(), network.weights().to_host());
  std::vector<double> sum(10);  // of the weights after each step, older ones weighing less
  double all = 0;
  for (std::int64_t step = 0; step < 6; ++step) {
    network.gradients().assign(gradient(10, step));
    adam.step(0.1);
    const std::vector<float> weights = network.weights().to_host(), average = adam.average()->to_host();
    all = 0.75 * all + 1;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] = 0.75 * sum[i] + static_cast<double>(weights[i]);
      EXPECT_NEAR(static_cast<double>(average[i]), sum[i] / all, 1e-6) << step;
    }
  }
  const std::vector<float> trained = network.weights().to_host();
  {
    const AveragedWeights averaged(network, adam);
    EXPECT_EQ(network.weights().to_host(), adam.average()->to_host());
    EXPECT_NE(network.weights().to_host(), trained);
  }
  EXPECT_EQ(network.weights().to_host(), trained);
}

TEST(Adam, ClippingScalesDownOnly) {
  EXPECT_EQ(clip_scale(5, 0), 1) << "0 is no limit";
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_NEAR(clip_scale(5, 2), 0.4, 1e-6);
}

TEST(Adam, MomentsThatDoNotFitAreRefused) {
  const OptimizerConfig config;
  Network network(tiny, 2);
  Adam adam(network, config);
  for (const std::size_t size : {0U, 1U, 9U, 11U}) {
    const std::vector<float> right(10), wrong(size);
    test::expect_contains(test::error_of([&] { adam.restore(wrong, right, 3); }), "for the 10 weights");
    test::expect_contains(test::error_of([&] { adam.restore(right, wrong, 3); }), "for the 10 weights");
  }
  EXPECT_EQ(adam.steps(), 0);
}

TEST(Adam, FrozenLayersStayBitForBit) {
  Network network({.cell = Cell::gru, .layers = 2, .hidden = 8, .embedding = 4}, 5);
  const NetworkLayout& layout = network.layout();
  network.gradients().assign(numbers(layout.size(), [](std::int64_t) { return 1; }));
  const auto frozen = [&](const std::vector<std::string>& layers) {
    OptimizerConfig config;
    config.freeze = layers;
    Adam adam(network, config);
    const std::vector<float> before = network.weights().to_host();
    const double norm = adam.gradient_norm();
    adam.step(0.1);
    const std::vector<float> after = network.weights().to_host();
    std::int64_t trained = 0;
    std::vector<std::string> same;
    for (const WeightInfo& weight : layout.weights()) {
      const auto part = [&](const std::vector<float>& all) {
        return bytes_of(
            std::span(all).subspan(static_cast<std::size_t>(weight.offset), static_cast<std::size_t>(weight.size)));
      };
      if (part(before) == part(after)) {
        same.push_back(weight.name);
        continue;
      }
      trained += weight.size;
      for (std::int64_t i = weight.offset; i < weight.offset + weight.size; ++i)
        EXPECT_NE(before[static_cast<std::size_t>(i)], after[static_cast<std::size_t>(i)]) << weight.name;
    }
    EXPECT_NEAR(norm, std::sqrt(static_cast<double>(trained)), 1e-6) << "frozen gradients count for nothing";
    return same;
  };
  using Names = std::vector<std::string>;
  const auto recurrent = [](int l) {
    return Names{fmt::format("rnn.weight_ih_l{}", l), fmt::format("rnn.weight_hh_l{}", l),
                 fmt::format("rnn.bias_ih_l{}", l), fmt::format("rnn.bias_hh_l{}", l)};
  };
  EXPECT_EQ(frozen({}), Names{});
  EXPECT_EQ(frozen({"encoder"}), Names{"encoder.weight"});
  EXPECT_EQ(frozen({"rnn.1"}), recurrent(1));
  EXPECT_EQ(frozen({"rnn"}).size(), 8U);
  EXPECT_EQ(frozen({"decoder", "rnn.0"}).size(), 6U);
  const auto refusal = [&](const Names& layers) { return test::error_of([&] { frozen(layers); }); };
  for (const char* wrong : {"rnn.2", "rnn.", "", ".", "rn", "encoder.0", "rnn.0.1", "weight"})
    test::expect_contains(refusal({wrong}), "no such layer");
  test::expect_contains(refusal({"encoder", "rnn", "decoder"}), "all layers");
}

}  // namespace
}  // namespace charnn
