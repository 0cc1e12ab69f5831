#include "lower/overlap.hpp"

#include <algorithm>

#include "kernels/fields.h"
#include "lower/traffic.hpp"

namespace nibble::lower {
namespace {

/// Pointers of which nothing is read: there, or not.
std::vector<int64_t> parameters_of(const Draft& draft) {
  std::vector<int64_t> block((nibble_fields_of(draft.kind)->size + 7) / 8);
  const nibble_pointers places{nullptr,
                               [](void*, int64_t number) -> const void* {
                                 return number < 0 ? nullptr : reinterpret_cast<const void*>(uintptr_t{64});
                               },
                               nullptr};
  nibble_decode(draft.kind, draft.numbers.data(), &places, block.data());
  return block;
}

struct Walk {
  nibble_order order;
  Traffic traffic;
};

class Finder {
 public:
  explicit Finder(Lowering& lowering) : lowering_(lowering) {
    for (const Draft& draft : lowering.drafts) {
      const std::vector<int64_t> parameters = parameters_of(draft);
      const nibble_order order = lowering.options.order(draft.kind, parameters.data());
      walks_.push_back({order, Traffic(draft, parameters.data(), order)});
    }
  }

  Overlap all() {
    Overlap overlap;
    const auto buffers = static_cast<int>(lowering_.buffers.size());
    for (int a = 0; a < buffers; ++a)
      for (int b = 0; b < buffers; ++b)
        if (const auto bytes = lead(a, b)) overlap.leads.push_back({a, b, *bytes});
    for (size_t step = 0; step < walks_.size(); ++step) overlap.scratch.push_back(add_scratch(step, overlap.leads));
    return overlap;
  }

 private:
  const Buffer& buffer(int i) const { return lowering_.buffers[static_cast<size_t>(i)]; }
  const Draft& draft(int step) const { return lowering_.drafts[static_cast<size_t>(step)]; }
  const Walk& walk(int step) const { return walks_[static_cast<size_t>(step)]; }

  /// What may be written over a, while it is read for the last times.
  std::optional<int64_t> lead(int a, int b) const {
    const Buffer &before = buffer(a), &after = buffer(b);
    const auto steps = static_cast<int>(lowering_.drafts.size());
    if (a == b || before.first >= after.first || before.last < after.first || before.last >= steps || after.first < 0)
      return std::nullopt;
    int64_t bytes = -before.bytes, ahead = INT64_MAX;
    for (int step = before.last; step >= after.first; --step) {
      if (draft(step).out.buffer == a) return std::nullopt;
      if (!behind(step, a, b, bytes, ahead) || bytes >= after.bytes) return std::nullopt;
    }
    return bytes;
  }

  /// Steps are gone through from the last to the first: `ahead` is the least byte of a that is read from here on, `bytes`
  /// the lead so far. False where nothing is known.
  bool behind(int step, int a, int b, int64_t& bytes, int64_t& ahead) const {
    const Traffic& traffic = walk(step).traffic;
    const bool writes = draft(step).out.buffer == b;
    std::vector<size_t> reads;
    for (size_t i = 0; i < draft(step).in.size(); ++i)
      if (draft(step).in[i].buffer == a) reads.push_back(i);
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

  int add_scratch(size_t step, std::vector<Lead>& leads) {
    const nibble_order& order = walks_[step].order;
    if (order.scratch == 0) return -1;
    const auto number = static_cast<int>(lowering_.buffers.size()), at = static_cast<int>(step);
    lowering_.buffers.push_back({order.scratch, at, at});
    const std::vector<View>& in = lowering_.drafts[step].in;
    const View& x = in[0];
    const auto same = [&](const View& view) { return view.buffer == x.buffer; };
    if (order.over_input > 0 && x.buffer >= 0 && buffer(x.buffer).last == at &&
        std::count_if(in.begin(), in.end(), same) == 1)
      leads.push_back({x.buffer, number, order.over_input - x.offset * bytes_of(x.type)});
    return number;
  }

  Lowering& lowering_;
  std::vector<Walk> walks_;
};

}  // namespace

Overlap find_overlap(Lowering& lowering) {
  return Finder(lowering).all();
}

}  // namespace nibble::lower
