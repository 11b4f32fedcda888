# Warnings, optimisation and sanitizers of charnn's own targets.
function(charnn_target name)
  target_compile_options(${name} PRIVATE
    -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
    $<$<BOOL:${CHARNN_WERROR}>:-Werror>)
  if(CHARNN_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${CHARNN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${name} PRIVATE -fsanitize=${CHARNN_SANITIZE})
  endif()
endfunction()
