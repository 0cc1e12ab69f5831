#include "machine/cost.hpp"

#include "base/shape.hpp"

namespace nibble::machine {
namespace {

/// Bytes of the arena's buffer that stands at the offset while the step runs.
int64_t bytes_at(const program::Program& program, int64_t offset, int step) {
  for (const program::Buffer& buffer : program.buffers)
    if (buffer.first <= step && step <= buffer.last && buffer.offset <= offset && offset < buffer.offset + buffer.bytes)
      return buffer.bytes;
  return 0;
}

}  // namespace

std::vector<double> cycles_of(const program::Program& program, const Machine& machine) {
  std::vector<double> cycles;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const program::Step& step = program.steps[i];
    int64_t moved = bytes_at(program, step.out.offset, static_cast<int>(i));
    // Results stand in the arena.
    for (const program::Place& place : step.in)
      if (place.where == step.out.where) moved += bytes_at(program, place.offset, static_cast<int>(i));
    // A packed byte is several, which are written and read once more.
    if (step.rows > 0) moved *= 3;
    const int64_t stored = step.values.empty() ? 0 : element_count(step.values.back().extents);
    const bool requantises = !step.requantisation.empty() && step.requantisation != "none";
    cycles.push_back(static_cast<double>(step.operations) * machine.cost.multiply_accumulate +
                     static_cast<double>(moved) * machine.cost.byte_moved +
                     (requantises ? static_cast<double>(stored) * machine.cost.requantisation : 0));
  }
  return cycles;
}

}  // namespace nibble::machine
