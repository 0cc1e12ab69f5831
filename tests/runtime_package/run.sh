#!/usr/bin/env bash
# Installs the runtime alone from the build tree $1, looks at what it is made of, builds examples/runtime against it (CMake,
# pkg-config, the archive) and compares what they print with `nibble run`. $2 writes models.
set -euo pipefail
build=$1 models=$2
here=$(cd "$(dirname "$0")" && pwd)
example=$here/../../examples/runtime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "runtime package: $*" >&2; exit 1; }
cmake --install "$build" --prefix "$work/prefix" --component runtime >/dev/null
library=$(find "$work/prefix" -name libnibble_rt.so)
archive=$(find "$work/prefix" -name libnibble_rt.a)
[[ -n $library && -n $archive ]] || fail "no library"
[[ $(find "$work/prefix" -name '*.h*' | wc -l) == 2 ]] || fail "other headers than nibble.h and nibble.hpp"

# libc, libm and threads, and nothing else.
other=$(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libpthread|ld-linux.*)\.so' || true)
[[ -z $other ]] || fail "needs $other"
for file in "$library" "$archive"; do
  strip --strip-unneeded -o "$work/stripped" "$file"
  size=$(stat -c %s "$work/stripped")
  echo "$(basename "$file") stripped: $size bytes"
  (( size < 400 * 1024 )) || fail "$(basename "$file") has $size bytes stripped (expected under 409600)"
done
# It exports what the header declares.
declared=$(cc -E -P "$work/prefix/include/nibble.h" 2>/dev/null | grep -oE 'nibble_[a-z_]+\(' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" { print $3 }' | sort -u)
[[ $declared == "$exported" ]] || fail "declared and exported differ: $(diff <(echo "$declared") <(echo "$exported"))"

mkdir "$work/models"
"$models" "$work/models"
cd "$work/models"
nibble=$build/src/nibble
export NIBBLE_TORCH_MODULE=/nowhere
"$nibble" quantize tiny.onnx --data npz:examples.npz -o fq.onnx >/dev/null
"$nibble" integerize fq.onnx -o id.onnx >/dev/null
"$nibble" compile id.onnx -o tiny.nib >/dev/null
tail -c 64 one.npy >one.f32
integers=$("$nibble" run tiny.nib --input one.npy --json | tr -d ' \n')

cmake -G Ninja -S "$example" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/build" >"$work/log" || { cat "$work/log"; exit 1; }
export PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name nibble_rt.pc)")
cc -Wall -Wextra -Werror "$example/classify.c" $(pkg-config --cflags --libs nibble_rt) -o "$work/by_pkg_config"
cc "$example/classify.c" $(pkg-config --cflags nibble_rt) "$archive" $(pkg-config --static --libs-only-l nibble_rt | sed s/-lnibble_rt//) -o "$work/by_archive"
wanted=$(python3 - "$integers" <<'PY'
import json, struct, sys
out = json.loads(sys.argv[1])["outputs"][0]
reals = [struct.unpack("f", struct.pack("f", out["scale"] * (q - out["zero_point"])))[0] for q in out["values"]]
print(" ".join("%.6g" % y for y in reals))
print("%s: class %d" % (out["name"], reals.index(max(reals))))
PY
)
export LD_LIBRARY_PATH=$(dirname "$library")
for program in "$work/build/classify" "$work/build/classify_static" "$work/build/classify_cpp" "$work/by_pkg_config" "$work/by_archive"; do
  found=$("$program" tiny.nib one.f32) || fail "$program"
  [[ $found == "$wanted" ]] || fail "$program prints $found (expected $wanted)"
  ldd "$program" | grep -q "libstdc++" && [[ $program != *_cpp ]] && fail "$program needs the library of C++"
  head -c 900 tiny.nib >cut.nib
  "$program" cut.nib one.f32 2>"$work/message" && fail "$program runs a damaged program"
  grep -q "cut.nib" "$work/message" || fail "$program says $(cat "$work/message")"
done
echo "runtime package: $wanted"
