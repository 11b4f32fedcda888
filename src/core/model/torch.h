#pragma once

// The parts of LibTorch that charnn uses; <torch/torch.h> takes twice as long to compile. Included by the sources of
// core/model that run on LibTorch and by tests, by no other header of charnn but char_rnn.h.
#include <torch/cuda.h>                  // IWYU pragma: export
#include <torch/nn/functional/loss.h>    // IWYU pragma: export
#include <torch/nn/modules/embedding.h>  // IWYU pragma: export
#include <torch/nn/modules/linear.h>     // IWYU pragma: export
#include <torch/nn/modules/rnn.h>        // IWYU pragma: export
#include <torch/types.h>                 // IWYU pragma: export
#include <torch/utils.h>                 // IWYU pragma: export
