#!/usr/bin/env bash
# Packages of the build tree $1: what their control files say, what they hold, and that the command in them runs. $2 writes
# models (tests/runtime_package). Skips (77) without Debian's tools, or where a library is of no package.
set -euo pipefail
build=$(realpath "$1") models=$2
here=$(cd "$(dirname "$0")/../.." && pwd)
for tool in dpkg-deb dpkg-query; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
[[ $(dpkg --print-architecture) == amd64 ]] || { echo "skipped: not amd64"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "packages: $*" >&2; exit 1; }

NIBBLE_BUILD=$build "$here/scripts/package" amd64 --no-build -o "$work/made" >"$work/list"
for name in libnibble-rt1 libnibble-rt-dev nibble nibble-apps; do
  deb=$(grep "/${name}_" "$work/list") || fail "no $name among $(cat "$work/list")"
  [[ $(dpkg-deb -f "$deb" Package Version Architecture | paste -sd' ') == *"$name"*"Architecture: amd64" ]] ||
    fail "$name: $(dpkg-deb -f "$deb")"
  dpkg-deb -c "$deb" >"$work/$name.contents"
  dpkg-deb -x "$deb" "$work/root"
done
version=$(sed -n 's/^project(nibble VERSION \([0-9.]*\) .*/\1/p' "$here/CMakeLists.txt")
[[ $(dpkg-deb -f "$work"/made/nibble_*.deb Version) == "$version" ]] || fail "another version than $version"
grep -q 'libnibble_rt.so.1' "$work/libnibble-rt1.contents" || fail "no library in libnibble-rt1"
grep -q '/nibble.h$' "$work/libnibble-rt-dev.contents" || fail "no header in libnibble-rt-dev"
[[ $(dpkg-deb -f "$work"/made/libnibble-rt1_*.deb Depends) =~ ^libc6\ \(\>=\ [0-9.]+\)$ ]] ||
  fail "the runtime depends on $(dpkg-deb -f "$work"/made/libnibble-rt1_*.deb Depends) (expected libc6 alone)"
# Every dependency is a package of a version that is here.
dpkg-deb -f "$work"/made/nibble_*.deb Depends | tr ',' '\n' | while read -r package relation least; do
  dpkg --compare-versions "$(dpkg-query -W -f='${Version}\n' "$package" | head -1)" ge "${least%)}" ||
    fail "nibble depends on $package $relation $least"
done

mkdir "$work/models"
"$models" "$work/models"
cd "$work/models"
export NIBBLE_TORCH_MODULE=/nowhere
nibble=$work/root/usr/bin/nibble
"$nibble" --help >help.txt && grep -q "^  run " help.txt || fail "no help: $(head -3 help.txt)"
"$nibble" quantize tiny.onnx --data npz:examples.npz -o fq.onnx >/dev/null
"$nibble" integerize fq.onnx -o id.onnx >/dev/null
"$nibble" compile id.onnx -o tiny.nib >/dev/null
"$nibble" run id.onnx --input one.npy --engine reference -o y.npz >/dev/null
"$nibble" run tiny.nib --input one.npy --expect y.npz | grep -q "equal: 1 tensor" || fail "other integers"
"$nibble" app check "$work/root/usr/share/nibble/apps/shapes.nibapp" | grep -q ": equal" || fail "another answer"
echo "packages: $(wc -l <"$work/list") of amd64, $(du -ch "$work"/made/*.deb | tail -1 | cut -f1)"
