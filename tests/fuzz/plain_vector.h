#pragma once

// Included before all else where clang reads the headers of LibTorch 1.13: with a constexpr std::vector, as libstdc++
// has it for C++20, it wants the whole of a class where they have only named it.
#include <memory>
#include <string>
#include <tuple>

#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
// The one function that a header above has already declared constexpr, of vector<bool>; nothing calls it.
#define __fill_a1 __fill_a1_plain
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr
