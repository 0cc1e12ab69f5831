#!/usr/bin/env bash
# Packages for arm64, installed into a Debian of arm64 and tried as a Cortex-A72: arm64.sh [BUILD [BUNDLE.nibapp...]]
#
# BUILD (build/release) is this machine's: it makes a program and says what that gives. BUNDLEs are checked beside those
# of examples/apps. The packages are built (or lie in the folder NIBBLE_ARM64_PACKAGES), the system is made where it is not
# yet, in Nibble's cache, by debootstrap (scripts/arm64_system): minutes. NIBBLE_ARM64_UNPACKED=1, or where that needs what
# is not here: the packages, and what apt finds that they depend on, are unpacked (scripts/arm64_root), and none is
# configured. Not among CI's tests. Skips (77) by name.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${1:-$here/build/release}")
shift || true
for tool in qemu-aarch64 aarch64-linux-gnu-g++ apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
fail() { echo "packages: $*" >&2; exit 1; }
nibble=$build/src/nibble models=$build/tests/runtime_package/text_models
[[ -x $nibble && -x $models ]] || fail "no $nibble, or no $models (expected both built: scripts/build nibble text_models)"

if [[ -n ${NIBBLE_ARM64_PACKAGES:-} ]]; then
  made=("$(realpath "$NIBBLE_ARM64_PACKAGES")"/*_arm64.deb)
else
  mapfile -t made < <(cd "$here" && scripts/package arm64)
  made=("${made[@]/#/$here/}")
fi
((${#made[@]} == 4)) || fail "${#made[@]} packages (expected 4): ${made[*]}"
du -k "${made[@]}" | sed 's#\t.*/# KB #'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/share"
cp "${made[@]}" "$@" "$here/tests/packages/arm64_inside.sh" "$work/share"
(
  cd "$work/share"
  export NIBBLE_TORCH_MODULE=/nowhere
  "$models" .
  rm -f shapes.nibapp # one of those that the package has
  "$nibble" quantize tiny.onnx --data npz:examples.npz -o fq.onnx --quiet
  "$nibble" integerize fq.onnx -o id.onnx --quiet
  "$nibble" compile id.onnx --machine cortex-a72 -o tiny.nib
  "$nibble" run id.onnx --input examples.npz --engine reference -o y.npz --quiet
) >/dev/null

unpacked() {
  local root
  root=$("$here/scripts/arm64_root" try "${made[@]}")
  [[ $(readelf -h "$root/usr/bin/nibble" | sed -n 's/.*Machine: *//p') == AArch64 ]] || fail "nibble is of another machine"
  echo "packages: unpacked in $root"
  "$work/share/arm64_inside.sh" "$work/share" "$root/usr/share/nibble/apps" \
    qemu-aarch64 -cpu cortex-a72 -L "$root" "$root/usr/bin/nibble"
}

installed() {
  local system=${XDG_CACHE_HOME:-$HOME/.cache}/nibble/arm64/system
  "$here/scripts/arm64_system" "$system"
  rm -rf "$system/share"
  cp -r "$work/share" "$system/share"
  cp /etc/resolv.conf "$system/etc/resolv.conf"
  echo "packages: installed by apt in $system"
  "$here/scripts/arm64_system" "$system" sh -euc 'cd /share; apt-get -qq update; dpkg --purge nibble-apps nibble libnibble-rt-dev libnibble-rt1 >/dev/null 2>&1 || true
    apt-get -qq install -y --no-install-recommends ./*.deb; dpkg -V nibble libnibble-rt1 libnibble-rt-dev nibble-apps
    ldconfig -p | grep -q libnibble_rt.so.1; /share/arm64_inside.sh /share /usr/share/nibble/apps nibble'
}

can_install() {
  ((EUID == 0)) && for tool in debootstrap qemu-aarch64-static; do command -v $tool >/dev/null || return 1; done
}
if [[ -z ${NIBBLE_ARM64_UNPACKED:-} ]] && can_install; then installed; else unpacked; fi
