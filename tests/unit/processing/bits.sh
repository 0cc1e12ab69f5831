#!/usr/bin/env bash
# Sound features, and boxes and landmarks by integers, have the same bits by every compiler, optimised or not, on x86 and
# on an emulated Cortex-A72. 77
# (skipped) where a compiler or the emulator is missing.
set -euo pipefail
cd "$(dirname "$0")/../../.."
expected=8f29ad5d5137b70e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
missing=

# one NAME RUNNER COMPILER...: by what it is run ("" for this machine), and how it is compiled.
one() {
  local name=$1 runner=$2
  shift 2
  for tool in "$1" ${runner%% *}; do
    command -v "$tool" >/dev/null || { missing="$missing $tool"; return; }
  done
  "$@" -std=c99 -Wall -Wextra -Werror -ffp-contract=off -Isrc -Itests tests/unit/processing/bits.c src/processing/sound.c \
    src/processing/{fixed_sound,fixed,fixed_detect,fixed_landmarks,real}.c -lm -o "$folder/$name"
  local found
  found=$($runner "$folder/$name")
  if [[ $found != "$expected" ]]; then
    echo "processing: $name: bits of hash $found (expected $expected)" >&2
    exit 1
  fi
}
one gcc "" gcc -O0
one gcc3 "" gcc -O3
one clang "" clang -O2
one arm "qemu-aarch64 -cpu cortex-a72" aarch64-linux-gnu-gcc -O2 -static
if [[ -n $missing ]]; then
  echo "skipped: no$missing"
  exit 77
fi
