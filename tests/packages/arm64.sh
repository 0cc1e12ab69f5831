#!/usr/bin/env bash
# Packages for arm64, installed into a root of Debian's arm64 packages and tried by an emulator: arm64.sh MODELS, a folder
# with a program tiny.nib, its one.npy and y.npz of this machine. Builds what is not built yet: minutes. Skips (77) by name.
#
# apt resolves the packages' Depends for arm64, from an empty system, and fetches what they need; all is unpacked
# (scripts/arm64_root), none is configured: maintainer scripts would have to be run by the emulator.
set -euo pipefail
models=$(realpath "${1:?arm64.sh MODELS}")
here=$(cd "$(dirname "$0")/../.." && pwd)
for tool in qemu-aarch64 aarch64-linux-gnu-g++ apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
fail() { echo "packages: $*" >&2; exit 1; }
mapfile -t made < <("$here/scripts/package" arm64)
((${#made[@]} == 3)) || fail "${#made[@]} packages (expected 3): ${made[*]}"
root=$("$here/scripts/arm64_root" try "${made[@]/#/$here/}")
[[ -x $root/usr/bin/nibble ]] || fail "no nibble in $root"
[[ $(readelf -h "$root/usr/bin/nibble" | sed -n 's/.*Machine: *//p') == AArch64 ]] || fail "nibble is of another machine"
nibble() { qemu-aarch64 -cpu cortex-a72 -L "$root" "$root/usr/bin/nibble" "$@"; }
nibble --help >/dev/null || fail "nibble --help: $?"
nibble run "$models/tiny.nib" --input "$models/one.npy" --expect "$models/y.npz" | grep "equal: 1 tensor" ||
  fail "other integers than this machine's"
nibble bench "$models/tiny.nib" --runs 3 --threads 1 | grep "kernels neon" || fail "not by neon"
echo "packages: arm64 in $root"
