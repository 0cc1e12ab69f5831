#include "onnx/deeploy/dialect_deeploy.hpp"
#include "onnx/file/container.hpp"
#include "onnx/onnx.hpp"
#include "onnx/standard/import.hpp"

namespace nibble::onnx {

std::string reference_page() {
  std::string page =
      "# ONNX: what is read and written\n\n"
      "<!-- Made from the tables in src/onnx by reference_page(); a test compares. -->\n\n"
      "Read: opset " +
      std::to_string(oldest_opset) + " to " + std::to_string(newest_opset) +
      ", constants as initializers or Constant nodes, external data inside the model's folder. The first axis of an\n"
      "input, where it has no number, is the batch; it passes through shape subgraphs, and where arithmetic needs its\n"
      "number the error says to bind it (`--batch 1`). Other axes that have a name for a number, or nothing, take\n"
      "one from `--shape NAME=N` or `--shape INPUT:AXIS=N`. Float16, bfloat16 and double become float32; integers of "
      "8, 16,\n"
      "32 and 64 bits, and INT4, UINT4, INT2, UINT2 of quantised tensors, are kept.\n\n"
      "An attribute with `<n` belongs to the forms before opset n, with `>=n` to those from n on. \"Runs\" ops become\n"
      "nodes; \"folds\" ops are computed while reading, where their inputs are known.\n\n"
      "| op | since | attributes | runs | folds | remark |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const Import& row : imports()) {
    std::string attributes;
    for (char c : row.attributes) attributes += c == ' ' ? ", " : std::string(1, c);
    page += "| " + std::string(row.op) + " | " + std::to_string(row.since) + " | " + attributes + " | " +
            (row.read ? "yes" : "") + " | " + (row.fold ? "yes" : "") + " | " + std::string(row.remark) + " |\n";
  }
  page += "\nDomain `com.microsoft`, version 1:\n\n| op | attributes | remark |\n| --- | --- | --- |\n";
  for (const Import& row : microsoft_imports()) {
    std::string attributes;
    for (char c : row.attributes) attributes += c == ' ' ? ", " : std::string(1, c);
    page += "| " + std::string(row.op) + " | " + attributes + " | " + std::string(row.remark) + " |\n";
  }
  page +=
      "\nDomain `qonnx.custom_op.general` (also `onnx.brevitas`, `finn.custom_op.general`, `qonnx`), version 1:\n\n"
      "| op | attributes | remark |\n| --- | --- | --- |\n";
  for (const Import& row : qonnx_imports()) {
    std::string attributes;
    for (char c : row.attributes) attributes += c == ' ' ? ", " : std::string(1, c);
    page += "| " + std::string(row.op) + " | " + attributes + " | " + std::string(row.remark) + " |\n";
  }
  page +=
      "\nDialect `deeploy` (by its own ops, or given), domains none, `PACTOps` and `ai.onnx.contrib`: tensors of reals "
      "hold\nintegers; ops of the standard on them, and\n\n| op | attributes | read as |\n| --- | --- | --- |\n";
  for (const Import& row : deeploy_imports()) {
    std::string attributes;
    for (char c : row.attributes) attributes += c == ' ' ? ", " : std::string(1, c);
    page += "| " + std::string(row.op) + " | " + attributes + " | " + std::string(row.remark) + " |\n";
  }
  std::string later;
  for (const Import& row : imports())
    if (row.read && row.since > 13 && graph::op_named(row.op))
      later += (later.empty() ? "" : ", ") + std::string(row.op) + " " + std::to_string(row.since);
  page +=
      "\n## Written\n\n"
      "- native: opset 17 (" +
      std::to_string(first_opset("Gelu")) + " where the graph has a Gelu) and domain `nibble` version " +
      std::to_string(nibble_version) +
      " for what the standard lacks: each op of\n"
      "  src/graph/ops.hpp under its own name, its fields as attributes. Tensors have their real integer types. One "
      "JSON\n"
      "  document under the metadata key `nibble` holds stage, types, grids and bounds. Reads back to an equal graph.\n"
      "- qdq: opset 13 for 8 bits, 21 for 4-bit weights and 16-bit activations, 25 for 2-bit types where asked;\n"
      "  the first that has every op (" +
      later + ", AveragePool with dilations " + std::to_string(first_opset("AveragePool", "dilations")) +
      "),\n"
      "  but at most 13 with `--containers byte` and 21 with `four-bit`: functions and normalisations that came later "
      "are in\n"
      "  pieces. Weights are integers with DequantizeLinear. Activations of other widths lie in the next wider "
      "container, a "
      "Clip between\n"
      "  QuantizeLinear and DequantizeLinear. Exact ties round to even: that is the dialect's rule.\n"
      "- deeploy: opset 10, float32 tensors that hold integers, int64 where float32 does not hold them. Ops that the\n"
      "  dialect lacks are written by others with the same integers (docs/design/deeploy.md), or refused by name.\n";
  return page;
}

}  // namespace nibble::onnx
