#!/usr/bin/env bash
# A back end under an emulated Cortex-A72 against the reference: backend.sh BACKEND.so RUNTIME.a PROGRAM.nib|FOLDER...
#
# Prints how many programs are equal and how many of their steps the back end took, by kernel. Not among CI's tests: it
# needs the arm64 build (docs/guide/arm.md), and minutes. Programs of random networks come from the target random_programs.
set -euo pipefail
backend=$(realpath "${1:?backend.sh BACKEND.so RUNTIME.a PROGRAM.nib|FOLDER...}") runtime=$(realpath "$2")
shift 2
here=$(cd "$(dirname "$0")/../.." && pwd)
root=${NIBBLE_ACL_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/nibble/arm64/acl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
aarch64-linux-gnu-gcc -std=c99 -O2 -no-pie -fno-pie -I "$here/src" "$here/benchmarks/arm/program.c" "$runtime" \
  -o "$work/program" -lm -ldl -lpthread
equal=0
while read -r program; do
  qemu-aarch64 -cpu cortex-a72 -L "$root" "$work/program" check "$program" neon "$backend" >"$work/said" 2>"$work/wrong" ||
    { cat "$work/said" "$work/wrong"; echo "backend: $program: differs"; exit 1; }
  grep -q '^equal$' "$work/said" || { echo "backend: $program: said nothing"; exit 1; }
  equal=$((equal + 1))
  cat "$work/said" >>"$work/steps"
done < <(for each in "$@"; do find "$each" -name '*.nib'; done | sort)
name=$(basename "$backend" .so)
awk -F'\t' -v name="$name" '$4 == name { ++taken[$5] } $6 != "" { ++why[$6] }
  END { for (k in taken) print taken[k], "steps by", k; for (k in why) print why[k], "not:", k }' "$work/steps" | sort -rn
echo "$equal programs equal"
