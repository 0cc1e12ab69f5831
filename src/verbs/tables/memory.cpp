#include "verbs/tables/memory.hpp"

#include <fmt/format.h>

#include "verbs/tables/columns.hpp"

namespace nibble::verbs {
namespace {

std::string joined(const std::vector<int>& bits) {
  std::string text;
  for (int one : bits) text += (text.empty() ? "" : "+") + std::to_string(one);
  return text;
}

std::vector<int> bits_of(const passes::MemoryTable& table, const std::vector<size_t>& tensors) {
  std::vector<int> bits;
  for (size_t tensor : tensors) bits.push_back(table.tensors[tensor].bits);
  return bits;
}

std::string change(const std::string& before, const std::string& after) {
  return before == after ? before : before + " -> " + after;
}

std::string change(int64_t before, int64_t after) {
  return change(std::to_string(before), std::to_string(after));
}

std::string budget_of(const passes::Budgets& budgets) {
  std::string text;
  if (budgets.activations) text += fmt::format("input + output of every layer within {} B", *budgets.activations);
  if (budgets.weights) text += fmt::format("{}all weights within {} B", text.empty() ? "" : ", ", *budgets.weights);
  return text;
}

}  // namespace

std::string describe(const passes::MemoryTable& table) {
  Columns columns({{"name"},
                   {"op"},
                   {"input bits", Side::Right},
                   {"output bits", Side::Right},
                   {"input bytes", Side::Right},
                   {"output bytes", Side::Right},
                   {"input + output", Side::Right},
                   {"live", Side::Right},
                   {"weight bits", Side::Right},
                   {"weight bytes", Side::Right}});
  for (const passes::MemoryLayer& layer : table.layers) {
    const int64_t input = table.input_bytes(layer), output = table.output_bytes(layer);
    const bool weights = layer.weight_bits > 0;
    columns.add({layer.name, layer.op, joined(bits_of(table, layer.inputs)), joined(bits_of(table, layer.outputs)),
                 std::to_string(input), std::to_string(output), std::to_string(input + output),
                 std::to_string(layer.live), weights ? std::to_string(layer.weight_bits) : "",
                 weights ? std::to_string(layer.weight_bytes()) : ""});
  }
  return columns.text() + fmt::format("\nlargest input + output {} B, live at most {} B, weights {} B\n",
                                      table.largest_layer(), table.peak(), table.weight_bytes());
}

std::string describe(const passes::Fit& fit) {
  Columns columns({{"name"},
                   {"op"},
                   {"weight bits", Side::Right},
                   {"input bits", Side::Right},
                   {"output bits", Side::Right},
                   {"input + output", Side::Right},
                   {"weight bytes", Side::Right},
                   {"cut"}});
  for (const passes::FittedLayer& layer : fit.layers) {
    std::string reasons;
    for (const std::string& reason : layer.reasons) reasons += (reasons.empty() ? "" : "; ") + reason;
    const bool weights = layer.weight_bits > 0;
    columns.add({layer.name, layer.op, weights ? change(layer.weight_bits, layer.fitted_weight_bits) : "",
                 change(joined(layer.input_bits), joined(layer.fitted_input_bits)),
                 change(joined(layer.output_bits), joined(layer.fitted_output_bits)),
                 change(layer.bytes, layer.fitted_bytes),
                 weights ? change(layer.weight_bytes, layer.fitted_weight_bytes) : "", reasons});
  }
  return columns.text() + fmt::format("{}; live at most {} B, weights {} B\n\n", budget_of(fit.budgets),
                                      change(fit.peak, fit.fitted_peak),
                                      change(fit.weight_bytes, fit.fitted_weight_bytes));
}

}  // namespace nibble::verbs
