#!/usr/bin/env bash
# Every integer network in FOLDER against its fake one, and every corrupted copy, in which the checker must find it:
# check.sh CHECKER FOLDER
set -u
checker=$1
cd "$2" || exit 2
expect() {  # expected exit code, fake, integer
  "$checker" "$2" "$3" > "$3.log" 2>&1
  local code=$?
  [ $code -eq "$1" ] && return
  echo "$3: exit code $code (expected $1)"
  cat "$3.log"
  failed=1
}
failed=0
count=0
for fake in *.fq.onnx; do
  name=${fake%.fq.onnx}
  expect 0 "$fake" "$name.id.onnx"
  [ -e "$name.multiplier.onnx" ] && expect 1 "$fake" "$name.multiplier.onnx"
  [ -e "$name.weight.onnx" ] && expect 1 "$fake" "$name.weight.onnx"
  count=$((count + 1))
done
echo "$count networks"
[ $count -ge 40 ] || { echo "fewer than 40"; failed=1; }
exit $failed
