#!/usr/bin/env bash
# Every network of FOLDER, exported to quantlab with goldens, as DORY would read it, and copies with one thing wrong, in
# which the reader must find it: check.sh NIBBLE READER FOLDER
set -u
nibble=$1
reader=$2
cd "$3" || exit 2
failed=0
fault() {
  echo "$1"
  failed=1
}
# corrupt NAME FAULT FILE SED: a copy in which sed has changed FILE; "" as FAULT: nothing is wrong
corrupt() {
  local folder="$1.$2"
  rm -rf "$folder" && cp -r "$1.export" "$folder"
  LC_ALL=C sed -i "$4" "$folder/$3"
  cmp -s "$1.export/$3" "$folder/$3" && fault "$folder: sed has changed nothing"
  "$reader" "$folder/network.onnx" > "$folder.log" 2>&1
  local code=$?
  [ $code -eq 1 ] || fault "$folder: exit code $code (expected 1)"
  grep -q "$5" "$folder.log" || { fault "$folder: not a word of '$5'"; cat "$folder.log"; }
}
count=0
for network in *.npz; do
  name=${network%.npz}
  mkdir -p "$name.export"
  "$nibble" convert "$name.onnx" --dialect quantlab --golden "npz:$network" -o "$name.export/network.onnx" \
    > "$name.log" 2>&1 || { fault "$name: not exported"; cat "$name.log"; continue; }
  "$reader" "$name.export/network.onnx" > "$name.log" 2>&1 || { fault "$name: refused"; cat "$name.log"; }
  count=$((count + 1))
done
echo "$count networks"
[ $count -ge 28 ] || fault "fewer than 28"

for network in *.weight.onnx; do
  name=${network%.weight.onnx}
  rm -rf "$name.weight" && cp -r "$name.export" "$name.weight"
  "$nibble" convert "$network" --dialect quantlab -o "$name.weight/network.onnx" > "$name.weight.log" 2>&1
  "$reader" "$name.weight/network.onnx" > "$name.weight.log" 2>&1 && fault "$name: a changed weight is not seen"
  grep -q "out_layer0.txt: .* integers differ" "$name.weight.log" || fault "$name.weight: not found in the first layer"
done
model=network.onnx
corrupt demo8 golden out_layer2.txt '2s/.*/300,/' 'out_layer2.txt: 1 integers differ'
corrupt demo8 header out_layer0.txt '1s/28, 28, 8/8, 28, 28/' 'out_layer0.txt: other extents'
corrupt demo8 width config_network.json 's/"BNRelu_bits": 64/"BNRelu_bits": 32/' 'more than the BNRelu_bits'
corrupt demo8 file config_network.json 's/network.onnx/another.onnx/' 'another onnx_file'
corrupt demo8 sign config_network.json 's/"input_signed": true/"input_signed": false/' 'input.txt: '
corrupt demo8 weight_bits $model 's/weight_bits/weight_bitz/g' "no attribute 'weight_bits'"
corrupt demo8 bias_bits $model 's/bias_bits/bias_bitz/g' "no attribute 'bias_bits'"
corrupt demo8 mult_bits $model 's/mult_bits/mult_bitz/g' "no attribute 'mult_bits'"
corrupt demo8 out_bits $model 's/out_bits/out_bitz/g' "no attribute 'out_bits'"
corrupt demo8 in1_mul $model 's/in1_mul/in1_mvl/g' "no attribute 'in1_mul'"
corrupt demo8 out_rq $model 's/out_rq/out_rp/g' "no attribute 'out_rq'"
corrupt demo8 strides $model 's/strides/stridez/g' "no attribute 'strides'"
corrupt demo8 operation $model 's/Floor/Round/g' 'an op that DORY refuses'
corrupt demo8 bias_name $model 's/\.weight/.beight/g' 'which DORY tells by its name'
exit $failed
