#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>
#include "core/model/flat_array.h"

namespace charnn {
/// What charnn needs of LibTorch itself, without its headers.

const char* torch_version();
int cuda_devices();
/// To be called before anything is computed on `device`: LibTorch's own threads, which wait by spinning, stay out of
/// the way of charnn's; GPU number `gpu` is the one that is used, by deterministic algorithms.
void set_up_torch(Device device, int gpu = 0);
/// Whether `device` trains faster in bf16. A GPU without cuDNN's bf16 layers would run LibTorch's own, step by step.
bool has_fast_bf16(Device device);
/// Whether a GPU may round the factors of float products to TF32.
void allow_tf32(bool allowed);

/// LibTorch's default generator; initial weights and the seeds of dropout come from it.
void seed_generators(std::uint64_t seed);
std::uint64_t draw_seed();  ///< 63 random bits
/// "torch_cpu" and its state. A GPU's is no part of it: each window's dropout begins with a seed of its own.
using GeneratorStates = std::vector<std::pair<std::string, std::string>>;
GeneratorStates capture_generators();
/// Throws Error (usage) for a state that another LibTorch wrote.
void restore_generators(const GeneratorStates& states);
}  // namespace charnn
