# nibble_warnings: what the compiler says of every target, and that it is an error. A target with the property NIBBLE_TEST
# is spared what concerns names and conversions: a test writes its numbers by hand.
add_library(nibble_warnings INTERFACE)
target_compile_options(nibble_warnings INTERFACE
  -Wall -Wextra
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:NIBBLE_TEST>>>:-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion>
  -Werror)
