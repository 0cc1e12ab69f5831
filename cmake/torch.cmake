# libtorch, for room `train` alone: Debian's 1.13, or any 2.x through CMAKE_PREFIX_PATH.
find_package(Torch REQUIRED)
# What at::parallel_for is made of: a loop of ours in a file without it runs on one thread.
find_package(OpenMP REQUIRED COMPONENTS CXX)

# Ranks of a training: c10d's process groups over Gloo are in libtorch, whose headers ask for Gloo's.
find_path(GLOO_HEADERS gloo/context.h REQUIRED)
set_source_files_properties(train/ranks.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON COMPILE_DEFINITIONS "USE_DISTRIBUTED;USE_C10D_GLOO;USE_RPC")

# The recipe is in nibble_train_api, the one symbol in the module: no object is twice in a program.
get_target_property(train_sources nibble_train SOURCES)
list(FILTER train_sources EXCLUDE REGEX "/(recipe|module)\\.cpp$")
set_property(TARGET nibble_train PROPERTY SOURCES ${train_sources})
target_link_libraries(nibble_train PUBLIC nibble_train_api PRIVATE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
# System headers: their warnings are not ours.
target_include_directories(nibble_train SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})

# The module that verbs load when called: everything hidden but its one symbol, so that the binary starts without libtorch.
add_library(nibble_torch MODULE train/module.cpp)
target_link_libraries(nibble_torch PRIVATE nibble_train nibble_warnings)
target_include_directories(nibble_torch SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
set_target_properties(nibble_torch PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/torch_exports.map
                      LINK_OPTIONS "LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/torch_exports.map")
install(TARGETS nibble_torch LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/nibble)
