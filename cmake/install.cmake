# Installs the binary, the torch module, each exported room's library and headers, and a package config:
# find_package(nibble).
include(CMakePackageConfigHelpers)
get_property(rooms GLOBAL PROPERTY NIBBLE_ROOMS)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/nibble)

install(TARGETS nibble RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(room IN LISTS rooms)
  # verbs is the command line's, train lives in the module (what of it is exported: train_api.cmake).
  if(room MATCHES "^(verbs|train)$")
    continue()
  endif()
  install(TARGETS nibble_${room} EXPORT nibble ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nibble
          FILES_MATCHING PATTERN "*.hpp" PATTERN "nibble.h" PATTERN "processing/*.h" PATTERN "nibble.hpp" EXCLUDE)
endforeach()
install(EXPORT nibble FILE nibble-targets.cmake NAMESPACE nibble:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/nibble-config.cmake.in
                              ${PROJECT_BINARY_DIR}/nibble-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/nibble-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/nibble-config.cmake ${PROJECT_BINARY_DIR}/nibble-config-version.cmake
        DESTINATION ${package_dir} COMPONENT runtime)
