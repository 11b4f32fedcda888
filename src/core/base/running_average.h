#pragma once

namespace charnn {
/// Exponential average of a series, divided by the weight that its terms have so far, so that it is right from the
/// first one on (as Adam does with its moments: Kingma, Ba 2014, section 3).
struct RunningAverage {
  double sum = 0;
  double weight = 0;

  /// `keep`: what the terms before keep of their weight, below 1.
  void add(double value, double keep) {
    sum = keep * sum + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
  }

  double value() const { return weight > 0 ? sum / weight : 0; }  ///< 0 before the first term
};
}  // namespace charnn
