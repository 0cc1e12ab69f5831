#include "onnx/dialects.hpp"

#include "base/error.hpp"
#include "onnx/deeploy/dialect_deeploy.hpp"
#include "onnx/dory/dialect_nemo.hpp"
#include "onnx/dory/dialect_quantlab.hpp"
#include "onnx/file/container.hpp"
#include "onnx/file/metadata.hpp"
#include "onnx/standard/graph_reader.hpp"
#include "onnx/standard/spelled_quantisers.hpp"

namespace nibble::onnx {
namespace {

bool is_any_file(const Source&) {
  return true;
}

bool is_no_file(const Source&) {
  return false;
}

bool is_deeploy_file(const Source& source) {
  return is_deeploy(source.model);
}

graph::Graph read_deeploy(const Source& source) {
  return GraphReader(source.model, source.place, source.options, {source.folder, false}, deeploy_rules()).run();
}

void write_plain_qdq(const graph::Graph& graph, const std::filesystem::path& file) {
  write_qdq(graph, file);
}

// clang-format off
constexpr Dialect table[] = {
    {"native", "Nibble's own: every stage, bit for bit, with grids and bounds; opens in any ONNX viewer", "FP FQ QD ID", false,
     is_native_file, read_standard, write_native},
    {"quantlab", "integer networks for DORY, as QuantLab writes them: requantisations that round down, in float tensors", "ID", true,
     is_quantlab_file, read_quantlab, write_quantlab},
    {"nemo", "integer networks as NEMO writes them: kappa, lamda and a division, rounding down", "ID", true,
     is_nemo_file, read_nemo, write_nemo},
    {"deeploy", "integer networks for Deeploy: RequantShift, half rounded up, and integer functions, in float tensors", "ID", false,
     is_deeploy_file, read_deeploy, write_deeploy},
    {"qoperator", "the standard's integer ops, QLinearConv and its kin, reals at the borders; read as the standard's", "FQ QD ID", false,
     is_no_file, read_standard, write_qoperator},
    {"qonnx", "quantisers as Quant of domain qonnx.custom_op.general, for QONNX, FINN and hls4ml; read as the standard's", "FQ QD ID", false,
     is_no_file, read_standard, write_qonnx},
    {"qdq", "the standard's QuantizeLinear and DequantizeLinear pairs, for ONNX Runtime and others", "FQ QD ID", false,
     is_any_file, read_standard, write_plain_qdq},
};
// clang-format on

}  // namespace

bool Dialect::holds(graph::Stage stage) const {
  return stages.find(to_string(stage)) != stages.npos;
}

std::span<const Dialect> dialects() {
  return table;
}

const Dialect& dialect_named(std::string_view name, const std::string& place) {
  std::vector<std::string_view> names;
  std::string known;
  for (const Dialect& dialect : table) {
    if (dialect.name == name) return dialect;
    names.push_back(dialect.name);
    known.append(known.empty() ? "" : ", ").append(dialect.name);
  }
  fail("onnx", place, "no dialect " + in_quotes(name) + did_you_mean(name, names), known);
}

bool is_native_file(const Source& source) {
  for (const auto& entry : source.model.metadata_props())
    if (entry.key() == metadata_key) return is_native(Json::parse(entry.value(), nullptr, false));
  return false;
}

graph::Graph read_standard(const Source& source) {
  SpelledQuantisers spelled;
  DialectRules rules;
  if (!is_native_file(source) && may_spell_quantisers(source.model)) rules.importer = &spelled;
  return GraphReader(source.model, source.place, source.options, {source.folder, false}, rules).run();
}

void write(const graph::Graph& graph, std::string_view dialect, const std::filesystem::path& file) {
  const Dialect& row = dialect_named(dialect, file.string());
  if (!row.holds(graph.stage))
    fail("onnx", file.string(), std::string(dialect) + " of a network at stage " + std::string(to_string(graph.stage)),
         "stage " + std::string(row.stages));
  row.write(graph, file);
}

}  // namespace nibble::onnx
