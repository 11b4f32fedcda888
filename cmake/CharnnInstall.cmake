# install(): the program with its manual page and completions, the library with its headers, and find_package(charnn).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS charnn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# charnn::charnn is the public library; the layers that it links come along.
get_property(_charnn_libraries GLOBAL PROPERTY CHARNN_LIBRARIES)
list(REMOVE_ITEM _charnn_libraries charnn_extras)
install(TARGETS ${_charnn_libraries} EXPORT charnnTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/charnn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs models DESTINATION ${CMAKE_INSTALL_DATADIR}/charnn)
install(FILES data/counting.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/charnn/data)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The program itself knows its options best.
get_property(_charnn_extras GLOBAL PROPERTY CHARNN_EXTRAS)
if(NOT CMAKE_CROSSCOMPILING AND "shell" IN_LIST _charnn_extras)
  set(_shell_dir ${PROJECT_BINARY_DIR}/share)
  file(MAKE_DIRECTORY ${_shell_dir})
  set(_shell_files ${_shell_dir}/charnn.1)
  set(_shell_commands COMMAND charnn man > ${_shell_dir}/charnn.1)
  foreach(_shell bash zsh fish)
    list(APPEND _shell_files ${_shell_dir}/charnn.${_shell})
    list(APPEND _shell_commands COMMAND charnn completions ${_shell} > ${_shell_dir}/charnn.${_shell})
  endforeach()
  add_custom_command(OUTPUT ${_shell_files} ${_shell_commands} DEPENDS charnn
                     COMMENT "Writing the manual page and the completions" VERBATIM)
  add_custom_target(charnn_shell_files ALL DEPENDS ${_shell_files})
  install(FILES ${_shell_dir}/charnn.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${_shell_dir}/charnn.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME charnn)
  install(FILES ${_shell_dir}/charnn.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _charnn)
  install(FILES ${_shell_dir}/charnn.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/charnn)
install(EXPORT charnnTargets NAMESPACE charnn:: DESTINATION ${_package_dir})
configure_package_config_file(cmake/charnnConfig.cmake.in charnnConfig.cmake INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(charnnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/FindLibTorch.cmake ${PROJECT_BINARY_DIR}/charnnConfig.cmake
              ${PROJECT_BINARY_DIR}/charnnConfigVersion.cmake
        DESTINATION ${_package_dir})

# cpack -G DEB, in the build folder, makes a package for this Debian or Ubuntu.
set(CPACK_PACKAGE_NAME charnn)
set(CPACK_PACKAGE_CONTACT "charnn's maintainers <charnn@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "train character-level recurrent networks on any text, and write new text")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)  # which packages its libraries come from
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_STRIP_FILES ON)
include(CPack)
