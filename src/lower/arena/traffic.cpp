#include "lower/arena/traffic.hpp"

#include <algorithm>

#include "kernels/packed/packed.h"

namespace nibble::lower {
namespace {

/// One beyond the bytes of an element, of a packed one those of its word.
int64_t end_of(int32_t type, int64_t element) {
  return bytes_to(type, element) + (nibble_is_packed(type) ? 4 : bytes_of(type));
}

}  // namespace

Traffic::Traffic(const Draft& draft, const void* parameters, const nibble_order& order) : order_(order) {
  // Reals' kernels say nothing.
  if (order.block <= 0 || draft.out.type == NIBBLE_F64) return;
  switch (draft.kind) {
    case NIBBLE_KIND_CONV: set(*static_cast<const nibble_conv*>(parameters)); break;
    case NIBBLE_KIND_POOL: set(*static_cast<const nibble_pool*>(parameters)); break;
    case NIBBLE_KIND_MATMUL: set(*static_cast<const nibble_matmul*>(parameters)); break;
    case NIBBLE_KIND_POINTWISE: set(*static_cast<const nibble_pointwise*>(parameters)); break;
    case NIBBLE_KIND_MOVE: set(*static_cast<const nibble_move*>(parameters)); break;
    case NIBBLE_KIND_REDUCE: set(*static_cast<const nibble_reduce*>(parameters)); break;
    case NIBBLE_KIND_ROW: set(*static_cast<const nibble_row*>(parameters)); break;
    default: return;
  }
  reads_.resize(std::min(reads_.size(), draft.in.size()));
  const auto place = [](Along& along, const View& view) {
    along.type = view.type;
    along.begin = view.offset;
  };
  for (size_t i = 0; i < reads_.size(); ++i)
    if (draft.in[i].exists()) place(reads_[i], draft.in[i]);
  place(writes_, draft.out);
}

void Traffic::set_items(const int32_t* extents, int32_t rank) {
  extents_.assign(extents, extents + rank);
}

/// An operand whose element lies where strides say.
Traffic::Along Traffic::walked(const int64_t* strides) const {
  Along operand;
  for (size_t k = 0; k < extents_.size(); ++k) {
    std::vector<int64_t> at;
    for (int64_t i = 0; i < extents_[k]; ++i) at.push_back(i * strides[k]);
    operand.along.push_back(std::move(at));
  }
  // Of rank 0 there is one element.
  if (extents_.empty()) operand.along.push_back({0});
  return operand;
}

/// Windows over batch, depth, height and width, of channels side by side.
template <class Parameters>
void Traffic::set_windows(const Parameters& p, int64_t channels) {
  const int32_t extents[] = {p.batch, p.out[0], p.out[1], p.out[2]};
  set_items(extents, 4);
  writes_ = walked(p.y_stride);
  writes_.last = channels - 1;
  Along x = walked(p.x_stride);
  for (size_t k = 0; k < 3; ++k)
    for (int64_t i = 0; i < p.out[k]; ++i) {
      int64_t first = nothing;
      for (int64_t tap = 0; tap < p.kernel[k]; ++tap) {
        const int64_t at = i * p.stride[k] - p.pad[k] + tap * p.dilation[k];
        if (at >= 0 && at < p.in[k]) first = std::min(first, at * p.x_stride[k + 1]);
      }
      x.along[k + 1][static_cast<size_t>(i)] = first;
    }
  reads_ = {std::move(x)};
}

void Traffic::set(const nibble_conv& p) {
  set_windows(p, p.out_channels);
  if (p.sum_form != 0) reads_.push_back(walked(p.r_stride));
}

void Traffic::set(const nibble_pool& p) {
  set_windows(p, p.channels);
}

/// Of in[1], which every row reads again, nothing is said.
void Traffic::set(const nibble_matmul& p) {
  const int32_t extents[] = {p.batch[0], p.batch[1], p.batch[2], p.rows};
  if (p.y_stride[4] < 0 || p.a_stride[4] < 0) return;
  set_items(extents, 4);
  writes_ = walked(p.y_stride);
  writes_.last = (p.columns - 1) * p.y_stride[4];
  reads_ = {walked(p.a_stride)};
}

void Traffic::set(const nibble_pointwise& p) {
  set_items(p.extent, p.rank);
  writes_ = walked(p.y_stride);
  for (int64_t i = 0; i < 3; ++i) reads_.push_back(walked(p.x_stride + i * NIBBLE_MAX_RANK));
}

void Traffic::set(const nibble_move& p) {
  if (p.listed != 0) return;
  set_items(p.extent, p.rank);
  writes_ = walked(p.y_stride);
  reads_ = {walked(p.x_stride)};
}

void Traffic::set(const nibble_reduce& p) {
  for (int32_t k = 0; k < p.reduced_rank; ++k)
    if (p.reduced_stride[k] < 0) return;
  set_items(p.extent, p.rank);
  writes_ = walked(p.y_stride);
  reads_ = {walked(p.x_stride)};
}

/// Operands of rows are read again by each.
void Traffic::set(const nibble_row& p) {
  if (p.x_step < 0 || p.y_step < 0) return;
  set_items(p.extent, p.rank);
  writes_ = walked(p.y_stride);
  writes_.last = (p.width - 1) * p.y_step;
  reads_ = {walked(p.x_stride)};
}

int64_t Traffic::blocks() const {
  int64_t items = 1;
  for (int64_t extent : extents_) items *= extent;
  return order_.block <= 0 ? 0 : (items + order_.block - 1) / order_.block;
}

/// The offset of an item's first element.
int64_t Traffic::first_of(const Along& operand, const std::array<int64_t, 6>& at) {
  int64_t sum = 0;
  for (size_t k = 0; k < operand.along.size(); ++k) {
    const int64_t by = operand.along[k][static_cast<size_t>(at[k])];
    if (by == nothing) return nothing;
    sum += by;
  }
  return operand.begin + sum;
}

Traffic::Block Traffic::block(int64_t index) const {
  Block block{INT64_MIN, {nothing, nothing, nothing, nothing}};
  int64_t items = 1;
  for (int64_t extent : extents_) items *= extent;
  const int64_t end = std::min((index + 1) * order_.block, items);
  for (int64_t item = index * order_.block; item < end; ++item) {
    std::array<int64_t, 6> at{};
    int64_t rest = item;
    for (size_t k = extents_.size(); k-- > 0; rest /= extents_[k]) at[k] = rest % extents_[k];
    block.written = std::max(block.written, end_of(writes_.type, first_of(writes_, at) + writes_.last));
    for (size_t i = 0; i < reads_.size(); ++i) {
      const int64_t first = knows(i) ? first_of(reads_[i], at) : nothing;
      if (first != nothing) block.read[i] = std::min(block.read[i], bytes_to(reads_[i].type, first));
    }
  }
  return block;
}

}  // namespace nibble::lower
