#!/bin/sh
# What arm64.sh asks of an installed nibble: arm64_inside.sh SHARE APPS NIBBLE [WORDS...], NIBBLE by a command of several words.
# SHARE holds a program tiny.nib, its network id.onnx, inputs and what they give; bundles lie there and in APPS.
set -eu
share=$1 apps=$2
shift 2
fail() { echo "packages: $*" >&2; exit 1; }

"$@" --help >/dev/null || fail "nibble --help: $?"
for file in tiny.nib id.onnx; do
  "$@" run "$share/$file" --input "$share/examples.npz" --expect "$share/y.npz" | grep -q "equal: 1 tensor" ||
    fail "$file gives other integers here"
done
"$@" bench "$share/tiny.nib" --runs 3 --threads 1 | grep "kernels neon" >/dev/null || fail "not by neon"
"$@" run "$share/tiny.nib" --input "$share/examples.npz" --expect "$share/y.npz" --backend acl | grep -q "equal: 1 tensor" ||
  fail "tiny.nib gives other integers by acl"

# Every byte of the network's input, of its outputs and of the answer: by our kernels, the definition and the library.
checked=0
for bundle in "$apps"/*.nibapp "$share"/*.nibapp; do
  [ -f "$bundle" ] || continue
  "$@" app check "$bundle" >"$share/said" || fail "$bundle: $(cat "$share/said")"
  "$@" app check "$bundle" --kernels reference >/dev/null || fail "$bundle by the definition"
  "$@" app check "$bundle" --backend acl >"$share/said_acl" || fail "$bundle by acl: $(cat "$share/said_acl")"
  taken=$(sed -n '1s/ go to acl.*//p' "$share/said_acl")
  case $taken in
    "" | "0 of"*) fail "$bundle: acl took no step" ;;
  esac
  echo "$(basename "$bundle"): $(grep -c ': equal$' "$share/said") samples equal; by acl too, $taken"
  checked=$((checked + 1))
done
[ "$checked" -ge 5 ] || fail "$checked bundles (expected those of examples/apps)"
"$@" tune "$share/tiny.nib" --backend auto --runs 3 --threads 1 -o "$share/tuned.nib" | grep "every value is the reference's"
"$@" run "$share/tuned.nib" --input "$share/examples.npz" --expect "$share/y.npz" --backend auto | grep -q "equal: 1 tensor" ||
  fail "the tuned program gives other integers"
echo "packages: $checked applications equal"
