# charnn_embed(name file): makes the header charnn/cli/<name>.h, in which `name` is the text of `file`.
function(charnn_embed name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${file}")
  file(READ "${PROJECT_SOURCE_DIR}/${file}" text)
  set(template [[// Made by CMake.
#pragma once

#include <string_view>

namespace charnn::cli {

inline constexpr std::string_view @name@ = R"embedded(@text@)embedded";

}  // namespace charnn::cli
]])
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/include/charnn/cli/${name}.h" CONTENT "${template}" @ONLY)
endfunction()
