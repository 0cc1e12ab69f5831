#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "lower/arena/overlap.hpp"

namespace nibble::lower {
namespace {

/// The steps that are done, a bit each.
using Done = std::vector<uint64_t>;

bool has(const Done& done, size_t step) {
  return (done[step / 64] >> (step % 64) & 1) != 0;
}

bool reads(const Draft& draft, int buffer) {
  return std::any_of(draft.in.begin(), draft.in.end(), [&](const View& view) { return view.buffer == buffer; });
}

/// Which step comes next: every way through the states that steps can be in, the one of the lowest peak first.
class Search {
 public:
  Search(const Schedule& schedule, const std::vector<Walk>& walks)
      : schedule_(schedule),
        walks_(walks),
        steps_(schedule.drafts.size()),
        needs_(steps_),
        uses_(schedule.buffers.size()) {
    for (size_t i = 0; i < steps_; ++i) {
      const Draft& draft = schedule.drafts[i];
      for (size_t k = 0; k < i; ++k)
        if (depends(draft, schedule.drafts[k])) needs_[i].push_back(k);
      uses_[static_cast<size_t>(draft.out.buffer)].writers.push_back(i);
      for (size_t b = 0; b < uses_.size(); ++b)
        if (reads(draft, static_cast<int>(b))) uses_[b].readers.push_back(i);
    }
  }

  int64_t peak_as_it_stands() const {
    Done done((steps_ + 63) / 64, 0);
    int64_t peak = 0;
    for (size_t i = 0; i < steps_; ++i) {
      peak = std::max(peak, cost(done, i));
      done[i / 64] |= uint64_t{1} << (i % 64);
    }
    return peak;
  }

  struct Found {
    int64_t peak;
    std::vector<size_t> order;
  };

  /// The order of the lowest peak; nothing where there are more states than can be looked at.
  std::optional<Found> exact() {
    constexpr size_t most_states = 20000;
    nodes_ = {{Done((steps_ + 63) / 64, 0), 0, 0, 0, 0}};
    const auto later = [&](size_t a, size_t b) {
      return std::pair{nodes_[a].peak, -nodes_[a].count} > std::pair{nodes_[b].peak, -nodes_[b].count};
    };
    std::priority_queue<size_t, std::vector<size_t>, decltype(later)> waiting(later);
    std::set<Done> seen;
    for (waiting.push(0); !waiting.empty();) {
      const size_t at = waiting.top();
      waiting.pop();
      if (nodes_[at].count == static_cast<int64_t>(steps_)) return path(at);
      if (!seen.insert(nodes_[at].done).second) continue;
      if (nodes_.size() > most_states) return std::nullopt;
      for (size_t next : successors(at)) waiting.push(next);
    }
    return std::nullopt;
  }

  /// The best that comes of keeping so many states after each step.
  Found beam() {
    const size_t work = steps_ * uses_.size() * 4 + 1;
    const size_t width = std::clamp<size_t>(4'000'000 / work, 4, 100);
    nodes_ = {{Done((steps_ + 63) / 64, 0), 0, 0, 0, 0}};
    std::vector<size_t> level{0};
    for (size_t step = 0; step < steps_; ++step) {
      std::map<Done, size_t> best;
      for (size_t at : level)
        for (size_t next : successors(at)) {
          const auto [found, fresh] = best.try_emplace(nodes_[next].done, next);
          if (!fresh && nodes_[next].peak < nodes_[found->second].peak) found->second = next;
        }
      level.clear();
      for (const auto& [done, node] : best) level.push_back(node);
      std::stable_sort(level.begin(), level.end(), [&](size_t a, size_t b) {
        return std::pair{nodes_[a].peak, live(nodes_[a].done)} < std::pair{nodes_[b].peak, live(nodes_[b].done)};
      });
      if (level.size() > width) level.resize(width);
    }
    return path(level.front());
  }

 private:
  struct Node {
    Done done;
    int64_t peak, count;
    size_t parent, step;
  };
  struct Uses {
    std::vector<size_t> writers, readers;
  };

  /// What wrote before must have written, what read before must have read. Parts of one buffer come in any order.
  static bool depends(const Draft& later, const Draft& earlier) {
    const bool again = later.out.buffer == earlier.out.buffer && later.out.offset == earlier.out.offset;
    return again || reads(later, earlier.out.buffer) || reads(earlier, later.out.buffer);
  }

  bool begun(const Done& done, size_t buffer) const {
    const auto& writers = uses_[buffer].writers;
    return schedule_.buffers[buffer].first < 0 ||
           std::any_of(writers.begin(), writers.end(), [&](size_t step) { return has(done, step); });
  }
  bool over(const Done& done, size_t buffer) const {
    const auto all = [&](const std::vector<size_t>& of) {
      return std::all_of(of.begin(), of.end(), [&](size_t step) { return has(done, step); });
    };
    return schedule_.buffers[buffer].last < static_cast<int>(steps_) && all(uses_[buffer].readers) &&
           all(uses_[buffer].writers);
  }
  bool lives(const Done& done, size_t buffer) const { return begun(done, buffer) && !over(done, buffer); }

  int64_t live(const Done& done) const {
    int64_t bytes = 0;
    for (size_t b = 0; b < uses_.size(); ++b)
      if (lives(done, b)) bytes += schedule_.buffers[b].bytes;
    return bytes;
  }

  /// Bytes that must stand there while a step runs.
  int64_t cost(const Done& done, size_t step) const {
    const Draft& draft = schedule_.drafts[step];
    const auto out = static_cast<size_t>(draft.out.buffer);
    const int64_t result = schedule_.buffers[out].bytes;
    int64_t bytes = live(done) + walks_[step].order.scratch, saved = 0;
    if (begun(done, out)) return bytes;
    Done after = done;
    after[step / 64] |= uint64_t{1} << (step % 64);
    for (const View& view : draft.in) {
      if (view.buffer < 0 || !over(after, static_cast<size_t>(view.buffer))) continue;
      const int64_t operand = schedule_.buffers[static_cast<size_t>(view.buffer)].bytes;
      if (const auto lead = lead_of(step, view.buffer))
        saved = std::max(saved, operand + result - std::max(result, std::max<int64_t>(*lead, 0) + operand));
    }
    return bytes + result - saved;
  }

  std::optional<int64_t> lead_of(size_t step, int operand) const {
    const auto [found, fresh] = leads_.try_emplace({step, operand});
    const Draft& draft = schedule_.drafts[step];
    if (fresh)
      found->second = lead_within(draft, walks_[step], operand, schedule_.buffers[static_cast<size_t>(operand)].bytes,
                                  draft.out.buffer);
    return found->second;
  }

  std::vector<size_t> successors(size_t at) {
    std::vector<size_t> result;
    for (size_t step = 0; step < steps_; ++step) {
      const Node& node = nodes_[at];
      if (has(node.done, step) ||
          !std::all_of(needs_[step].begin(), needs_[step].end(), [&](size_t need) { return has(node.done, need); }))
        continue;
      Node next{node.done, std::max(node.peak, cost(node.done, step)), node.count + 1, at, step};
      next.done[step / 64] |= uint64_t{1} << (step % 64);
      result.push_back(nodes_.size());
      nodes_.push_back(std::move(next));
    }
    return result;
  }

  Found path(size_t at) const {
    Found found{nodes_[at].peak, {}};
    for (; nodes_[at].count > 0; at = nodes_[at].parent) found.order.push_back(nodes_[at].step);
    std::reverse(found.order.begin(), found.order.end());
    return found;
  }

  const Schedule& schedule_;
  const std::vector<Walk>& walks_;
  const size_t steps_;
  std::vector<std::vector<size_t>> needs_;
  std::vector<Uses> uses_;
  std::vector<Node> nodes_;
  mutable std::map<std::pair<size_t, int>, std::optional<int64_t>> leads_;
};

/// A value that several steps write part by part is there when the last has run.
void complete_late(Schedule& schedule) {
  std::map<int, Draft*> last;
  for (Draft& draft : schedule.drafts) {
    Draft*& before = last[draft.out.buffer];
    if (before != nullptr) {
      draft.completes.insert(draft.completes.begin(), before->completes.begin(), before->completes.end());
      before->completes.clear();
    }
    before = &draft;
  }
}

}  // namespace

void find_lifetimes(Schedule& schedule, size_t before) {
  for (Buffer& buffer : schedule.buffers) {
    const bool input = buffer.first < 0, output = buffer.last == static_cast<int>(before);
    buffer.first = input ? -1 : INT32_MAX;
    buffer.last = output ? static_cast<int>(schedule.drafts.size()) : -1;
  }
  for (size_t i = 0; i < schedule.drafts.size(); ++i) {
    const auto use = [&](const View& view) {
      if (view.buffer < 0) return;
      Buffer& buffer = schedule.buffers[static_cast<size_t>(view.buffer)];
      buffer.first = std::min(buffer.first, static_cast<int>(i));
      buffer.last = std::max(buffer.last, static_cast<int>(i));
    };
    for (const View& view : schedule.drafts[i].in) use(view);
    use(schedule.drafts[i].out);
  }
}

void order_steps(Schedule& schedule, const Options& options) {
  if (schedule.drafts.size() < 3) return;
  const std::vector<Walk> walks = walks_of(schedule.drafts, options);
  Search search(schedule, walks);
  std::optional<Search::Found> found = search.exact();
  if (!found) found = search.beam();
  if (found->peak >= search.peak_as_it_stands()) return;
  std::vector<Draft> drafts;
  for (size_t step : found->order) drafts.push_back(std::move(schedule.drafts[step]));
  schedule.drafts = std::move(drafts);
  complete_late(schedule);
  find_lifetimes(schedule, schedule.drafts.size());
}

}  // namespace nibble::lower
