#include "extras/bench/bench_measure.h"
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <numeric>
#include <sys/resource.h>
#include <sys/wait.h>
#include <type_traits>
#include <unistd.h>
#include "core/base/error.h"
#include "core/base/random.h"
#include "core/cli/runtime.h"
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "core/sample/generator.h"
#include "core/train/adam.h"
#include "core/train/evaluate.h"
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

/// Calls `measure` in a child process and returns its result. This process must have no other threads.
template <class Measure>
auto in_child(const Measure& measure) {
  decltype(measure()) result{};
  static_assert(std::is_trivially_copyable_v<decltype(result)>);
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail_errno("cannot create a pipe", "");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail_errno("cannot start a process to measure in", "");
  if (child == 0) {
    int status = 1;
    try {
      result = measure();
      status = ::write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "charnn: %s\n", error.what());
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  const bool complete = ::read(ends[0], &result, sizeof result) == sizeof result;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!complete || status != 0)
    throw Error(ExitCode::failure, "the measuring process ended early", "",
                "see its message above; usually memory ran out: try smaller sizes");
  return result;
}

/// Memory that training must keep: four floats per weight and, for one window, the gates and states of every layer, the
/// gradient of one layer's output, and the logits.
double needed_megabytes(const BenchCase& b) {
  const CellKind& cell = kind_of(b.model.cell);
  const std::int64_t values_per_unit = cell.slots + (cell.has_c ? 2 : 1) + (b.model.dropout > 0 ? 1 : 0);
  const std::int64_t per_row = b.model.layers * b.model.hidden * values_per_unit + b.model.hidden + b.vocabulary;
  const std::int64_t parameters = NetworkLayout(b.model, b.vocabulary).size();
  return static_cast<double>(4 * parameters + b.batch_size * b.sequence_length * per_row) * sizeof(float) / (1 << 20);
}

/// Takes training steps on random symbols until done(number of steps) is true; returns the last loss. Waits for a GPU
/// as seldom as training does.
template <class Done>
double train(const BenchCase& b, Device device, Precision precision, int threads, const Done& done) {
  const OptimizerConfig optimizer;
  Network network(b.model, b.vocabulary, device);
  network.configure({.training = precision, .threads = threads});
  Adam adam(network, optimizer);
  Batch batch(b.sequence_length, b.batch_size, /*has_documents=*/false);
  Random random(1);
  for (auto* symbols : {&batch.input, &batch.target})
    for (std::int64_t& id : *symbols)
      id = static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(b.vocabulary));
  State state = network.zero_state(b.batch_size);
  const std::int64_t every = TrainConfig{}.log_every;
  for (std::int64_t steps = 1;; ++steps) {
    const Scalar loss = network.train_window(batch, state), norm = adam.gradient_norm();
    adam.step(optimizer.lr, norm, not_finite(loss, norm));
    if (!loss.known() && steps > every && steps % every != 0) continue;
    if (const double waited = loss; done(steps)) return waited;
  }
}
}  // namespace

MeasuredDevice measured_device(DeviceChoice choice) {
  const auto gpu = [] { return MeasuredDevice{Device::cuda, has_fast_bf16(Device::cuda)}; };
  if (!is_cpu(choice) && in_child(cuda_devices) > 0) return in_child(gpu);
  const Device device = prepare_device(choice);
  return {device, has_fast_bf16(device)};
}

TrainRate measure_training(const BenchCase& b, Precision precision, int threads) {
  return in_child([&] {
    const Device device = prepare_device(b.device);
    seed_generators(1);
    // A step of a tiny network loads everything of LibTorch that training uses.
    const BenchCase tiny{{.layers = 1, .hidden = 16, .embedding = 16}, 16, 1, 1, 0};
    train(tiny, device, Precision::fp32, 1, [](std::int64_t steps) { return steps == 1; });
    TrainRate rate{.base_mb = peak_megabytes(), .needed_mb = needed_megabytes(b)};
    constexpr std::int64_t warm_up = 3;
    Clock::time_point start;
    rate.loss = train(b, device, precision, threads, [&](std::int64_t steps) {
      if (steps == warm_up) start = Clock::now();
      if (steps < warm_up + 2 || seconds_since(start) < b.seconds) return false;
      const std::int64_t chars = (steps - warm_up) * b.batch_size * b.sequence_length;
      rate.chars_per_second = static_cast<double>(chars) / seconds_since(start);
      return true;
    });
    rate.gflops = rate.chars_per_second * training_flops(b.model, b.vocabulary) / 1e9;
    rate.peak_mb = peak_megabytes();
    return rate;
  });
}

double measure_scoring(const BenchCase& b, Precision precision, int threads) {
  return in_child([&] {
    Network network(b.model, b.vocabulary, prepare_device(b.device));
    network.configure({.evaluation = precision, .threads = threads});
    std::int64_t times = 0;
    double seconds = 0;  // per symbol
    for (const Clock::time_point start = Clock::now(); times == 0 || seconds_since(start) < b.seconds; ++times)
      seconds += evaluation_seconds(network, 1);
    return static_cast<double>(times) / seconds;
  });
}

double measure_sampling(const BenchCase& b, StepWeights weights, std::int64_t streams, int threads) {
  return in_child([&] {
    seed_generators(1);
    const Network network(b.model, b.vocabulary);
    Stepper stepper(network.layout(), network.weights().to_host(), weights, threads);
    std::vector<char32_t> letters(b.vocabulary);
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
    constexpr std::int64_t warm_up = 50;
    std::int64_t steps = 0;
    Clock::time_point start;
    while (steps < 2 * warm_up || steps % 16 != 0 || seconds_since(start) < b.seconds) {
      if (steps++ == warm_up) start = Clock::now();
      generator.step();
    }
    return static_cast<double>((steps - warm_up) * streams) / seconds_since(start);
  });
}

double measure_products(Format format, int threads, double seconds) {
  return in_child([&] {
    constexpr std::int64_t m = 32, k = 256, n = 512;
    ThreadPool pool(threads);
    std::vector<double> rates(threads);
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
      // The best of many short runs shows what the machine can do in spite of other processes.
      const Clock::time_point start = Clock::now();
      while (seconds_since(start) < seconds) {
        constexpr int products = 200;
        const Clock::time_point run_start = Clock::now();
        for (int j = 0; j < products; ++j)
          multiply(left.rows(0, m), right, {0, n / block_width}, {c.floats(), m * block_width});
        rates[i] = std::max(rates[i], products * 2.0 * m * n * k / seconds_since(run_start) / 1e9);
      }
    });
    return std::accumulate(rates.begin(), rates.end(), 0.0);
  });
}
}  // namespace charnn::cli
