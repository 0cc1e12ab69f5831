#!/usr/bin/env bash
# Random steps of the kernels for small machines equal the specification: kernels.sh host | rv32 | CORE MACHINE RAM RAM_BYTES.
# 77 (skipped) where the cross compiler or the emulator is missing (scripts/packages-embedded.txt).
set -euo pipefail
cd "$(dirname "$0")/../.."
where=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=(tests/embedded/kernels.c src/kernels/items.c src/kernels/reference/*.c src/kernels/portable/conv.c
  src/kernels/portable/depthwise.c src/kernels/portable/pool.c src/kernels/portable/reduce.c src/kernels/cortex_m/*.c
  src/kernels/unrolled/*.c)
strict=(-std=c99 -Wall -Wextra -Wconversion -Werror -ffp-contract=off -Isrc)

if [[ $where == host ]]; then
  for compiler in gcc clang; do
    command -v $compiler >/dev/null || exit 77
    $compiler -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "${strict[@]}" "${sources[@]}" -lm -o "$folder/kernels"
    "$folder/kernels"
  done
  exit 0
fi

if [[ $where == rv32 ]]; then
  command -v riscv64-unknown-elf-gcc >/dev/null && command -v qemu-system-riscv32 >/dev/null || exit 77
  memory=(-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=0x400000,--defsym=__ram=0x80400000,--defsym=__ram_size=0x200000)
  for level in ${NIBBLE_LEVELS:--O2 -Os}; do
    riscv64-unknown-elf-gcc -march=rv32imc -mabi=ilp32 $level "${strict[@]}" "${sources[@]}" --specs=picolibc.specs \
      --oslib=semihost --crt0=hosted "${memory[@]}" -lm -o "$folder/kernels"
    timeout 300 qemu-system-riscv32 -M virt -bios none -nographic -semihosting -kernel "$folder/kernels" </dev/null
  done
  exit 0
fi

command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null || exit 77
sed "s/@FLASH_BYTES@/512K/; s/@RAM@/$3/; s/@RAM_BYTES@/$4/" boards/cortex_m.ld > "$folder/board.ld"
floats=()
[[ $where == cortex-m55 ]] && floats=(-mfloat-abi=hard) # without it there are no vectors
# A core takes half a minute a level: NIBBLE_LEVELS names others.
levels=${NIBBLE_LEVELS:--O2 -Os}
[[ $where == cortex-m7 ]] && levels=${NIBBLE_LEVELS:--O3} # the code of the M4
for level in $levels; do
  arm-none-eabi-gcc -mcpu="$where" -mthumb "${floats[@]}" $level "${strict[@]}" -ffunction-sections "${sources[@]}" boards/cortex_m.c \
    -T "$folder/board.ld" --specs=rdimon.specs -nostartfiles -Wl,--gc-sections -lm -o "$folder/kernels"
  timeout 300 qemu-system-arm -M "$2" -nographic -semihosting -kernel "$folder/kernels" </dev/null
done
