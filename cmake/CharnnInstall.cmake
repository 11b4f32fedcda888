# install(): the program, the library with its headers, and find_package(charnn).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS charnn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS charnn_core EXPORT charnnTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/charnn ${PROJECT_BINARY_DIR}/include/charnn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "cli" EXCLUDE)
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/charnn)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/charnn)
install(EXPORT charnnTargets NAMESPACE charnn:: DESTINATION ${_package_dir})
configure_package_config_file(cmake/charnnConfig.cmake.in charnnConfig.cmake INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(charnnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/FindLibTorch.cmake ${PROJECT_BINARY_DIR}/charnnConfig.cmake
              ${PROJECT_BINARY_DIR}/charnnConfigVersion.cmake
        DESTINATION ${_package_dir})
