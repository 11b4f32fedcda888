#include "extras/bench/bench_measure.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "core/base/error.h"
#include "core/model/network.h"
#include "core/sample/generator.h"
#include "core/train/adam.h"
#include "fast/blocked.h"

namespace charnn::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Runs `work` in a child process and brings its figures back. The parent must have no other threads.
template <std::size_t N>
std::array<double, N> in_child(const std::function<std::array<double, N>()>& work) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail_errno("cannot make a pipe", "");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail_errno("cannot start a process to measure in", "");
  if (child == 0) {
    int status = 1;
    try {
      const std::array<double, N> figures = work();
      status = ::write(ends[1], figures.data(), sizeof figures) == sizeof figures ? 0 : 1;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "charnn: %s\n", error.what());
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  std::array<double, N> figures{};
  const bool complete = ::read(ends[0], figures.data(), sizeof figures) == sizeof figures;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!complete || status != 0)
    throw Error(ExitCode::failure, "the process that measured ended early", "figures",
                "see its message above; most often memory ran out: try smaller sizes");
  return figures;
}

/// Bytes of what training must keep: four floats a weight, and for one window the gates and states of every layer, the
/// gradient by one layer's output, and the logits.
double needed_bytes(const BenchCase& b, std::int64_t parameters) {
  const double rows = static_cast<double>(b.batch_size * b.sequence_length);
  const double slots = b.model.cell == Cell::rnn ? 1 : 4, states = b.model.cell == Cell::lstm ? 2 : 1;
  const double outputs = b.model.dropout > 0 ? 1 : 0;
  const double per_row = static_cast<double>(b.model.layers * b.model.hidden) * (slots + states + outputs) +
                         static_cast<double>(b.model.hidden + b.vocabulary);
  return 4 * (4 * static_cast<double>(parameters) + rows * per_row);
}

/// Everything that a training step takes, on random symbols.
class Training {
 public:
  Training(const BenchCase& b, Precision precision, int threads) : model_(b.model, b.vocabulary) {
    model_.use(precision, threads);
    model_.train();
    adam_ = std::make_unique<Adam>(model_.weights(), optimizer_, model_.pool());
    const auto symbols = [&] {
      return torch::randint(0, b.vocabulary, {b.sequence_length, b.batch_size}, torch::kInt64);
    };
    ids_ = symbols();
    targets_ = symbols();
    state_ = model_.zero_state(b.batch_size);
  }

  void step() {
    auto [mean, next] = model_.loss(ids_, targets_, state_);
    adam_->zero_grad();
    mean.backward();
    loss_ = mean.item<double>();
    adam_->step(optimizer_.lr, clip_scale(adam_->gradient_norm(), optimizer_.clip_norm));
    state_ = next;
  }

  double loss() const noexcept { return loss_; }
  std::int64_t parameters() const { return model_.parameter_count(); }

 private:
  const OptimizerConfig optimizer_;
  CharRnn model_;
  std::unique_ptr<Adam> adam_;
  torch::Tensor ids_, targets_;
  State state_;
  double loss_ = 0;
};

std::array<double, 5> train(const BenchCase& b, Precision precision, int threads) {
  torch::set_num_threads(1);
  torch::manual_seed(1);
  // A step of a tiny network brings all of LibTorch that training touches into memory.
  BenchCase tiny{{.layers = 1, .hidden = 16, .embedding = 16}, 16, 1, 1, 0};
  Training(tiny, Precision::fp32, 1).step();
  const double base = peak_megabytes();
  Training training(b, precision, threads);
  for (int warm_up = 0; warm_up < 3; ++warm_up) training.step();
  std::int64_t steps = 0;
  const Clock::time_point start = Clock::now();
  for (; steps < 2 || seconds_since(start) < b.seconds; ++steps) training.step();
  const double rate = static_cast<double>(steps * b.batch_size * b.sequence_length) / seconds_since(start);
  return {rate, peak_megabytes(), base, needed_bytes(b, training.parameters()) / (1 << 20), training.loss()};
}

}  // namespace

TrainRate measure_training(const BenchCase& b, Precision precision, int threads) {
  const auto [rate, peak, base, needed, loss] = in_child<5>([&] { return train(b, precision, threads); });
  return {rate, rate * training_flops(b.model, b.vocabulary) / 1e9, peak, base, needed, loss};
}

double measure_sampling(const BenchCase& b, StepWeights weights, std::int64_t streams, int threads) {
  return in_child<1>([&]() -> std::array<double, 1> {
    torch::manual_seed(1);
    const CharRnn model(b.model, b.vocabulary);
    const Stepper stepper(model, weights, threads);
    std::vector<char32_t> letters(static_cast<std::size_t>(b.vocabulary));
    std::iota(letters.begin(), letters.end(), char32_t{0xe000});  // no surrogates from there on
    const auto sampler =
        std::make_shared<Sampler>(SampleConfig{.temperature = 1}, Vocabulary(Tokens::chars, std::move(letters)));
    Generator generator(stepper, {});
    for (std::int64_t i = 0; i < streams; ++i)
      generator.add(
          {{}, sampler, std::numeric_limits<std::int64_t>::max(), static_cast<std::uint64_t>(i), [](std::int64_t) {
             return true;
           }});
    std::int64_t count = 0;  // steps
    Clock::time_point start;
    while (count < 100 || count % 16 != 0 || seconds_since(start) < b.seconds) {
      if (count++ == 50) start = Clock::now();
      generator.step();
    }
    return {static_cast<double>((count - 50) * streams) / seconds_since(start)};
  })[0];
}

double measure_products(Format format, int threads, double seconds) {
  return in_child<1>([&]() -> std::array<double, 1> {
    constexpr std::int64_t m = 32, k = 256, n = 512;
    ThreadPool pool(threads);
    std::vector<double> rates(static_cast<std::size_t>(threads));
    pool.run(threads, [&](std::int64_t i) {
      const std::int64_t steps = elements(format, k);
      Buffer a, b, c;
      a.reserve(planes(format) * m * steps);
      b.reserve(planes(format) * n * steps);
      c.reserve(m * n);
      const Gemm gemm{.m = m,
                      .k = steps,
                      .panels = n / block_columns,
                      .a = a.floats(),
                      .a_block = m * block_columns,
                      .a_plane = m * steps,
                      .b = b.floats(),
                      .b_panel = steps * block_columns,
                      .b_plane = n * steps,
                      .c = c.floats(),
                      .c_panel = m * block_columns};
      double best = 0;  // of some stretches: what the machine can do, not what its neighbours leave of it
      const Clock::time_point start = Clock::now();
      while (seconds_since(start) < seconds) {
        constexpr int products = 200;
        const Clock::time_point stretch = Clock::now();
        for (int j = 0; j < products; ++j) multiply(format, gemm);
        best = std::max(best, products * 2.0 * m * n * k / seconds_since(stretch) / 1e9);
      }
      rates[static_cast<std::size_t>(i)] = best;
    });
    double sum = 0;
    for (const double rate : rates) sum += rate;
    return {sum};
  })[0];
}

}  // namespace charnn::cli
