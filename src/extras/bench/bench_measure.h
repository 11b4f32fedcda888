#pragma once
#include <cstdint>
#include "core/model/flat_array.h"
#include "core/model/model_config.h"
#include "core/train/train_config.h"
#include "kernels/gemm.h"

namespace charnn::cli {
/// The sizes to measure.
struct BenchCase {
  ModelConfig model;
  std::int64_t vocabulary = 65;
  std::int64_t batch_size = 50;
  std::int64_t sequence_length = 50;
  double seconds = 2;  ///< for each figure
  DeviceChoice device = DeviceChoice::cpu;
};

struct TrainRate {
  double chars_per_second = 0;
  double gflops = 0;     ///< of the matrix products alone, see training_flops()
  double peak_mb = 0;    ///< peak resident memory of the process, not that of a GPU
  double base_mb = 0;    ///< of which LibTorch and the program, before the network was created
  double needed_mb = 0;  ///< weights, gradients, moments and one window's activations, by arithmetic
  double loss = 0;       ///< of the last step: evidence that training worked
};

struct MeasuredDevice {
  Device device;
  bool fast_bf16;
};

/// What `choice` comes to here. GPUs are looked for in a child process: CUDA does not survive a fork.
MeasuredDevice measured_device(DeviceChoice choice);

/// Trains on random symbols as charnn train does, in a child process, so that its memory can be measured.
TrainRate measure_training(const BenchCase& bench, Precision precision, int threads);

/// Symbols per second that evaluation reads.
double measure_scoring(const BenchCase& bench, Precision precision, int threads);

/// Symbols per second of all streams together.
double measure_sampling(const BenchCase& bench, StepWeights weights, std::int64_t streams, int threads);

/// GFLOP/s of matrix products on data in cache, on `threads` threads at once: an upper bound for training.
double measure_products(Format format, int threads, double seconds);
}  // namespace charnn::cli
