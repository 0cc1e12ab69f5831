#include "lower/arena/packing.hpp"

#include <algorithm>
#include <array>

#include "kernels/packed/packed.h"
#include "lower/arena/windowed_step.hpp"
#include "program/parameters.hpp"

namespace nibble::lower {
namespace {

/// The packed type that a byte of `type` with these integers is as well, or 0.
int32_t packed_type(int32_t type, Interval held) {
  const auto fits = [&](int64_t low, int64_t high) { return held.low >= low && held.high <= high; };
  if (type == NIBBLE_U8) return fits(0, 3) ? NIBBLE_U2 : fits(0, 15) ? NIBBLE_U4 : 0;
  if (type == NIBBLE_I8) return fits(-2, 1) ? NIBBLE_I2 : fits(-8, 7) ? NIBBLE_I4 : 0;
  return 0;
}

/// Channels side by side, columns, rows one behind the other, and nothing else in the buffer.
struct Image {
  int64_t rows, columns, channels;
  int64_t row() const { return columns * channels; }
  bool stands(const View& view, const std::array<int64_t, 4>& strides, int64_t bytes) const {
    return view.offset == 0 && rows > 1 && row() > 0 && rows * row() == bytes && strides[2] == row() &&
           (columns == 1 || strides[3] == channels);
  }
};

/// Windows over one image whose last one begins within it.
template <class Parameters>
bool is_flat(const Parameters& p) {
  return p.batch == 1 && p.in[0] == 1 && p.out[0] == 1 && p.kernel[0] == 1 && p.pad[0] == 0 &&
         (p.out[1] - 1) * p.stride[1] - p.pad[1] < p.in[1] && p.out[1] <= NIBBLE_MOST_ROWS;
}

int64_t channels_in(const nibble_conv& p) {
  return p.in_channels;
}
int64_t channels_in(const nibble_pool& p) {
  return p.channels;
}
int64_t channels_out(const nibble_conv& p) {
  return p.out_channels;
}
int64_t channels_out(const nibble_pool& p) {
  return p.channels;
}

/// The elements of a row of what a reduction reads, 0 where it is no whole image.
int64_t row_reduced(const View& x, int64_t bytes) {
  if (x.rank() != 4 || x.extents[0] != 1 || (x.extents[1] != 1 && x.strides[1] != 1)) return 0;
  const Image image{x.extents[2], x.extents[3], x.extents[1]};
  return image.stands(x, {0, 0, x.strides[2], x.strides[3]}, bytes) ? image.row() : 0;
}

/// The elements of a row where the step takes the buffer packed, 0 where it does not, -1 where it does not use it.
int64_t row_within(const Draft& draft, int buffer, int64_t bytes) {
  const auto uses = [&](const View& view) { return view.buffer == buffer; };
  if (!uses(draft.out) && std::none_of(draft.in.begin(), draft.in.end(), uses)) return -1;
  if (draft.kind == NIBBLE_KIND_REDUCE) return uses(draft.out) ? 0 : row_reduced(draft.in[0], bytes);
  int64_t row = 0;
  with_windows(draft, [&](const auto& p) {
    const Image x{p.in[1], p.in[2], channels_in(p)}, y{p.out[1], p.out[2], channels_out(p)};
    bool stands = is_flat(p);
    for (size_t i = 0; i < draft.in.size(); ++i) {
      if (!uses(draft.in[i])) continue;
      if (i == 0) {
        stands = stands && x.stands(draft.in[0], std::to_array(p.x_stride), bytes);
        row = x.row();
      } else {
        if constexpr (std::is_same_v<std::decay_t<decltype(p)>, nibble_conv>)
          stands = stands && p.sum_form != 0 && y.stands(draft.in[i], std::to_array(p.r_stride), bytes);
        row = y.row();
      }
    }
    if (uses(draft.out)) {
      stands = stands && y.stands(draft.out, std::to_array(p.y_stride), bytes);
      row = y.row();
    }
    if (!stands) row = 0;
  });
  return row;
}

/// A walk's strides, of which some go from row to row.
void set_walk(int64_t* strides, int32_t count, const Packed& as) {
  for (int32_t k = 0; k < count; ++k)
    if (strides[k] >= as.row) strides[k] = strides[k] / as.row * as.padded;
}

/// The struct's strides of the operand, and its type.
void set_packed(int64_t (&strides)[4], int32_t& type, const Packed& as) {
  strides[2] = as.padded;
  type = as.type;
}

}  // namespace

std::vector<Packable> packable_buffers(const Schedule& schedule, const std::map<int, Interval>& held) {
  std::vector<Packable> found;
  const auto steps = static_cast<int>(schedule.drafts.size());
  for (const auto& [buffer, integers] : held) {
    const Buffer& of = schedule.buffers[static_cast<size_t>(buffer)];
    if (of.first < 0 || of.last >= steps || of.first > of.last) continue;
    int32_t type = 0;
    int64_t row = -1;
    for (const Draft& draft : schedule.drafts) {
      const int64_t here = row_within(draft, buffer, of.bytes);
      if (here < 0) continue;
      if (draft.out.buffer == buffer) type = packed_type(draft.out.type, integers);
      row = row < 0 || row == here ? here : 0;
      if (row == 0) break;
    }
    if (type == 0 || row <= 0) continue;
    const int64_t n = nibble_per_word(type);
    found.push_back({buffer, {type, row, (row + n - 1) / n * n}});
  }
  return found;
}

View packed_view(View view, const Packed& as) {
  view.type = as.type;
  for (int64_t& stride : view.strides)
    if (stride >= as.row) stride = stride / as.row * as.padded;
  return view;
}

void pack(Schedule& schedule, const Packable& what) {
  const Packed& as = what.as;
  Buffer& buffer = schedule.buffers[static_cast<size_t>(what.buffer)];
  buffer.bytes = bytes_to(as.type, buffer.bytes / as.row * as.padded);
  schedule.packed[what.buffer] = as;
  for (Draft& draft : schedule.drafts) {
    bool uses = false;
    const auto seen = [&](View& view) {
      if (view.buffer != what.buffer) return false;
      view = packed_view(view, as);
      return uses = true;
    };
    with_windows(draft, [&](auto p) {
      if (seen(draft.out)) set_packed(p.y_stride, p.y_type, as);
      if (seen(draft.in[0])) set_packed(p.x_stride, p.x_type, as);
      if constexpr (std::is_same_v<decltype(p), nibble_conv>)
        if (draft.in.size() > 1 && seen(draft.in[1])) set_packed(p.r_stride, p.r_type, as);
      if (uses) encode(draft, p);
    });
    if (uses) draft.rows = 1;
    if (draft.kind == NIBBLE_KIND_REDUCE && seen(draft.in[0])) {
      auto p = decoded<nibble_reduce>(draft);
      p.x_type = as.type;
      set_walk(p.x_stride, p.rank, as);
      set_walk(p.reduced_stride, p.reduced_rank, as);
      encode(draft, p);
    }
  }
}

int64_t tiles_of(const Draft& draft, const Options& options) {
  int64_t own = 0;
  for (const std::vector<int64_t>& part : program::parts_of(draft.kind, draft.numbers, draft.rows)) {
    const std::vector<int64_t> parameters = program::parameters_of(draft.kind, part);
    own = std::max(own, options.order ? options.order(draft.kind, parameters.data()).scratch
                                      : nibble_scratch(draft.kind, parameters.data()));
  }
  return (own + 7) / 8 * 8;
}

int64_t packed_scratch(const Draft& draft, const Options& options) {
  const std::vector<int64_t> parameters = program::parameters_of(draft.kind, draft.numbers);
  return tiles_of(draft, options) + nibble_tiles_bytes(draft.kind, parameters.data(), draft.rows);
}

nibble_order packed_order(const Draft& draft, const Options& options) {
  nibble_order order{};
  with_windows(draft, [&](const auto& p) {
    order.block = static_cast<int64_t>(draft.rows) * p.out[2];
    // What is no tile is read and written by the kernel, in an order of its own within a part.
    order.early = nibble_is_packed(p.y_type) ? 3 : nibble_is_packed(p.x_type) ? 1 : 0;
    if constexpr (std::is_same_v<std::decay_t<decltype(p)>, nibble_conv>)
      if (nibble_is_packed(p.r_type)) order.early |= 2;
  });
  order.scratch = packed_scratch(draft, options);
  return order;
}

}  // namespace nibble::lower
