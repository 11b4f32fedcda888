#pragma once

#include <cstdint>
#include <string>
#include <vector>
#include <gtest/gtest.h>
// clang-format off
#include "kernels/highway.h"  // comes first
#include <hwy/highway.h>
#include <hwy/targets.h>
// clang-format on

namespace charnn::test {

/// The instruction sets that the kernels are compiled for and that this CPU has, the best one first.
inline std::vector<std::int64_t> targets() {
  std::vector<std::int64_t> all;
  for (std::int64_t rest = hwy::SupportedTargets() & HWY_TARGETS; rest != 0; rest &= rest - 1)
    all.push_back(rest & -rest);
  return all;
}

/// A test that runs once with each instruction set.
class EachTarget : public testing::TestWithParam<std::int64_t> {
 public:
  static std::string name(const testing::TestParamInfo<std::int64_t>& target) { return hwy::TargetName(target.param); }

 protected:
  void SetUp() override { choose(GetParam()); }
  void TearDown() override { choose(0); }
  static bool best() { return GetParam() == all_.front(); }  ///< this is the one that is used

 private:
  static void choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);  // 0: all
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  inline static const std::vector<std::int64_t> all_ = targets();
};

}  // namespace charnn::test
