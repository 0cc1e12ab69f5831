#include "codegen/boards.hpp"

#include <algorithm>

#include "base/embedded.hpp"
#include "base/error.hpp"

/// boards/*
const std::vector<nibble::Embedded>& nibble_board_files();

namespace nibble::codegen {
namespace {

std::string_view file_named(std::string_view name) {
  const auto& files = nibble_board_files();
  const auto found = std::find_if(files.begin(), files.end(), [&](const Embedded& file) { return file.name == name; });
  ensure(found != files.end(), "the boards' files travel with the generator");
  return found->text;
}

#define NIBBLE_SEMIHOSTED "--specs=rdimon.specs -nostartfiles -Wl,--gc-sections -lm"
// An instruction takes 64 ns of the emulator's time: what boards/ticks_cortex_m.c relies on.
#define NIBBLE_QEMU " -nographic -semihosting -icount shift=6 -kernel "

}  // namespace

const std::vector<Board>& boards() {
  static const std::vector<Board> all{
      {"host", "cc", "-lm", "", "ticks_host.c", "clock ticks", "", "", ""},
      {"qemu-m4", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -DNIBBLE_CLOCK=25000000",
       NIBBLE_SEMIHOSTED, "qemu-system-arm -M mps2-an386" NIBBLE_QEMU, "ticks_cortex_m.c", "instructions", "4M",
       "0x20000000", "4M"},
      {"qemu-m7", "arm-none-eabi-gcc -mcpu=cortex-m7 -mthumb -mfloat-abi=soft -DNIBBLE_CLOCK=25000000",
       NIBBLE_SEMIHOSTED, "qemu-system-arm -M mps2-an500" NIBBLE_QEMU, "ticks_cortex_m.c", "instructions", "4M",
       "0x20000000", "4M"},
      {"qemu-m55", "arm-none-eabi-gcc -mcpu=cortex-m55 -mthumb -mfloat-abi=hard -DNIBBLE_CLOCK=32000000",
       NIBBLE_SEMIHOSTED, "qemu-system-arm -M mps3-an547" NIBBLE_QEMU, "ticks_cortex_m.c", "instructions", "512K",
       "0x21000000", "2M"},
      {"qemu-rv32", "riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 --specs=picolibc.specs",
       "--oslib=semihost --crt0=hosted -Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=4M,"
       "--defsym=__ram=0x80400000,--defsym=__ram_size=4M,--defsym=__stack_size=16k -lm",
       "qemu-system-riscv32 -M virt -bios none -nographic -icount shift=0 -semihosting-config enable=on,target=native "
       "-kernel ",
       "ticks_riscv.c", "instructions", "", "", ""}};
  return all;
}

const Board& board_named(const std::string& name) {
  std::string known;
  for (const Board& board : boards()) {
    if (board.name == name) return board;
    known.append(known.empty() ? "" : ", ").append(board.name);
  }
  fail("codegen", "--on", "'" + name + "'", known);
}

std::string_view ticks_of(const Board& board) {
  return file_named(board.ticks);
}

std::string_view start_up() {
  return file_named("cortex_m.c");
}

std::string linker_script(const Board& board) {
  std::string text(file_named("cortex_m.ld"));
  const auto put = [&](const std::string& mark, std::string_view value) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark))
      text.replace(at, mark.size(), value);
  };
  put("@FLASH_BYTES@", board.flash_bytes);
  put("@RAM_BYTES@", board.ram_bytes);
  put("@RAM@", board.ram);
  return text;
}

}  // namespace nibble::codegen
