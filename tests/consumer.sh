#!/usr/bin/env bash
# Installs the build tree $1 into an empty folder and builds and runs tests/consumer against it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/prefix" >/dev/null
# Headers without a library to link.
found=$(find "$work/prefix" -path '*/nibble/verbs' -o -path '*/nibble/train/*/*')
[[ -z $found ]] || { echo "installed, and not exported: $found"; exit 1; }
cmake -G Ninja -S "$(dirname "$0")/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build" >"$work/log" || { cat "$work/log"; exit 1; }
"$work/build/consumer"
"$work/prefix/bin/nibble" --version
