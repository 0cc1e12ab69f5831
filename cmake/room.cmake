# room(name uses...): the library nibble_<name> of every source file in src/<name>, which may include the rooms that it
# uses and nothing else. tests/layers reads the same lines and checks the #includes.
function(room name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(nibble_${name} STATIC ${sources})
  add_library(nibble::${name} ALIAS nibble_${name})
  set_target_properties(nibble_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(nibble_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                                   $<INSTALL_INTERFACE:include/nibble>)
  target_compile_features(nibble_${name} PUBLIC cxx_std_20)
  target_compile_options(nibble_${name} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                                                -Werror)
  # The standard's and JSON's headers once for all rooms; train has its own, with libtorch's (cmake/torch.cmake).
  if(name STREQUAL base)
    target_precompile_headers(nibble_base PRIVATE <filesystem> <functional> <map> <memory> <optional> <string>
                              <string_view> <variant> <vector> <nlohmann/json.hpp>)
  elseif(NOT name STREQUAL train)
    target_precompile_headers(nibble_${name} REUSE_FROM nibble_base)
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
