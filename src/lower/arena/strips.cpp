#include <fmt/format.h>

#include <algorithm>

#include "lower/arena/overlap.hpp"
#include "lower/arena/windowed_step.hpp"

namespace nibble::lower {
namespace {

/// The fields of a convolution or pool that a strip changes, and those that say which rows it reads. Height is axis 1 of
/// depth, height, width.
struct Rows {
  int32_t in, out, kernel, stride, pad, dilation;
};

struct Span {
  int64_t begin, end;
  int64_t count() const { return end - begin; }
};

Rows rows_of(const Draft& draft) {
  Rows rows{};
  with_windows(draft,
               [&](const auto& p) { rows = {p.in[1], p.out[1], p.kernel[1], p.stride[1], p.pad[1], p.dilation[1]}; });
  return rows;
}

/// Windows over rows of one image.
bool has_rows(const Draft& draft) {
  bool flat = false;
  const bool known = with_windows(draft, [&](const auto& p) {
    flat = p.batch == 1 && p.in[0] == 1 && p.out[0] == 1 && p.kernel[0] == 1 && p.pad[0] == 0 && p.out[1] > 1;
  });
  return known && flat;
}

/// Of a result whose rows lie one behind the other.
int64_t bytes_of_rows(const Draft& draft) {
  int64_t bytes = 0;
  with_windows(draft, [&](const auto& p) { bytes = bytes_to(draft.out.type, p.y_stride[2] * p.out[1]); });
  return bytes;
}

/// The rows of x that rows `out` of the result are made of.
Span rows_read(const Rows& rows, Span out) {
  const int64_t first = out.begin * rows.stride - rows.pad;
  const int64_t last = (out.end - 1) * rows.stride - rows.pad + (rows.kernel - 1) * rows.dilation;
  const int64_t begin = std::clamp<int64_t>(first, 0, rows.in - 1);
  return {begin, std::clamp<int64_t>(last + 1, begin + 1, rows.in)};
}

/// The step for rows `out`, of a result of which `held` stand in `y` and an x of which `given` stand in `x`.
Draft strip_of(const Draft& draft, Span out, const View& x, Span given, const View& y, Span held) {
  Draft strip = draft;
  strip.in[0] = x;
  strip.out = y;
  with_windows(draft, [&](auto p) {
    const Span read = rows_read(rows_of(draft), out);
    const int64_t first = out.begin * p.stride[1] - p.pad[1];
    p.pad[1] = static_cast<int32_t>(read.begin - first);
    p.in[1] = static_cast<int32_t>(read.count());
    p.out[1] = static_cast<int32_t>(out.count());
    strip.in[0].offset += (read.begin - given.begin) * p.x_stride[2];
    strip.out.offset += (out.begin - held.begin) * p.y_stride[2];
    if constexpr (std::is_same_v<decltype(p), nibble_conv>)
      if (p.sum_form != 0) strip.in[1].offset += out.begin * p.r_stride[2];
    encode(strip, p);
  });
  strip.operations = draft.operations * out.count() / rows_of(draft).out;
  strip.name = fmt::format("{} rows {} to {}", draft.name, out.begin, out.end - 1);
  strip.completes.clear();
  return strip;
}

int64_t operations_of(const Schedule& schedule) {
  int64_t sum = 0;
  for (const Draft& draft : schedule.drafts) sum += draft.operations;
  return sum;
}

class Cutter {
 public:
  explicit Cutter(const Schedule& schedule) : schedule_(schedule) {}

  /// Whether step k + 1 alone reads what step k writes, row by row as it was written.
  bool linked(size_t k) const {
    const std::vector<Draft>& drafts = schedule_.drafts;
    if (k + 1 >= drafts.size() || !has_rows(drafts[k]) || !has_rows(drafts[k + 1])) return false;
    const View &y = drafts[k].out, &x = drafts[k + 1].in[0];
    const Buffer& between = schedule_.buffers[static_cast<size_t>(y.buffer)];
    if (y.buffer != x.buffer || y.offset != 0 || x.offset != 0 || y.type != x.type || y.extents != x.extents ||
        y.strides != x.strides)
      return false;
    if (bytes_of_rows(drafts[k]) != between.bytes) return false;
    if (between.first != static_cast<int>(k) || between.last != static_cast<int>(k) + 1) return false;
    return std::count_if(drafts[k + 1].in.begin(), drafts[k + 1].in.end(),
                         [&](const View& view) { return view.buffer == y.buffer; }) == 1;
  }

  /// Steps first..last in `count` strips.
  Schedule cut(size_t first, size_t last, int64_t count) const {
    Schedule result;
    result.buffers = schedule_.buffers;
    result.packed = schedule_.packed;
    const std::vector<Draft>& drafts = schedule_.drafts;
    result.drafts.assign(drafts.begin(), drafts.begin() + static_cast<int64_t>(first));
    const int64_t height = rows_of(drafts[last]).out;
    for (int64_t strip = 0; strip < count; ++strip)
      add_strip(result, first, last, {height * strip / count, height * (strip + 1) / count});
    result.drafts.back().completes = drafts[last].completes;
    result.drafts.insert(result.drafts.end(), drafts.begin() + static_cast<int64_t>(last) + 1, drafts.end());
    find_lifetimes(result, drafts.size());
    return result;
  }

 private:
  void add_strip(Schedule& result, size_t first, size_t last, Span rows) const {
    const std::vector<Draft>& drafts = schedule_.drafts;
    std::vector<Span> spans(last - first + 1);
    spans.back() = rows;
    for (size_t k = last; k > first; --k) spans[k - 1 - first] = rows_read(rows_of(drafts[k]), spans[k - first]);
    View x = drafts[first].in[0];
    Span given{0, rows_of(drafts[first]).in};
    for (size_t k = first; k <= last; ++k) {
      const Span out = spans[k - first];
      View y = drafts[k].out;
      Span held{0, rows_of(drafts[k]).out};
      if (k < last) {
        // Rows of the whole buffer's size, side by side from the buffer's beginning.
        const Buffer& whole = schedule_.buffers[static_cast<size_t>(y.buffer)];
        result.buffers.push_back({whole.bytes / held.count() * out.count(), INT32_MAX, -1});
        y.buffer = static_cast<int>(result.buffers.size()) - 1;
        held = out;
      }
      result.drafts.push_back(strip_of(drafts[k], out, x, given, y, held));
      x = y;
      given = held;
    }
  }

  const Schedule& schedule_;
};

/// The step while which most lives.
size_t fullest(const Schedule& schedule, const std::vector<Walk>& walks) {
  size_t result = 0;
  int64_t most = -1;
  for (size_t step = 0; step < schedule.drafts.size(); ++step) {
    int64_t bytes = walks[step].order.scratch, smallest = 0;
    const auto now = static_cast<int>(step);
    for (const Buffer& buffer : schedule.buffers) {
      if (buffer.first > now || buffer.last < now) continue;
      bytes += buffer.bytes;
      // What dies here may lie under what begins.
      if (buffer.last == now) smallest = std::max(smallest, buffer.bytes);
    }
    const int64_t result_bytes = schedule.buffers[static_cast<size_t>(schedule.drafts[step].out.buffer)].bytes;
    bytes -= std::min(smallest, result_bytes);
    if (bytes > most) most = bytes, result = step;
  }
  return result;
}

/// What a step more costs in a machine's constants and code, in bytes of its scarcer memory.
constexpr int64_t cost_of_step = 128;

/// A way to cut, and what it takes.
struct Cut {
  Schedule schedule;
  int64_t bytes = 0;
  int64_t cost() const { return bytes + cost_of_step * static_cast<int64_t>(schedule.drafts.size()); }
};

Cut measured(Schedule schedule, const Options& options) {
  Schedule placed = schedule;
  const int64_t bytes = arranged(placed, options, false).plan.bytes;
  return {std::move(schedule), bytes};
}

constexpr size_t longest_run = 5;

/// The best cut of a run that holds the fullest step.
std::optional<Cut> best_cut(const Schedule& schedule, const Options& options, int64_t most_operations) {
  const Cutter cutter(schedule);
  const size_t full = fullest(schedule, walks_of(schedule.drafts, options));
  const std::vector<int64_t> counts =
      options.strips > 1 ? std::vector<int64_t>{options.strips} : std::vector<int64_t>{2, 4, 8};
  std::optional<Cut> best;
  const auto attempt = [&](size_t first, size_t last) {
    const int64_t height = rows_of(schedule.drafts[last]).out;
    for (int64_t count : counts) {
      if (count > height) continue;
      Schedule strips = cutter.cut(first, last, count);
      if (options.strips == 0 && operations_of(strips) > most_operations) continue;
      Cut cut = measured(std::move(strips), options);
      if (!best || cut.cost() < best->cost()) best = std::move(cut);
    }
  };
  for (size_t last = full; last < schedule.drafts.size() && last <= full + longest_run; ++last) {
    if (last > full && !cutter.linked(last - 1)) break;
    for (size_t first = last; first-- > 0 && last - first < longest_run && cutter.linked(first);)
      if (first <= full) attempt(first, last);
  }
  return best;
}

}  // namespace

int cut_into_strips(Schedule& schedule, const Options& options) {
  if (options.strips == 1 || schedule.drafts.size() < 2) return 0;
  const int64_t operations = operations_of(schedule);
  int cuts = 0;
  for (int round = 0; round < 4; ++round) {
    const Cut whole = measured(schedule, options);
    std::optional<Cut> cut = best_cut(schedule, options, operations + operations / 20);
    if (!cut || cut->cost() > whole.cost() - whole.bytes / 50) break;
    schedule = std::move(cut->schedule);
    ++cuts;
  }
  return cuts;
}

}  // namespace nibble::lower
