# backend(name libraries...): the module <name>.so of every source file in src/backends/<name> and of what all of them
# share, loaded by the runtime when its name is asked for. Nothing links it.
function(backend name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/backends/${name}/*.c
                                      ${CMAKE_CURRENT_SOURCE_DIR}/backends/${name}/*.cpp
                                      ${CMAKE_CURRENT_SOURCE_DIR}/backends/*.cpp)
  add_library(nibble_backend_${name} MODULE ${sources})
  set_target_properties(nibble_backend_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden
                        CXX_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/backends)
  target_include_directories(nibble_backend_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(nibble_backend_${name} PRIVATE ${ARGN} nibble_warnings)
  install(TARGETS nibble_backend_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/nibble/backends)
endfunction()

# What a back end is written with.
install(FILES runtime/nibble_backend.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nibble/runtime)
install(FILES kernels/kernels.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nibble/kernels)

# Its own package asks for OpenMP and OpenCL, of which it shows nothing.
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(DNNL_LIBRARY dnnl)
if(DNNL_INCLUDE AND DNNL_LIBRARY)
  set(has_onednn ON)
else()
  set(has_onednn OFF)
endif()
option(NIBBLE_BACKEND_ONEDNN "Build the back end oneDNN (libdnnl-dev)" ${has_onednn})
if(NIBBLE_BACKEND_ONEDNN)
  backend(onednn ${DNNL_LIBRARY})
  target_include_directories(nibble_backend_onednn SYSTEM PRIVATE ${DNNL_INCLUDE})
endif()

# Arm Compute Library (libarm-compute-dev of an arm64 Debian, scripts/packages-acl.txt). Its headers use C++20's keyword
# `requires` as a name.
find_path(ACL_INCLUDE arm_compute/runtime/NEON/functions/NEGEMMAssemblyDispatch.h)
find_library(ACL_LIBRARY arm_compute)
find_library(ACL_CORE_LIBRARY arm_compute_core)
if(ACL_INCLUDE AND ACL_LIBRARY AND ACL_CORE_LIBRARY AND CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(has_acl ON)
else()
  set(has_acl OFF)
endif()
option(NIBBLE_BACKEND_ACL "Build the back end of Arm Compute Library (libarm-compute-dev, arm64)" ${has_acl})
if(NIBBLE_BACKEND_ACL)
  # What asks for C++20 is linked, and asks nothing of how this is compiled.
  backend(acl $<LINK_ONLY:nibble_kernels> ${ACL_LIBRARY} ${ACL_CORE_LIBRARY})
  set_target_properties(nibble_backend_acl PROPERTIES CXX_STANDARD 17)
  target_include_directories(nibble_backend_acl SYSTEM PRIVATE ${ACL_INCLUDE})
endif()
