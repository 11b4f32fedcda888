# Warnings, optimisation, hardening and sanitizers of charnn's own targets.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

# What makes a memory error hard to exploit; each only where the compiler or the linker takes it.
set(_harden_compile "")
set(_harden_link "")
if(CHARNN_HARDEN)
  check_pie_supported(LANGUAGES CXX)
  foreach(_flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "CHARNN_HAS${_flag}" _has)
    check_cxx_compiler_flag(${_flag} ${_has})
    if(${_has})
      list(APPEND _harden_compile ${_flag})
    endif()
  endforeach()
  foreach(_flag relro now noexecstack)
    check_linker_flag(CXX "LINKER:-z,${_flag}" CHARNN_HAS_z_${_flag})
    if(CHARNN_HAS_z_${_flag})
      list(APPEND _harden_link "LINKER:-z,${_flag}")
    endif()
  endforeach()
  # It needs optimisation, and would hide from the sanitizers what it checks itself. Some compilers define it themselves.
  if(NOT CHARNN_SANITIZE)
    list(APPEND _harden_compile "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  endif()
endif()

function(charnn_target name)
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
    $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>  # subscripts are int64
    $<$<BOOL:${CHARNN_WERROR}>:-Werror>
    ${_harden_compile})
  if(CHARNN_ASSERTIONS)
    target_compile_definitions(${name} PRIVATE _GLIBCXX_ASSERTIONS)
  endif()
  if(CHARNN_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${CHARNN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${name} PRIVATE -fsanitize=${CHARNN_SANITIZE})
  endif()
  get_target_property(type ${name} TYPE)
  if(CHARNN_HARDEN AND type STREQUAL "EXECUTABLE")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_options(${name} PRIVATE ${_harden_link})
  elseif(CHARNN_HARDEN AND NOT CMAKE_POSITION_INDEPENDENT_CODE)
    # As in the programs, which use the libraries' precompiled headers; -fPIC would keep functions from being inlined.
    target_compile_options(${name} PRIVATE ${CMAKE_CXX_COMPILE_OPTIONS_PIE})
  endif()
endfunction()
