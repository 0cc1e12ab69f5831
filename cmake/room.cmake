# room(name uses...): the library nibble_<name> of every source file in src/<name>, which may include the rooms that it
# uses and nothing else. tests/layers reads the same lines and checks the #includes.
function(room name)
  if(name STREQUAL "backends")
    include(backends) # modules, loaded when asked for
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*/*.c
                                      ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp
                                      ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(nibble_${name} STATIC ${sources})
  if(name STREQUAL runtime)
    # nibble::runtime is the library of cmake/runtime_package.cmake.
    set_target_properties(nibble_runtime PROPERTIES EXPORT_NAME runtime_room)
  else()
    add_library(nibble::${name} ALIAS nibble_${name})
    set_target_properties(nibble_${name} PROPERTIES EXPORT_NAME ${name})
  endif()
  target_include_directories(nibble_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nibble>)
  target_compile_features(nibble_${name} PUBLIC cxx_std_20)
  target_link_libraries(nibble_${name} PRIVATE $<BUILD_INTERFACE:nibble_warnings>)
  # What nearly every file reads, compiled once: below the graph the standard's headers and JSON, from it on the graph
  # too, and what onnx and train alone include.
  set(headers <algorithm> <cmath> <filesystem> <functional> <map> <memory> <optional> <set> <span> <string>
              <string_view> <vector> <fmt/format.h> <base/nlohmann.hpp>)
  if(name MATCHES "^(kernels|processing|runtime)$")
    # C, and C++ without its library. A product and a sum of reals are two roundings, on every machine.
    set_target_properties(nibble_${name} PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
    target_compile_options(nibble_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti> -ffp-contract=off)
    target_link_libraries(nibble_${name} PUBLIC m)
  elseif(name STREQUAL base)
    target_precompile_headers(nibble_base PRIVATE ${headers})
  elseif(name STREQUAL graph)
    target_precompile_headers(nibble_graph PRIVATE ${headers} <graph/graph.hpp>)
  elseif(name STREQUAL onnx)
    target_precompile_headers(nibble_onnx PRIVATE ${headers} <graph/graph.hpp> <onnx/file/proto.hpp>)
  elseif(name STREQUAL train)
    target_precompile_headers(nibble_train PRIVATE ${headers} <graph/graph.hpp> <ATen/ATen.h>)
  elseif(graph IN_LIST ARGN)
    target_precompile_headers(nibble_${name} REUSE_FROM nibble_graph)
  else()
    target_precompile_headers(nibble_${name} REUSE_FROM nibble_base)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    # So that ccache knows a header compiled again for the same.
    target_compile_options(nibble_${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  # Reading, rewriting and writing networks: a quarter less to compile, and no slower to run.
  if(name MATCHES "^(onnx|passes|lab|verbs)$")
    target_compile_options(nibble_${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  foreach(used IN LISTS ARGN)
    if(used STREQUAL "train")
      set(used train_api) # the room itself is a module, loaded when called (cmake/torch.cmake)
    endif()
    if(TARGET nibble_${used})
      target_link_libraries(nibble_${name} PUBLIC nibble_${used})
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY NIBBLE_ROOMS ${name})
endfunction()

# subrooms(room folders...): the folders of a room, in the order in which they may include each other. tests/layers.py
# reads these lines too.
function(subrooms room)
  file(GLOB entries LIST_DIRECTORIES true RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/${room} ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*)
  foreach(entry IN LISTS entries)
    if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${room}/${entry} AND NOT entry IN_LIST ARGN)
      message(FATAL_ERROR "src/${room}/${entry} is not among subrooms(${room} ${ARGN})")
    endif()
  endforeach()
endfunction()
