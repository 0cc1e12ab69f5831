#include <map>
#include <set>
#include <string_view>

#include "codegen/generate.hpp"
#include "codegen/kernel_table.hpp"
#include "kernels/fields.h"

namespace nibble::codegen {
namespace {

/// Bytes that a kernel's file leaves in a linked Cortex-M4 program (gcc 12, -O2), nothing else calling into it.
const std::map<std::string_view, int64_t>& sizes() {
  static const std::map<std::string_view, int64_t> bytes{
      {"nibble_conv_dsp", 7000},           {"nibble_depthwise_dsp", 4200}, {"nibble_conv_portable", 1900},
      {"nibble_depthwise_portable", 1400}, {"nibble_pool_portable", 500},  {"nibble_reduce_portable", 600}};
  return bytes;
}

constexpr int64_t any_kernel = 5000;  ///< of one that is not listed
constexpr int64_t stages = 1200;      ///< what kernels share, and the compiler's library
constexpr int64_t packed = 1400;      ///< what unpacks operands of one kind of step
constexpr int64_t call = 44;          ///< of a step
constexpr double kept = 0.55;         ///< of a struct of 64 bits: pointers are shorter, and fields in common left out

/// How much longer the same C is than in Thumb-2.
double length_of(const std::string& instruction_set) {
  if (instruction_set.starts_with("armv") && instruction_set != "armv8-a") return 1;
  return instruction_set.starts_with("rv32") ? 1.3 : 1.6;
}

}  // namespace

int64_t code_bytes(const program::Program& program, const machine::Machine& machine) {
  std::set<std::string> functions;
  int64_t parameters = 0;
  for (const Choice& choice : kernels_for(program, machine)) functions.insert(choice.function);
  std::set<int> around;
  for (const program::Step& step : program.steps) {
    if (step.rows > 0) around.insert(step.kind);
    parameters += static_cast<int64_t>(static_cast<double>(nibble_fields_of(step.kind)->size) * kept) + call;
  }
  int64_t bytes = stages + packed * static_cast<int64_t>(around.size());
  for (const std::string& function : functions) {
    const auto found = sizes().find(function);
    bytes += found == sizes().end() ? any_kernel : found->second;
  }
  return static_cast<int64_t>(static_cast<double>(bytes) * length_of(machine.instruction_set)) + parameters;
}

}  // namespace nibble::codegen
