#pragma once
#include <string>
#include <string_view>
#include <vector>

/// What generated code is built and run on by `nibble validate`.
namespace nibble::codegen {

struct Board {
  std::string_view name;      ///< as --on says it
  std::string_view compiler;  ///< with the flags of the core
  std::string_view link;      ///< flags of the link; of a bare Cortex-M those beside its start-up code
  std::string_view run;       ///< what the program's path is put behind
  std::string_view ticks;     ///< the file that counts what passes
  std::string_view counts;    ///< of what
  std::string_view flash_bytes, ram, ram_bytes;  ///< of a bare Cortex-M; else empty
};

const std::vector<Board>& boards();
/// Throws UserError with the names that there are.
const Board& board_named(const std::string& name);

/// What counts ticks on the board: `uint64_t nibble_ticks(void)`.
std::string_view ticks_of(const Board& board);

/// Start-up code and linker script of a bare Cortex-M.
std::string_view start_up();
std::string linker_script(const Board& board);

}  // namespace nibble::codegen
