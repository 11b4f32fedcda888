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
#include "core/base/random.h"
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "core/sample/generator.h"
#include "core/train/adam.h"
#include "kernels/matrix.h"
#include "kernels/thread_pool.h"

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
  Training(const BenchCase& b, Precision precision, int threads)
      : network_(b.model, b.vocabulary),
        adam_(network_, optimizer_),
        batch_(b.sequence_length, b.batch_size, /*has_documents=*/false),
        state_(network_.zero_state(b.batch_size)) {
    network_.configure_cpu({.training = precision, .threads = threads});
    Random random(1);
    for (auto* symbols : {&batch_.input, &batch_.target})
      for (std::int64_t& id : *symbols)
        id = static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(b.vocabulary));
  }

  void step() {
    loss_ = network_.train_window(batch_, state_);
    adam_.step(optimizer_.lr, clip_scale(adam_.gradient_norm(), optimizer_.clip_norm));
  }

  double loss() const noexcept { return loss_; }
  std::int64_t parameters() const { return network_.layout().size(); }

 private:
  const OptimizerConfig optimizer_;
  Network network_;
  Adam adam_;
  Batch batch_;
  State state_;
  double loss_ = 0;
};

std::array<double, 5> train(const BenchCase& b, Precision precision, int threads) {
  set_up_torch(Device::cpu);
  seed_generators(1);
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
    seed_generators(1);
    const Network network(b.model, b.vocabulary);
    Stepper stepper(network.layout(), network.weights().to_host(), weights, threads);
    std::vector<char32_t> letters(static_cast<std::size_t>(b.vocabulary));
    std::iota(letters.begin(), letters.end(), char32_t{0xe000});  // no surrogates from there on
    const Vocabulary vocabulary(Tokens::chars, std::move(letters));
    const auto sampler = std::make_shared<Sampler>(SampleConfig{.temperature = 1}, vocabulary);
    Generator generator(stepper, vocabulary, {});
    for (std::int64_t i = 0; i < streams; ++i)
      generator.add({.prompt = {},
                     .sampler = sampler,
                     .length = std::numeric_limits<std::int64_t>::max(),
                     .seed = static_cast<std::uint64_t>(i),
                     .on_text = [](const TextPiece&) { return true; }});
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
      Buffer a, b, c;
      a.reserve(m * k);
      b.reserve(k * n);
      c.reserve(m * n);
      LeftMatrix left;
      left.bind(format, a.floats(), m * block_width, k / block_width, m);
      RightMatrix right;
      ThreadPool alone(1);
      right.pack(b.floats(), {k, k / block_width, {0}, n}, {n, n / block_width, {0}, 1}, format, alone);
      double best = 0;  // of some stretches: what the machine can do, not what its neighbours leave of it
      const Clock::time_point start = Clock::now();
      while (seconds_since(start) < seconds) {
        constexpr int products = 200;
        const Clock::time_point stretch = Clock::now();
        for (int j = 0; j < products; ++j)
          multiply(left.rows(0, m), right, {0, n / block_width}, {c.floats(), m * block_width});
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
