#include <algorithm>

#include "lower/arena/packing.hpp"

namespace nibble::lower {
namespace {

/// Where everything stands; without `order` nothing lies over another.
Arena placed(Schedule& schedule, const Options& options) {
  if (options.order) return arranged(schedule, options);
  return {plan(schedule.buffers, {}, options.alignment), {}};
}

int64_t bytes_of_plan(Schedule schedule, const Options& options) {
  return placed(schedule, options).plan.bytes;
}

/// The steps with some buffers packed, and what their arena takes.
struct Trial {
  Schedule schedule;
  int64_t bytes = 0;
};

Trial tried(const Schedule& ordered, const std::vector<Packable>& packed, const Options& options) {
  Trial trial{ordered};
  for (const Packable& buffer : packed) pack(trial.schedule, buffer);
  if (options.order) cut_into_strips(trial.schedule, options);
  trial.bytes = bytes_of_plan(trial.schedule, options);
  return trial;
}

/// As few of the buffers as fit the room, where all of them do: the largest, without those that are not needed for it.
Trial fewest(const Schedule& ordered, std::vector<Packable> packed, const Options& options, Trial best) {
  const auto bytes = [&](const Packable& buffer) { return ordered.buffers[static_cast<size_t>(buffer.buffer)].bytes; };
  std::stable_sort(packed.begin(), packed.end(),
                   [&](const Packable& a, const Packable& b) { return bytes(a) > bytes(b); });
  const auto attempt = [&](const std::vector<Packable>& some) {
    Trial trial = tried(ordered, some, options);
    if (trial.bytes > options.room) return false;
    best = std::move(trial);
    return true;
  };
  size_t low = 0, high = packed.size();
  while (low + 1 < high) {
    const size_t middle = (low + high) / 2;
    (attempt({packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(middle)}) ? high : low) = middle;
  }
  packed.resize(high);
  for (size_t i = packed.size(); i-- > 0 && packed.size() > 1;) {
    std::vector<Packable> without = packed;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    if (attempt(without)) packed = std::move(without);
  }
  return best;
}

/// More rows at once, which are unpacked less often and spare kernels what they do once a call, where the arena stays
/// within `most`.
void add_rows(Schedule& schedule, const Options& options, int64_t most) {
  for (size_t i = 0; i < schedule.drafts.size(); ++i) {
    if (schedule.drafts[i].rows == 0) continue;
    for (const int32_t rows : {8, 4, 2, 1}) {
      schedule.drafts[i].rows = rows;
      if (rows == 1 || bytes_of_plan(schedule, options) <= most) break;
    }
  }
}

/// The steps packed and cut. Where all is packed that may be, rows may take a tenth of what is needed.
Schedule packed_as_asked(const Schedule& ordered, const Options& options, const std::map<int, Interval>& held) {
  Trial whole = tried(ordered, {}, options);
  if (options.pack_activations == PackActivations::Needed && whole.bytes <= options.room)
    return std::move(whole.schedule);
  const std::vector<Packable> packable = packable_buffers(ordered, held);
  Trial packed = tried(ordered, packable, options);
  if (packable.empty() || (options.pack_activations == PackActivations::Needed && packed.bytes >= whole.bytes))
    return std::move(whole.schedule);
  int64_t most = packed.bytes;
  if (options.pack_activations == PackActivations::Always) most += most / 10;
  if (options.pack_activations == PackActivations::Needed && packed.bytes <= options.room) {
    packed = fewest(ordered, packable, options, std::move(packed));
    most = options.room;
  }
  add_rows(packed.schedule, options, most);
  return std::move(packed.schedule);
}

}  // namespace

Arena settled(Schedule& schedule, const Options& options, const std::map<int, Interval>& held) {
  if (options.order) order_steps(schedule, options);
  if (options.pack_activations != PackActivations::Never)
    schedule = packed_as_asked(schedule, options, held);
  else if (options.order)
    cut_into_strips(schedule, options);
  return placed(schedule, options);
}

}  // namespace nibble::lower
