#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include "kernels/gemm.h"
#include "tests/kernels/arrays.h"

namespace charnn::test {

/// A product for Gemm with random factors, k counted in floats; in memory there is NaN wherever nothing should be read.
struct Product {
  Product(Format f, std::int64_t rows, std::int64_t inner, std::int64_t panel_count, bool turn)
      : format(f), m(rows), k(inner), panels(panel_count), transposed(turn) {
    a = random_floats(m * k, 1);
    b = random_floats(k * panels * block_width, 2);
  }

  float& a_at(std::int64_t i, std::int64_t l) { return a.floats()[i * k + l]; }
  float& b_at(std::int64_t l, std::int64_t n) { return b.floats()[l * panels * block_width + n]; }

  /// Stores the factors as `format` wants them, some memory between blocks and planes.
  Gemm stored() {
    constexpr std::int64_t W = block_width;
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const std::int64_t height = round_up(k, W), a_blocks = transposed ? (m + W - 1) / W : height / W;
    const std::int64_t a_rows = (transposed ? k : m) + 2, b_rows = k + 2;
    Buffer a_floats = filled(a_blocks * a_rows * W, nan);
    Buffer b_floats = filled(panels * b_rows * W, nan);
    for (std::int64_t l = 0; l < k; ++l) {
      for (std::int64_t i = 0; i < m; ++i)
        a_floats.floats()[transposed ? (i / W * a_rows + l) * W + i % W : (l / W * a_rows + i) * W + l % W] =
            a_at(i, l);
      for (std::int64_t n = 0; n < panels * block_width; ++n)
        b_floats.floats()[(n / W * b_rows + l) * W + n % W] = b_at(l, n);
    }
    Gemm g{.m = m, .k = elements(format, k), .panels = panels};
    g.a_transposed = transposed;
    g.a_block = a_rows * W, g.b_panel = b_rows * W;
    if (format == Format::f32) {
      a_stored = std::move(a_floats), b_stored = std::move(b_floats);
    } else {
      g.a_plane = a_floats.size(), g.b_plane = b_floats.size();
      a_stored = filled(3 * a_floats.size(), nan), b_stored = filled(3 * b_floats.size(), nan);
      if (transposed)
        for (std::int64_t q = 0; q < a_blocks; ++q)
          pair_rows(format, a_floats.floats() + q * g.a_block, a_stored.pairs() + q * g.a_block, g.a_plane, k);
      else
        to_pairs(format, a_floats.floats(), g.a_block, a_stored.pairs(), g.a_block, g.a_plane, a_blocks, m);
      for (std::int64_t p = 0; p < panels; ++p)
        pair_rows(format, b_floats.floats() + p * g.b_panel, b_stored.pairs() + p * g.b_panel, g.b_plane, k);
    }
    g.a = a_stored.floats(), g.b = b_stored.floats();
    return g;
  }

  float rounded(float x) const { return format == Format::bf16 ? as_bf16(x) : x; }

  /// What c's element is to be, and the sum of the absolute values of what is summed.
  std::pair<double, double> expected(std::int64_t i, std::int64_t n, float before) {
    double sum = before, size = std::abs(before);
    for (std::int64_t l = 0; l < k; ++l) {
      const double product = static_cast<double>(rounded(a_at(i, l))) * static_cast<double>(rounded(b_at(l, n)));
      sum += product, size += std::abs(product);
    }
    return {sum, size};
  }

  Format format;
  std::int64_t m, k, panels;
  bool transposed;
  Buffer a, b;  ///< [m][k], [k][panels * block_width]
  Buffer a_stored, b_stored;
};

}  // namespace charnn::test
