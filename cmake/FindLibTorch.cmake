# Finds LibTorch and makes the target LibTorch::LibTorch.
#
# Looked for in this order: Torch_DIR or CMAKE_PREFIX_PATH, the active Python's torch, the system's.
# LibTorch's own TorchConfig.cmake is not used: that of a CUDA build stops where no CUDA toolkit is installed,
# and charnn calls LibTorch only through its C++ headers, which need none.
set(_roots "")
if(Torch_DIR)
  get_filename_component(_root "${Torch_DIR}/../../.." ABSOLUTE)
  list(APPEND _roots "${_root}")
endif()
foreach(_prefix IN LISTS CMAKE_PREFIX_PATH)
  list(APPEND _roots "${_prefix}")
  get_filename_component(_root "${_prefix}/../.." ABSOLUTE)   # torch.utils.cmake_prefix_path is .../torch/share/cmake
  list(APPEND _roots "${_root}")
endforeach()

find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          PATHS ${_roots} PATH_SUFFIXES include NO_DEFAULT_PATH)
if(NOT LibTorch_INCLUDE_DIR)
  find_program(_python NAMES python3 python NO_CACHE)
  if(_python)
    # find_spec does not import torch, which would take seconds.
    execute_process(COMMAND ${_python} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                    OUTPUT_VARIABLE _python_root OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_python_root)
      find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
                PATHS ${_python_root} PATH_SUFFIXES include NO_DEFAULT_PATH)
    endif()
  endif()
endif()
find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h)

get_filename_component(_root "${LibTorch_INCLUDE_DIR}/.." ABSOLUTE)
foreach(_name torch torch_cpu c10)
  find_library(LibTorch_${_name}_LIBRARY ${_name} PATHS ${_root} PATH_SUFFIXES lib lib64 NO_DEFAULT_PATH)
  find_library(LibTorch_${_name}_LIBRARY ${_name})
  mark_as_advanced(LibTorch_${_name}_LIBRARY)
endforeach()
mark_as_advanced(LibTorch_INCLUDE_DIR)

if(LibTorch_INCLUDE_DIR)
  # torch/version.h lies beside torch.h in the packages of 1.13 and in torch/ in later ones.
  foreach(_file torch/csrc/api/include/torch/version.h torch/version.h torch/headeronly/version.h)
    if(NOT LibTorch_VERSION AND EXISTS "${LibTorch_INCLUDE_DIR}/${_file}")
      file(STRINGS "${LibTorch_INCLUDE_DIR}/${_file}" _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
      if(_lines MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
        set(LibTorch_VERSION "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
      endif()
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_torch_cpu_LIBRARY LibTorch_torch_LIBRARY LibTorch_c10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Install libtorch-dev (Debian, Ubuntu), or run: pip install torch")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # PyPI's torch brings a copy of fmt (and of others) that would hide the system's. Only its own folders are shown.
  set(_include "${LibTorch_INCLUDE_DIR}")
  if(EXISTS "${_include}/fmt" AND NOT "${_include}" STREQUAL "/usr/include")
    set(_include "${CMAKE_BINARY_DIR}/libtorch-include")
    file(MAKE_DIRECTORY "${_include}")
    foreach(_folder ATen c10 caffe2 torch)
      file(CREATE_LINK "${LibTorch_INCLUDE_DIR}/${_folder}" "${_include}/${_folder}" SYMBOLIC)
    endforeach()
  endif()
  target_include_directories(LibTorch::LibTorch SYSTEM INTERFACE
    "${_include}" "${_include}/torch/csrc/api/include")
  set(_libraries "${LibTorch_torch_LIBRARY}" "${LibTorch_torch_cpu_LIBRARY}" "${LibTorch_c10_LIBRARY}")

  # Debian's LibTorch takes whatever libblas.so.3 the system offers: the reference one is about 20 times slower than
  # OpenBLAS, and OpenBLAS with its own threads fights with LibTorch's OpenMP threads (4 times slower on 2 cores).
  # Linking OpenBLAS's OpenMP build first settles it for our programs, whatever the system's alternative is.
  get_filename_component(_libdir "${LibTorch_torch_cpu_LIBRARY}" DIRECTORY)
  set(_openblas "${_libdir}/openblas-openmp/libblas.so.3")
  if(EXISTS "${_openblas}")
    list(PREPEND _libraries "${_openblas}")
  elseif("${_libdir}" MATCHES "^/usr/lib")
    message(WARNING "OpenBLAS's OpenMP build (libopenblas0-openmp) is missing: training will be several times slower.")
  endif()

  # --no-as-needed: libtorch.so brings the CUDA backend in where there is one, though no symbol of it is named.
  # --allow-shlib-undefined: PyPI's torch keeps NVIDIA's libraries in sibling packages, found at run time only.
  target_link_libraries(LibTorch::LibTorch INTERFACE
    "-Wl,--allow-shlib-undefined" "-Wl,--no-as-needed" ${_libraries} "-Wl,--as-needed")
endif()
