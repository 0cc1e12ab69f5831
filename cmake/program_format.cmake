# nibble_program_format: the classes that read and write a program's file, made by flatc from src/program/program.fbs.
find_package(FlatBuffers CONFIG REQUIRED)
find_program(FLATC flatc REQUIRED)
set(program_header ${PROJECT_BINARY_DIR}/generated/program/program_generated.h)
add_custom_command(
  OUTPUT ${program_header}
  COMMAND ${FLATC} --cpp --scoped-enums -o ${PROJECT_BINARY_DIR}/generated/program
          ${CMAKE_CURRENT_SOURCE_DIR}/program/program.fbs
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/program/program.fbs)
add_custom_target(program_header DEPENDS ${program_header})
add_library(nibble_program_format INTERFACE)
add_dependencies(nibble_program_format program_header)
target_include_directories(nibble_program_format SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/generated)
