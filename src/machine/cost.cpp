#include "machine/cost.hpp"

#include "base/shape.hpp"

namespace nibble::machine {
namespace {

/// Bytes of the arena's buffer that stands at the place while the step runs.
int64_t bytes_at(const program::Program& program, const program::Place& place, int step) {
  if (place.where != program::Place::Where::Arena) return 0;
  for (const program::Buffer& buffer : program.buffers)
    if (buffer.first <= step && step <= buffer.last && buffer.offset <= place.offset &&
        place.offset < buffer.offset + buffer.bytes)
      return buffer.bytes;
  return 0;
}

}  // namespace

std::vector<double> cycles_of(const program::Program& program, const Machine& machine) {
  std::vector<double> cycles;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const program::Step& step = program.steps[i];
    int64_t moved = bytes_at(program, step.out, static_cast<int>(i));
    for (const program::Place& place : step.in) moved += bytes_at(program, place, static_cast<int>(i));
    const int64_t stored = step.values.empty() ? 0 : element_count(step.values.back().extents);
    const bool requantises = !step.requantisation.empty() && step.requantisation != "none";
    cycles.push_back(static_cast<double>(step.operations) * machine.cost.multiply_accumulate +
                     static_cast<double>(moved) * machine.cost.byte_moved +
                     (requantises ? static_cast<double>(stored) * machine.cost.requantisation : 0));
  }
  return cycles;
}

}  // namespace nibble::machine
