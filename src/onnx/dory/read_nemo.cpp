#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "onnx/dory/dialect_nemo.hpp"
#include "onnx/dory/integer_chains.hpp"
#include "onnx/file/tensors.hpp"

namespace nibble::onnx {

namespace {

/// The file's constants of one name: an initialiser, or what a Constant gives.
class Constants {
 public:
  explicit Constants(const Source& source) : rules_{source.folder, false} {
    for (const auto& tensor : source.model.graph().initializer()) tensors_.emplace(tensor.name(), &tensor);
    for (const auto& node : source.model.graph().node())
      if (node.op_type() == "Constant" && node.output_size() == 1 && node.attribute_size() == 1)
        tensors_.emplace(node.output(0), &node.attribute(0).t());
  }
  /// It is a constant, and every number of it is whole.
  bool whole(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return false;
    const std::vector<double> reals = read_tensor(*found->second, name, rules_).tensor.to_reals();
    return std::all_of(reals.begin(), reals.end(), [](double x) { return x == std::floor(x); });
  }

 private:
  TensorRules rules_;
  std::unordered_map<std::string_view, const pb::TensorProto*> tensors_;
};

/// Every weight of the file is whole, and there is one: a network of integers, whatever its types say.
bool holds_whole_weights(const Source& source, const Constants& constants) {
  bool found = false;
  for (const auto& node : source.model.graph().node()) {
    const std::string_view op = node.op_type();
    if (op != "Conv" && op != "Gemm" && op != "MatMul") continue;
    if (node.input_size() < 2 || !constants.whole(node.input(1))) return false;
    found = true;
  }
  return found;
}

}  // namespace

bool is_nemo_file(const Source& source) {
  std::unordered_map<std::string_view, const pb::NodeProto*> writer;
  for (const auto& node : source.model.graph().node())
    for (const std::string& output : node.output()) writer.emplace(output, &node);
  const auto written_by = [&](const pb::NodeProto& node) -> const pb::NodeProto* {
    const auto found = node.input_size() > 0 ? writer.find(node.input(0)) : writer.end();
    return found == writer.end() ? nullptr : found->second;
  };
  const Constants constants(source);
  for (const auto& node : source.model.graph().node()) {
    if (node.op_type() != "Clip") continue;
    const pb::NodeProto* before = written_by(node);
    // No more steps than there are nodes: a damaged file may turn in a circle.
    int casts = 0;
    for (; before && before->op_type() == "Cast" && casts < source.model.graph().node_size(); ++casts)
      before = written_by(*before);
    if (!before || before->op_type() != "Div") continue;
    // Without a Cast the quotient says nothing of integers: the weights do.
    const bool whole = before->input_size() == 2 && constants.whole(before->input(1));
    if (casts > 0 || (whole && holds_whole_weights(source, constants))) return true;
  }
  return false;
}

graph::Graph read_nemo(const Source& source) {
  constexpr Interval either_sign{-128, 255};
  ChainReader importer({.attributes = {}, .divisions_floor = true}, either_sign);
  return GraphReader(source.model, source.place, source.options, {source.folder, false},
                     {.integers = true, .importer = &importer})
      .run();
}

}  // namespace nibble::onnx
