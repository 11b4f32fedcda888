# charnn_embed(name file): makes the header <name>.h in the current binary folder, in which `name` is the text of `file`.
function(charnn_embed name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  file(READ "${file}" text)
  set(template [[// Made by CMake.
#pragma once

#include <string_view>

namespace charnn::cli {

inline constexpr std::string_view @name@ = R"embedded(@text@)embedded";

}  // namespace charnn::cli
]])
  file(CONFIGURE OUTPUT "${name}.h" CONTENT "${template}" @ONLY)
endfunction()
