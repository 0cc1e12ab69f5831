#include "lower/plan.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/random.hpp"

namespace nibble::lower {
namespace {

constexpr int64_t alignment = 64;

int64_t aligned(int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

bool used(const Buffer& buffer) {
  return buffer.first <= buffer.last;
}

bool meet(const Buffer& a, const Buffer& b) {
  return a.first <= b.last && b.first <= a.last;
}

int64_t most_at_once(const std::vector<Buffer>& buffers) {
  int last = 0;
  for (const Buffer& buffer : buffers)
    if (used(buffer)) last = std::max(last, buffer.last);
  std::vector<int64_t> change(static_cast<size_t>(last) + 3, 0);
  for (const Buffer& buffer : buffers) {
    if (!used(buffer)) continue;
    change[static_cast<size_t>(buffer.first + 1)] += aligned(buffer.bytes);
    change[static_cast<size_t>(buffer.last + 2)] -= aligned(buffer.bytes);
  }
  int64_t live = 0, most = 0;
  for (int64_t by : change) most = std::max(most, live += by);
  return most;
}

/// Each buffer in this order into the lowest gap that holds it.
Plan first_fit(const std::vector<Buffer>& buffers, const std::vector<size_t>& order) {
  Plan plan{std::vector<int64_t>(buffers.size(), -1)};
  for (size_t i : order) {
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t k = 0; k < buffers.size(); ++k)
      if (plan.offsets[k] >= 0 && meet(buffers[i], buffers[k]))
        taken.emplace_back(plan.offsets[k], plan.offsets[k] + aligned(buffers[k].bytes));
    std::sort(taken.begin(), taken.end());
    int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - offset >= aligned(buffers[i].bytes)) break;
      offset = std::max(offset, end);
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + aligned(buffers[i].bytes));
  }
  return plan;
}

}  // namespace

Plan plan(const std::vector<Buffer>& buffers) {
  const int64_t bound = most_at_once(buffers);
  std::vector<size_t> all;
  for (size_t i = 0; i < buffers.size(); ++i)
    if (used(buffers[i])) all.push_back(i);
  using Key = std::function<int64_t(const Buffer&)>;
  const std::vector<Key> keys{
      [](const Buffer& b) { return -b.bytes; }, [](const Buffer& b) { return -b.bytes * (b.last - b.first + 1); },
      [](const Buffer& b) { return int64_t{b.first}; }, [](const Buffer& b) { return int64_t{b.first} - b.last; }};
  Plan best;
  std::vector<size_t> best_order;
  const auto attempt = [&](std::vector<size_t> order) {
    Plan found = first_fit(buffers, order);
    if (!best_order.empty() && found.bytes > best.bytes) return;
    best = std::move(found);
    best_order = std::move(order);
  };
  for (const Key& key : keys) {
    std::vector<size_t> order = all;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(buffers[a]) < key(buffers[b]); });
    attempt(std::move(order));
  }
  // Exchanges two at a time, as long as that does not lose.
  Random random(1);
  const int64_t tries =
      all.size() < 2 ? 0 : std::min<int64_t>(2000, 2'000'000 / static_cast<int64_t>(all.size() * all.size()) + 50);
  for (int64_t i = 0; i < tries && best.bytes > bound; ++i) {
    std::vector<size_t> order = best_order;
    std::swap(order[random.below(order.size())], order[random.below(order.size())]);
    attempt(std::move(order));
  }
  if (best_order.empty()) best.offsets.assign(buffers.size(), -1);
  best.lower_bound = bound;
  return best;
}

}  // namespace nibble::lower
