# libnibble_rt.a and libnibble_rt.so: rooms runtime and kernels alone, for programs that only run networks. They need
# libc, libm and threads. Component `runtime` of the installed package, and nibble_rt.pc.
set(rt_headers ${PROJECT_BINARY_DIR}/include/nibble_rt)
foreach(header nibble.h nibble.hpp)
  configure_file(${PROJECT_SOURCE_DIR}/src/runtime/${header} ${rt_headers}/${header} COPYONLY)
endforeach()

# Nothing is thrown through a kernel: what would unwind it is a twentieth of the library.
target_compile_options(nibble_kernels PRIVATE
  $<$<AND:$<COMPILE_LANGUAGE:C>,$<CONFIG:Release>>:-fno-asynchronous-unwind-tables>)

# What is not in the way of an inference here is small rather than fast: reading a program, kernels for other machines.
file(GLOB rt_seldom ${PROJECT_SOURCE_DIR}/src/kernels/packed/*.c ${PROJECT_SOURCE_DIR}/src/kernels/portable/*.c)
set_source_files_properties(${rt_seldom} TARGET_DIRECTORY nibble_kernels PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
foreach(name backend.c parse.cpp peak.c run.c verify.c)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/runtime/${name} TARGET_DIRECTORY nibble_runtime
                              PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Os>)
endforeach()
# A loop over reals, as vectors: nothing is reordered.
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/runtime/reals.c TARGET_DIRECTORY nibble_runtime PROPERTIES
                            COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3;-fno-trapping-math>")
# A table of places to jump to costs 24 bytes a place in the archive.
file(GLOB rt_x86 ${PROJECT_SOURCE_DIR}/src/kernels/x86/*.c)
set_source_files_properties(${rt_x86} TARGET_DIRECTORY nibble_kernels PROPERTIES COMPILE_OPTIONS -fno-jump-tables)

# What the shared library exports is what nibble.h declares.
set(rt_symbols ${PROJECT_BINARY_DIR}/generated/nibble_rt.map)
file(READ ${PROJECT_SOURCE_DIR}/src/runtime/nibble.h declarations)
string(REGEX MATCH "NIBBLE_RUNTIME_VERSION \"([0-9]+)\\.([0-9]+)\"" found "${declarations}")
set(NIBBLE_RT_MAJOR ${CMAKE_MATCH_1})
set(NIBBLE_RT_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2})
string(REGEX REPLACE "/\\*([^*]|\\*[^/])*\\*/" "" declarations "${declarations}")
string(REGEX MATCHALL "nibble_[a-z_]+\\(" functions "${declarations}")
set(exported "")
foreach(function IN LISTS functions)
  string(REGEX REPLACE "\\($" "" function ${function})
  string(APPEND exported " ${function};")
endforeach()
file(GENERATE OUTPUT ${rt_symbols} CONTENT "{ global:${exported} local: *;};\n")

# The kernels of microcontrollers are for generated C.
set(rt_objects "$<FILTER:$<TARGET_OBJECTS:nibble_kernels>,EXCLUDE,/(cortex_m|unrolled)/>" $<TARGET_OBJECTS:nibble_runtime>)
add_library(nibble_rt SHARED ${rt_objects})
add_library(nibble_rt_static STATIC ${rt_objects})
add_library(nibble::runtime ALIAS nibble_rt)
add_library(nibble::runtime_static ALIAS nibble_rt_static)
set_target_properties(nibble_rt PROPERTIES EXPORT_NAME runtime VERSION ${NIBBLE_RT_VERSION} SOVERSION ${NIBBLE_RT_MAJOR}
  LINK_DEPENDS ${rt_symbols} LINK_OPTIONS "LINKER:--version-script=${rt_symbols}")
set_target_properties(nibble_rt_static PROPERTIES EXPORT_NAME runtime_static OUTPUT_NAME nibble_rt)
foreach(library nibble_rt nibble_rt_static)
  # By the C compiler: nothing in them needs the library of C++.
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${rt_headers}>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
target_link_libraries(nibble_rt PRIVATE m Threads::Threads ${CMAKE_DL_LIBS})
target_link_libraries(nibble_rt_static INTERFACE m Threads::Threads ${CMAKE_DL_LIBS})

# nibble_rt.pc finds the rest from where it lies.
file(RELATIVE_PATH NIBBLE_RT_INCLUDES ${CMAKE_INSTALL_FULL_LIBDIR} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${PROJECT_SOURCE_DIR}/cmake/nibble_rt.pc.in ${PROJECT_BINARY_DIR}/nibble_rt.pc @ONLY)

install(TARGETS nibble_rt nibble_rt_static EXPORT nibble_runtime
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(FILES ${rt_headers}/nibble.h ${rt_headers}/nibble.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT runtime)
install(EXPORT nibble_runtime FILE nibble-runtime-targets.cmake NAMESPACE nibble::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/nibble COMPONENT runtime)
install(FILES ${PROJECT_BINARY_DIR}/nibble_rt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)
