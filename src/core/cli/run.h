#pragma once

namespace charnn::cli {
struct Extras;

/// The whole program: parses the arguments and runs the command. Throws Error; returns the exit status.
int run(int argc, char** argv, const Extras& extras);

/// What the folders of src/extras add; made by src/extras/CMakeLists.txt.
const Extras& all_extras();
}  // namespace charnn::cli
