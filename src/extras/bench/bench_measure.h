#pragma once
#include <cstdint>
#include "core/model/model_config.h"
#include "core/train/train_config.h"
#include "kernels/gemm.h"

namespace charnn::cli {
/// Sizes to measure.
struct BenchCase {
  ModelConfig model;
  std::int64_t vocabulary = 65;
  std::int64_t batch_size = 50;
  std::int64_t sequence_length = 50;
  double seconds = 2;  ///< for each figure
};

struct TrainRate {
  double chars_per_second = 0;
  double gflops = 0;     ///< of the products that training needs, see training_flops()
  double peak_mb = 0;    ///< largest resident memory of the process
  double base_mb = 0;    ///< of which before the network was made: LibTorch and the program
  double needed_mb = 0;  ///< weights, gradients, moments and one window's activations, by arithmetic
  double loss = 0;       ///< of the last step: something was really learned
};

/// Trains on random symbols, in the way of charnn train. Runs in a process of its own, so that memory can be told.
TrainRate measure_training(const BenchCase& bench, Precision precision, int threads);

/// Symbols per second of all streams together.
double measure_sampling(const BenchCase& bench, StepWeights weights, std::int64_t streams, int threads);

/// GFLOP/s of products that stay in the cache, on all of `threads` at once: what training could reach at most.
double measure_products(Format format, int threads, double seconds);
}  // namespace charnn::cli
