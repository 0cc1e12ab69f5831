# What reports are drawn with: the page's own files travel in the binary, the library beside it, where it was fetched
# (scripts/fetch_vega; scripts/build does). Without it reports have their tables and texts.
include(embedded)
embed(nibble_report nibble_page_files ${CMAKE_CURRENT_SOURCE_DIR}/report ${CMAKE_CURRENT_SOURCE_DIR}/report/page.css
      ${CMAKE_CURRENT_SOURCE_DIR}/report/page.js)
file(RELATIVE_PATH charts_folder ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_DATADIR}/nibble)
set_source_files_properties(report/report.cpp PROPERTIES COMPILE_DEFINITIONS NIBBLE_CHARTS_FOLDER="${charts_folder}")
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch_vega --cached OUTPUT_VARIABLE charts ERROR_QUIET
                OUTPUT_STRIP_TRAILING_WHITESPACE)
if(charts)
  configure_file(${charts} ${CMAKE_CURRENT_BINARY_DIR}/charts.js COPYONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/charts.js DESTINATION ${CMAKE_INSTALL_DATADIR}/nibble)
else()
  message(STATUS "reports will have no charts: scripts/fetch_vega fetches what draws them")
endif()
