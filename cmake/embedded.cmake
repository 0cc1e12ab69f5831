# embed(TARGET FUNCTION HEADER BASE FILES...): compiles the files' texts into the target, as
# `const std::vector<nibble::Embedded>& FUNCTION()`, each under its path below BASE.
function(embed target function base)
  set(output ${PROJECT_BINARY_DIR}/generated/${target}/${function}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DFUNCTION=${function} -DBASE=${base} "-DFILES=${ARGN}" -P ${script}
    DEPENDS ${ARGN} ${script} VERBATIM)
  target_sources(${target} PRIVATE ${output})
  set_source_files_properties(${output} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()
