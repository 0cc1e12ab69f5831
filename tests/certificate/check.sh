#!/usr/bin/env bash
# Every integer network in FOLDER against its fake one, and every corrupted copy, in which the checker must find it:
# check.sh CHECKER FOLDER
set -u
checker=$1
cd "$2" || exit 2
expect() {  # expected exit code, fake, integer
  "$checker" "$2" "$3" > "$3.log" 2>&1
  local code=$?
  requantisations=$(sed -n 's/^\([0-9]*\) requantisations,.*/\1/p' "$3.log")
  [ $code -eq "$1" ] && return
  echo "$3: exit code $code (expected $1)"
  cat "$3.log"
  failed=1
  return 1
}
at_least() {  # required, found, of what
  echo "$2 $3 (expected at least $1)"
  [ "$2" -ge "$1" ] || failed=1
}
failed=0
networks=0 certified=0 multipliers=0 weights=0
for fake in *.fq.onnx; do
  name=${fake%.fq.onnx}
  expect 0 "$fake" "$name.id.onnx"
  [ "${requantisations:-0}" -gt 0 ] || { echo "$name.id.onnx: no requantisation was checked"; failed=1; }
  certified=$((certified + ${requantisations:-0}))
  networks=$((networks + 1))
  [ -e "$name.multiplier.onnx" ] && expect 1 "$fake" "$name.multiplier.onnx" && multipliers=$((multipliers + 1))
  [ -e "$name.weight.onnx" ] && expect 1 "$fake" "$name.weight.onnx" && weights=$((weights + 1))
done
at_least 48 $networks networks
at_least 350 $certified "requantisations checked"
at_least 44 $multipliers "multipliers corrupted and found"
at_least 48 $weights "weights corrupted and found"
exit $failed
