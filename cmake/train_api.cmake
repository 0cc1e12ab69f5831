# What lab and verbs see of room `train` with or without libtorch: the recipe of api.hpp.
add_library(nibble_train_api STATIC train/recipe.cpp)
set_target_properties(nibble_train_api PROPERTIES EXPORT_NAME train_api)
target_link_libraries(nibble_train_api PUBLIC nibble_base)
target_include_directories(nibble_train_api PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nibble>)
target_compile_features(nibble_train_api PUBLIC cxx_std_20)
target_link_libraries(nibble_train_api PRIVATE $<BUILD_INTERFACE:nibble_warnings>)
install(TARGETS nibble_train_api EXPORT nibble ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES train/api.hpp train/quantiser_recipe.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nibble/train)
