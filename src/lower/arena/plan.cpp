#include "lower/arena/plan.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include "base/random.hpp"

namespace nibble::lower {
namespace {

bool used(const Buffer& buffer) {
  return buffer.first <= buffer.last;
}

bool meet(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

class Planner {
 public:
  Planner(const std::vector<Buffer>& buffers, const std::vector<Lead>& leads, int64_t alignment)
      : buffers_(buffers), alignment_(alignment), apart_(buffers.size()) {
    for (size_t i = 0; i < buffers.size(); ++i) {
      sizes_.push_back(aligned(buffers[i].bytes));
      if (used(buffers[i])) all_.push_back(i);
    }
    for (size_t i : all_)
      for (size_t k : all_)
        if (i != k && meet(buffers[i], buffers[k])) apart_[i].push_back({k, sizes_[i], sizes_[k]});
    for (const Lead& lead : leads) {
      const auto before = static_cast<size_t>(lead.before), after = static_cast<size_t>(lead.after);
      const int64_t bytes = std::clamp(aligned(lead.bytes), -sizes_[before], sizes_[after]);
      if (pair_of(before, after) != nullptr) pair_of(after, before)->below = pair_of(before, after)->above = bytes;
      leads_.push_back({lead.before, lead.after, bytes});
    }
  }

  Plan best(bool thorough) {
    Plan best;
    std::vector<size_t> best_order;
    const int64_t bound = lower_bound();
    const auto attempt = [&](std::vector<size_t> order) {
      Plan found = first_fit(order);
      if (!best_order.empty() && found.bytes > best.bytes) return;
      best = std::move(found);
      best_order = std::move(order);
    };
    for (std::vector<size_t>& order : first_orders()) attempt(std::move(order));
    // Exchanges two at a time, as long as that does not lose.
    Random random(1);
    const size_t count = all_.size();
    const int64_t most =
        std::min<int64_t>(2000, 2'000'000 / static_cast<int64_t>(std::max<size_t>(count * count, 1)) + 50);
    const int64_t tries = count < 2 ? 0 : thorough ? most : most / 20;
    for (int64_t i = 0; i < tries && best.bytes > bound; ++i) {
      std::vector<size_t> order = best_order;
      std::swap(order[random.below(count)], order[random.below(count)]);
      attempt(std::move(order));
    }
    if (best_order.empty()) best.offsets.assign(buffers_.size(), -1);
    best.lower_bound = bound;
    return best;
  }

 private:
  /// Another buffer: this one stands at least `below` bytes before it, or `above` behind where it begins.
  struct Apart {
    size_t other;
    int64_t below, above;
  };

  int64_t aligned(int64_t bytes) const {
    const int64_t down = bytes / alignment_ * alignment_;
    return down + (bytes > down ? alignment_ : 0);
  }

  Apart* pair_of(size_t i, size_t k) {
    const auto found =
        std::find_if(apart_[i].begin(), apart_[i].end(), [&](const Apart& apart) { return apart.other == k; });
    return found == apart_[i].end() ? nullptr : &*found;
  }

  /// By size, by size and time, by time, by the time that each lives; where there are leads, the last ones first.
  std::vector<std::vector<size_t>> first_orders() const {
    using Key = std::function<std::pair<int64_t, int64_t>(const Buffer&)>;
    std::vector<Key> keys{[](const Buffer& b) {
                            return std::pair{-b.bytes, int64_t{0}};
                          },
                          [](const Buffer& b) {
                            return std::pair{-b.bytes * (b.last - b.first + 1), int64_t{0}};
                          },
                          [](const Buffer& b) {
                            return std::pair{int64_t{b.first}, int64_t{0}};
                          },
                          [](const Buffer& b) {
                            return std::pair{int64_t{b.first} - b.last, int64_t{0}};
                          }};
    if (!leads_.empty()) {
      keys.emplace_back([](const Buffer& b) { return std::pair{int64_t{-b.first}, -b.bytes}; });
      keys.emplace_back([](const Buffer& b) { return std::pair{-b.bytes, int64_t{-b.first}}; });
    }
    std::vector<std::vector<size_t>> orders;
    for (const Key& key : keys) {
      orders.push_back(all_);
      std::stable_sort(orders.back().begin(), orders.back().end(),
                       [&](size_t a, size_t b) { return key(buffers_[a]) < key(buffers_[b]); });
    }
    return orders;
  }

  /// Each buffer in this order at the lowest place that is free.
  Plan first_fit(const std::vector<size_t>& order) const {
    Plan plan{std::vector<int64_t>(buffers_.size(), -1)};
    for (size_t i : order) {
      std::vector<std::pair<int64_t, int64_t>> taken;
      for (const Apart& apart : apart_[i])
        if (const int64_t at = plan.offsets[apart.other]; at >= 0 && apart.above > -apart.below)
          taken.emplace_back(at - apart.below, at + apart.above);
      std::sort(taken.begin(), taken.end());
      int64_t offset = 0;
      for (const auto& [begin, end] : taken) {
        if (begin >= offset) break;
        offset = std::max(offset, end);
      }
      plan.offsets[i] = offset;
      plan.bytes = std::max(plan.bytes, offset + sizes_[i]);
    }
    return plan;
  }

  /// The most that must stand there at once. Of those that live, the ones that lie over no other take room of their own,
  /// and so do those over which no other lies; two that may meet take what their lead says.
  int64_t lower_bound() const {
    int64_t most = 0;
    for (size_t now : all_) {
      const int time = buffers_[now].first;
      const auto lives = [&](int i) { return used(at(i)) && at(i).first <= time && time <= at(i).last; };
      std::set<size_t> under, over;
      int64_t together = 0;
      for (const Lead& lead : leads_) {
        if (!lives(lead.before) || !lives(lead.after)) continue;
        under.insert(static_cast<size_t>(lead.before));
        over.insert(static_cast<size_t>(lead.after));
        together = std::max(together, std::max<int64_t>(lead.bytes, 0) + sizes_[static_cast<size_t>(lead.before)]);
      }
      int64_t all_over = 0, all_under = 0, alone = 0;
      for (size_t k : all_) {
        if (!lives(static_cast<int>(k))) continue;
        if (!under.contains(k)) all_over += sizes_[k];
        if (!over.contains(k)) all_under += sizes_[k];
        if (!under.contains(k) && !over.contains(k)) alone += sizes_[k];
      }
      most = std::max({most, all_over, all_under, alone + together});
    }
    return most;
  }

  const Buffer& at(int i) const { return buffers_[static_cast<size_t>(i)]; }

  const std::vector<Buffer>& buffers_;
  const int64_t alignment_;
  std::vector<int64_t> sizes_;
  std::vector<size_t> all_;
  std::vector<std::vector<Apart>> apart_;
  std::vector<Lead> leads_;
};

}  // namespace

Plan plan(const std::vector<Buffer>& buffers, const std::vector<Lead>& leads, int64_t alignment, bool thorough) {
  return Planner(buffers, leads, alignment).best(thorough);
}

}  // namespace nibble::lower
