#include "codegen/memory.hpp"

#include <algorithm>
#include <numeric>

#include "codegen/external.hpp"
#include "kernels/kernels.h"

namespace nibble::codegen {

namespace {

// Kernels for small machines read nothing beyond the end.
int64_t scratch_at(const program::Program& program) {
  return program.arena - NIBBLE_SLACK;
}

}  // namespace

int64_t scratch_of(const program::Program& program, const program::Step& step) {
  return step.scratch < 0 ? program.planned ? 0 : scratch_at(program) : step.scratch;
}

bool is_dense(const program::Value& value) {
  std::vector<size_t> order(value.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value.strides[a] > value.strides[b]; });
  int64_t stride = 1;
  for (size_t k = order.size(); k-- > 0;) {
    if (value.extents[order[k]] == 1) continue;
    if (value.strides[order[k]] != stride) return false;
    stride *= value.extents[order[k]];
  }
  return true;
}

Footprint footprint(const program::Program& program, const Options& options) {
  const External external = external_weights(program, options.external_room);
  Footprint bytes;
  for (const program::Piece& piece : program.pieces) bytes.constants += piece.bytes;
  bytes.constants -= static_cast<int64_t>(external.image.size());
  bytes.external = static_cast<int64_t>(external.image.size());
  bytes.scratch = program.scratch;
  bytes.arena = std::max<int64_t>(scratch_at(program) + (program.planned ? 0 : program.scratch), 8);
  bytes.room_at = (bytes.arena + 7) / 8 * 8;
  if (!external.steps.empty()) bytes.arena = bytes.room_at + external.room;
  return bytes;
}

}  // namespace nibble::codegen
