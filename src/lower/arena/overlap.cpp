#include "lower/arena/overlap.hpp"

#include <algorithm>

#include "lower/arena/packing.hpp"
#include "program/parameters.hpp"

namespace nibble::lower {
namespace {

/// Steps are gone through from the last to the first: `ahead` is the least byte of a that is read from here on, `bytes`
/// b's lead so far. False where nothing is known.
bool go_behind(const Draft& draft, const Walk& walk, int a, int b, int64_t& bytes, int64_t& ahead) {
  const Traffic& traffic = walk.traffic;
  const bool writes = draft.out.buffer == b;
  std::vector<size_t> reads;
  for (size_t i = 0; i < draft.in.size(); ++i)
    if (draft.in[i].buffer == a) reads.push_back(i);
  if (reads.empty() && !writes) return true;
  for (size_t i : reads)
    if (!traffic.knows(i)) return false;
  if (!traffic.knows_result()) return false;
  for (int64_t i = traffic.blocks(); i-- > 0;) {
    const Traffic::Block block = traffic.block(i);
    for (size_t k : reads)
      if (!traffic.early(k)) ahead = std::min(ahead, block.read[k]);
    if (writes && ahead != INT64_MAX) bytes = std::max(bytes, block.written - ahead);
    for (size_t k : reads) ahead = std::min(ahead, block.read[k]);
  }
  return true;
}

class Finder {
 public:
  Finder(Schedule& schedule, const std::vector<Walk>& walks) : schedule_(schedule), walks_(walks) {}

  Overlap all() {
    Overlap overlap;
    const auto buffers = static_cast<int>(schedule_.buffers.size());
    for (int a = 0; a < buffers; ++a)
      for (int b = 0; b < buffers; ++b)
        if (const auto bytes = lead(a, b)) overlap.leads.push_back({a, b, *bytes});
    for (size_t step = 0; step < walks_.size(); ++step) overlap.scratch.push_back(add_scratch(step, overlap.leads));
    return overlap;
  }

 private:
  const Buffer& buffer(int i) const { return schedule_.buffers[static_cast<size_t>(i)]; }
  const Draft& draft(int step) const { return schedule_.drafts[static_cast<size_t>(step)]; }

  /// What may be written over a, while it is read for the last times.
  std::optional<int64_t> lead(int a, int b) const {
    const Buffer &before = buffer(a), &after = buffer(b);
    const auto steps = static_cast<int>(schedule_.drafts.size());
    if (a == b || before.first >= after.first || before.last < after.first || before.last >= steps || after.first < 0)
      return std::nullopt;
    int64_t bytes = -before.bytes, ahead = INT64_MAX;
    for (int step = before.last; step >= after.first; --step) {
      if (draft(step).out.buffer == a) return std::nullopt;
      if (!go_behind(draft(step), walks_[static_cast<size_t>(step)], a, b, bytes, ahead) || bytes >= after.bytes)
        return std::nullopt;
    }
    return bytes;
  }

  int add_scratch(size_t step, std::vector<Lead>& leads) {
    const nibble_order& order = walks_[step].order;
    if (order.scratch == 0) return -1;
    const auto number = static_cast<int>(schedule_.buffers.size()), at = static_cast<int>(step);
    schedule_.buffers.push_back({order.scratch, at, at});
    const std::vector<View>& in = schedule_.drafts[step].in;
    const View& x = in[0];
    const auto same = [&](const View& view) { return view.buffer == x.buffer; };
    if (order.over_input > 0 && x.buffer >= 0 && buffer(x.buffer).last == at &&
        std::count_if(in.begin(), in.end(), same) == 1)
      leads.push_back({x.buffer, number, order.over_input - x.offset * bytes_of(x.type)});
    return number;
  }

  Schedule& schedule_;
  const std::vector<Walk>& walks_;
};

}  // namespace

std::vector<Walk> walks_of(const std::vector<Draft>& drafts, const Options& options) {
  std::vector<Walk> walks;
  for (const Draft& draft : drafts) {
    const std::vector<int64_t> parameters = program::parameters_of(draft.kind, draft.numbers);
    const nibble_order order =
        draft.rows > 0 ? packed_order(draft, options) : options.order(draft.kind, parameters.data());
    walks.push_back({order, Traffic(draft, parameters.data(), order)});
  }
  return walks;
}

Overlap find_overlap(Schedule& schedule, const std::vector<Walk>& walks) {
  return Finder(schedule, walks).all();
}

std::optional<int64_t> lead_within(const Draft& draft, const Walk& walk, int a, int64_t bytes, int b) {
  int64_t lead = -bytes, ahead = INT64_MAX;
  if (draft.out.buffer != b || draft.out.buffer == a || !go_behind(draft, walk, a, b, lead, ahead)) return std::nullopt;
  return lead;
}

Arena arranged(Schedule& schedule, const Options& options, bool thorough) {
  const Overlap overlap = find_overlap(schedule, walks_of(schedule.drafts, options));
  return {plan(schedule.buffers, overlap.leads, options.alignment, thorough), overlap.scratch};
}

}  // namespace nibble::lower
