#include <unordered_map>

#include "onnx/dory/dialect_nemo.hpp"
#include "onnx/dory/integer_chains.hpp"

namespace nibble::onnx {

bool is_nemo_file(const Source& source) {
  std::unordered_map<std::string_view, const pb::NodeProto*> writer;
  for (const auto& node : source.model.graph().node())
    for (const std::string& output : node.output()) writer.emplace(output, &node);
  const auto written_by = [&](const pb::NodeProto& node) -> const pb::NodeProto* {
    const auto found = node.input_size() > 0 ? writer.find(node.input(0)) : writer.end();
    return found == writer.end() ? nullptr : found->second;
  };
  for (const auto& node : source.model.graph().node()) {
    if (node.op_type() != "Clip") continue;
    const pb::NodeProto* before = written_by(node);
    // No more steps than there are nodes: a damaged file may turn in a circle.
    int casts = 0;
    for (; before && before->op_type() == "Cast" && casts < source.model.graph().node_size(); ++casts)
      before = written_by(*before);
    if (casts > 0 && before && before->op_type() == "Div") return true;
  }
  return false;
}

graph::Graph read_nemo(const Source& source) {
  constexpr Interval either_sign{-128, 255};
  ChainReader importer({}, either_sign);
  return GraphReader(source.model, source.place, source.options, {source.folder, false},
                     {.integers = true, .importer = &importer})
      .run();
}

}  // namespace nibble::onnx
