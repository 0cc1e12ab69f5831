#include "verbs/deployment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "lower/lower.hpp"
#include "machine/cost.hpp"
#include "passes/quantise/cut.hpp"

namespace nibble::verbs {
namespace {

/// "'a' 8 -> 4, 'b' 8 -> 2", of the weights that must save so many bytes, as `quantize --fit` would cut them.
std::string weight_advice(const graph::Graph& graph, int64_t over) {
  passes::MemoryTable table = passes::memory_of(graph);
  const int64_t budget = table.weight_bytes() - over;
  std::map<size_t, std::pair<int, int>> bits;
  for (const passes::WeightCut& cut : passes::cut_weights(table, std::max<int64_t>(budget, 0))) {
    bits.try_emplace(cut.layer, cut.from, cut.to);
    bits[cut.layer].second = cut.to;
  }
  if (table.weight_bytes() > std::max<int64_t>(budget, 0))
    return fmt::format("no bits of weights are enough: at 2 bits they still take {} bytes", table.weight_bytes());
  std::string text;
  for (const auto& [layer, change] : bits)
    text +=
        fmt::format("{}'{}' {} -> {}", text.empty() ? "" : ", ", table.layers[layer].name, change.first, change.second);
  return fmt::format("'nibble quantize --fit weights={}B' cuts the bits of weights: {}", budget, text);
}

/// What a network is given keeps its bits.
bool is_given(const graph::Graph& graph, const passes::StoredTensor& tensor) {
  return std::find(graph.inputs.begin(), graph.inputs.end(), tensor.value) != graph.inputs.end();
}

/// The activations that stand at the most crowded moments.
std::string activation_advice(const graph::Graph& graph, int64_t budget) {
  const passes::MemoryTable table = passes::memory_of(graph);
  std::map<size_t, int> crowded;
  for (const passes::MemoryLayer& layer : table.layers) {
    if (layer.live <= budget && layer.live < table.peak()) continue;
    for (const std::vector<size_t>* side : {&layer.inputs, &layer.outputs})
      for (size_t tensor : *side)
        if (!table.tensors[tensor].returned && !is_given(graph, table.tensors[tensor]) &&
            passes::narrower(table.tensors[tensor].bits))
          crowded[tensor] = *passes::narrower(table.tensors[tensor].bits);
  }
  std::string text;
  for (const auto& [tensor, to] : crowded)
    text += fmt::format("{}'{}' {} -> {}", text.empty() ? "" : ", ", table.tensors[tensor].name,
                        table.tensors[tensor].bits, to);
  if (text.empty()) return "a machine with more of it";
  return fmt::format("'nibble quantize --fit activations={}B' cuts the bits of activations: {}",
                     std::max<int64_t>(budget, 1), text);
}

std::vector<Excess> excess_of(const graph::Graph& graph, const Deployment& d) {
  std::vector<Excess> found;
  const machine::Machine& machine = d.machine;
  const bool together = d.flash > d.bytes.constants;
  const int64_t flash = machine.bytes_for("constants"), needed = d.flash;
  if (flash >= 0 && needed > flash)
    found.push_back({"flash",
                     fmt::format("{} bytes of constants{}", d.bytes.constants,
                                 together ? fmt::format(" and about {} of code", d.code) : ""),
                     needed, flash, weight_advice(graph, needed - flash)});
  const int64_t ram = machine.largest_for("activations");
  if (ram >= 0 && d.bytes.arena > ram)
    found.push_back({"RAM", fmt::format("an arena of {} bytes in one piece", d.bytes.arena), d.bytes.arena, ram,
                     activation_advice(graph, ram - d.bytes.scratch)});
  return found;
}

}  // namespace

lower::Options lowering_for(const machine::Machine& machine, const codegen::Options& options,
                            const ArenaOptions& arena) {
  lower::Options lowering;
  lowering.floats = false;
  lowering.weights = lower::Weights::Folded;
  lowering.pack = true;
  lowering.bytes = machine.activations == "signed"     ? lower::Bytes::Signed
                   : machine.activations == "unsigned" ? lower::Bytes::Unsigned
                                                       : lower::Bytes::AsTheyAre;
  lowering.alignment = 8;
  lowering.strips = arena.strips;
  lowering.inputs_outside = arena.inputs_outside;
  lowering.outputs_outside = arena.outputs_outside;
  // Weights from outside are taken some channels at a time, each time from the whole input: nothing may lie over it.
  if (options.external_room > 0) return lowering;
  lowering.order = codegen::orders_of(machine);
  lowering.pack_activations = arena.pack;
  if (const int64_t ram = machine.largest_for("activations"); ram >= 0) lowering.room = ram;
  return lowering;
}

Deployment deploy(const graph::Graph& graph, const machine::Machine& machine, const codegen::Options& options,
                  const ArenaOptions& arena) {
  Deployment d;
  d.machine = machine;
  d.arena = arena;
  d.program = lower::lower(graph, lowering_for(machine, options, arena));
  d.bytes = codegen::footprint(d.program, options);
  d.kernels = codegen::kernels_for(d.program, machine);
  d.code = codegen::code_bytes(d.program, machine);
  const bool together = std::any_of(machine.memories.begin(), machine.memories.end(), [](const auto& memory) {
    return memory.may_hold("code") && memory.may_hold("constants");
  });
  d.flash = d.bytes.constants + (together || machine.memories.empty() ? d.code : 0);
  d.cycles = machine::cycles_of(d.program, machine);
  d.excess = excess_of(graph, d);
  return d;
}

void require_fit(const Deployment& deployment) {
  if (deployment.excess.empty()) return;
  std::string found, expected;
  for (const Excess& excess : deployment.excess) {
    found += fmt::format("{}{}: {}, {} more than its {}", found.empty() ? "" : "; ", excess.memory, excess.needs,
                         excess.needed - excess.there, excess.there);
    expected += (expected.empty() ? "" : "; ") + excess.advice;
  }
  fail("verbs", "machine '" + deployment.machine.name + "'", found, expected);
}

}  // namespace nibble::verbs
