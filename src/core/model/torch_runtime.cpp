#include "core/model/torch_runtime.h"
#include <cstdlib>
#include <cstring>
#include <limits>
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/format.h>
#include <torch/version.h>
#include "core/base/error.h"
#include "core/model/torch.h"
#include "kernels/gemm.h"

namespace charnn {
namespace {
at::Generator generator() { return at::globalContext().defaultGenerator(torch::kCPU); }

#if TORCH_VERSION_MAJOR >= 2
/// Silences LibTorch's warning that cuDNN has to copy the weights: it wants them in one buffer of its own.
class NoWarnings : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};
#endif
}  // namespace

const char* torch_version() { return TORCH_VERSION; }

int cuda_devices() { return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0; }

void set_up_torch(Device device, int gpu) {
  torch::set_num_threads(1);
  if (device != Device::cuda) return;
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // cuBLAS is deterministic with that only
  c10::impl::getDeviceGuardImpl(torch::kCUDA)
      ->setDevice(torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(gpu)));
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
#if TORCH_VERSION_MAJOR >= 2
  at::globalContext().setDeterministicFillUninitializedMemory(false);  // of use in a search for errors only
  static NoWarnings no_warnings;
  c10::WarningUtils::set_warning_handler(&no_warnings);
#endif
}

bool has_fast_bf16(Device device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
  if (device == Device::cuda) return at::detail::getCUDAHooks().supportsBFloat16RNNWithCuDNN();
#endif
  return device == Device::cpu && bf16_is_fast();
}

void allow_tf32(bool allowed) {
  at::globalContext().setAllowTF32CuBLAS(allowed);
  at::globalContext().setAllowTF32CuDNN(allowed);
}

void seed_generators(std::uint64_t seed) { torch::manual_seed(seed); }

std::uint64_t draw_seed() {
  constexpr std::int64_t below = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::uint64_t>(torch::randint(below, {1}, torch::kInt64).item<std::int64_t>());
}

GeneratorStates capture_generators() {
  const torch::Tensor state = generator().get_state().contiguous();
  return {{"torch_cpu", {static_cast<const char*>(state.data_ptr()), state.nbytes()}}};
}

void restore_generators(const GeneratorStates& states) {
  for (const auto& [name, bytes] : states) {
    if (name != "torch_cpu") continue;  // older checkpoints hold a GPU's, too
    torch::Tensor state = torch::empty({static_cast<std::int64_t>(bytes.size())}, torch::kUInt8);
    if (!bytes.empty()) std::memcpy(state.data_ptr(), bytes.data(), bytes.size());
    try {
      generator().set_state(state);
    } catch (const c10::Error&) {
      fail_input(fmt::format("checkpoint: generator state rng.{} of {} bytes", name, bytes.size()),
                 "the state of this LibTorch's generator",
                 "resume with the LibTorch version that wrote it, or start a new run with --init-from");
    }
  }
}
}  // namespace charnn
