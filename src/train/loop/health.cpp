#include "train/loop/health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "train/loop/together.hpp"

namespace nibble::train {
namespace {

/// A scale beyond these times its first has collapsed or exploded.
constexpr double collapsed = 0.01, exploded = 100;
/// Weights that are looked at, of each quantiser.
constexpr int64_t most_watched = 1 << 14;
/// Nagel et al.'s average, and from which frequency and share of the weights on it is worth a warning: a change back
/// every fifty steps, of a fifth.
constexpr float momentum = 0.01f, oscillates = 0.02f;
constexpr double share_of_weights = 0.2;
/// Above these many levels a step of an optimiser is as wide as a level, and crossing one back costs nothing.
constexpr int64_t few_levels = 16;
constexpr int16_t unseen = INT16_MAX;

/// The first NaN or infinity as text; empty where there is none.
std::string not_finite(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.scalar_type() != at::kFloat) return "";
  const at::Tensor dense = tensor.detach().contiguous();
  const float* x = dense.data_ptr<float>();
  const int64_t count = dense.numel();
  constexpr uint32_t exponent = 0x7f800000;
  bool found = false;
  for (int64_t i = 0; i < count; ++i) found |= (std::bit_cast<uint32_t>(x[i]) & exponent) == exponent;
  if (!found) return "";
  const float first = *std::find_if(x, x + count, [](float each) { return !std::isfinite(each); });
  return std::isnan(first) ? "nan" : first > 0 ? "inf" : "-inf";
}

bool all_are(const float* x, int64_t count, float value) {
  bool differs = false;
  for (int64_t i = 0; i < count; ++i) differs |= x[i] != value;
  return !differs;
}

}  // namespace

std::string learned_not_finite(const Network& network) {
  for (const Learned& one : network.learned()) {
    if (const std::string found = not_finite(one.tensor); !found.empty())
      return fmt::format("'{}' holds {}", one.name, found);
    if (const std::string found = not_finite(one.tensor.grad()); !found.empty())
      return fmt::format("the gradient of '{}' holds {}", one.name, found);
  }
  return "";
}

std::string value_not_finite(const Network& network, const at::Tensor& x, const Mode& mode) {
  std::string said;
  int64_t values = 0;  // up to that one
  const auto see = [&](graph::ValueId id, const at::Tensor& value) {
    if (!said.empty()) return;
    ++values;
    if (const std::string found = not_finite(value); !found.empty())
      said = fmt::format("'{}' holds {}", network.graph()[id].name, found);
  };
  network.run(x, mode, false, see);
  return mode.share.ranks ? first_text(*mode.share.ranks, said, values) : said;
}

Health::Health(const Network& network, const Warn& warn)
    : network_(network), warn_(warn), channels_of_(network.graph().values.size(), -1) {
  for (const PlacedQuantiser& at : network.placed_quantisers()) {
    if (!at.quantiser->learned().empty()) learning_.push_back(at.quantiser);
    const graph::Value& output = network.graph()[at.output];
    const Shape& shape = output.shape;
    const bool moves = at.weights.defined() && !quant::algorithm_of(at.quantiser->recipe().learning).sets_weights;
    if (moves && output.grid->levels() <= few_levels) {
      // Odd: every channel has its share.
      const int64_t stride = (at.weights.numel() / most_watched) | 1;
      const int64_t count = (at.weights.numel() + stride - 1) / stride;
      weights_.push_back({at, stride, at::full({count}, unseen, at::kShort), at::zeros({count}, at::kChar),
                          at::zeros({count}, at::kFloat)});
    }
    // The second of three axes may be a token: its values are no channel's.
    const bool by_channel = shape.size() == 2 || shape.size() == 4 || shape.size() == 5;
    if (!at.weights.defined() && !at.reads_input && by_channel && shape[0] == any && shape[1] > 0) {
      channels_of_[static_cast<size_t>(at.output)] = static_cast<int>(channels_.size());
      channels_.push_back({at, at::zeros({shape[1]}, at::kByte), at::full({shape[1]}, std::nanf(""), at::kFloat)});
    }
  }
}

bool Health::wants(graph::ValueId id) const {
  const int index = channels_of_[static_cast<size_t>(id)];
  if (index < 0) return false;
  const at::Tensor& alive = channels_[static_cast<size_t>(index)].alive;
  const uint8_t* each = alive.data_ptr<uint8_t>();
  return std::find(each, each + alive.numel(), 0) != each + alive.numel();
}

void Health::observe(graph::ValueId id, const at::Tensor& y) {
  const int index = channels_of_[static_cast<size_t>(id)];
  if (index < 0) return;
  Channels& channels = channels_[static_cast<size_t>(index)];
  if (!channels.at.quantiser->on()) {
    channels.alive.fill_(1);
    return;
  }
  const at::Tensor dense = y.detach().contiguous();
  const int64_t count = channels.alive.numel(), examples = dense.size(0), inner = dense.numel() / examples / count;
  const std::vector<double> scales = channels.at.quantiser->scales();
  uint8_t* alive = channels.alive.data_ptr<uint8_t>();
  for (int64_t c = 0; c < count; ++c) {
    if (alive[c] != 0) continue;
    const float* x = dense.data_ptr<float>() + c * inner;
    const float level = *x / static_cast<float>(scales[scales.size() > 1 ? static_cast<size_t>(c) : 0]);
    float& before = channels.level.data_ptr<float>()[c];
    alive[c] = std::abs(level - before) > 0.5f;
    before = level;
    for (int64_t b = 0; b < examples && alive[c] == 0; ++b) alive[c] = !all_are(x + b * count * inner, inner, *x);
  }
}

void Health::put_together(Collective& ranks) {
  for (Channels& channels : channels_) {
    const at::Tensor levels = rows_of(ranks, channels.level);
    ranks.add(channels.alive);
    channels.alive.clamp_max_(1).bitwise_or_((levels.amax(0) - levels.amin(0)).gt(0.5).to(at::kByte));
    channels.level.copy_(levels[0]);
  }
}

void Health::after_step(const std::string& place) {
  for (const Quantiser* quantiser : learning_) watch_scales(*quantiser, place);
  for (Weights& weights : weights_)
    if (weights.at.quantiser->on()) watch_levels(weights);
}

void Health::after_epoch(const std::string& place) {
  for (const Weights& weights : weights_) judge_weights(weights, place);
  for (Channels& channels : channels_) judge_channels(channels, place);
}

void Health::watch_scales(const Quantiser& quantiser, const std::string& place) {
  const std::vector<double> now = quantiser.scales();
  for (size_t c = 0; c < now.size(); ++c) {
    const double first = quantiser.first_scales()[c], times = now[c] / first;
    if (times > collapsed && times < exploded) continue;
    const std::string of = now.size() > 1 ? fmt::format("channel {}'s scale", c) : "the scale";
    const std::string figures = fmt::format("{} was {:.3g} and is {:.3g}, {:.2g} times that", of, first, now[c], times);
    const std::string group = quantiser.learned()[0].group;
    if (times <= collapsed)
      say(quantiser, "scale collapse", place,
          fmt::format("{}; its levels tell nothing apart: lower the rate of group '{}' or learning_rate, or freeze the "
                      "ranges earlier",
                      figures, group));
    else
      say(quantiser, "exploding bound", place,
          fmt::format("{}; all its values meet on a few levels: raise the decay or lower the rate of group '{}', or "
                      "lower learning_rate",
                      figures, group));
  }
}

void Health::watch_levels(Weights& weights) {
  const at::Tensor now = weights.at.quantiser->levels_of(network_.weights_read(weights.at.input), weights.stride);
  const int16_t* after = now.data_ptr<int16_t>();
  int16_t* before = weights.levels.data_ptr<int16_t>();
  int8_t* direction = weights.direction.data_ptr<int8_t>();
  float* frequency = weights.frequency.data_ptr<float>();
  for (int64_t i = 0; i < now.numel(); ++i) {
    const int change = before[i] == unseen ? 0 : (after[i] > before[i]) - (after[i] < before[i]);
    const bool back = change != 0 && change == -direction[i];
    frequency[i] += momentum * (static_cast<float>(back) - frequency[i]);
    direction[i] = static_cast<int8_t>(change != 0 ? change : direction[i]);
    before[i] = after[i];
  }
}

void Health::judge_weights(const Weights& weights, const std::string& place) {
  const double share = weights.frequency.gt(oscillates).to(at::kDouble).mean().item<double>();
  if (share <= share_of_weights) return;
  say(*weights.at.quantiser, "oscillating weights", place,
      fmt::format(
          "{:.0f} % of the weights jump back and forth between two levels, on average every {:.0f} steps or "
          "oftener; lower learning_rate towards the end (schedule cosine), or quantise this layer with more bits",
          100 * share, 1 / oscillates));
}

void Health::judge_channels(Channels& channels, const std::string& place) {
  std::string dead;
  int64_t count = 0;
  for (int64_t c = 0; c < channels.alive.numel(); ++c) {
    if (channels.alive.data_ptr<uint8_t>()[c] != 0 || std::isnan(channels.level.data_ptr<float>()[c])) continue;
    if (++count <= 8) dead += (dead.empty() ? "" : ", ") + std::to_string(c);
  }
  if (count > 8) dead += ", ...";
  if (count > 0)
    say(*channels.at.quantiser, "dead channels", place,
        fmt::format(
            "{} of {} channels ({}) were on one level for the whole epoch: they tell the network nothing; lower "
            "learning_rate or weight_decay, calibrate a narrower range, or remove them",
            count, channels.alive.numel(), dead));
  channels.alive.zero_();
  channels.level.fill_(std::nanf(""));
}

void Health::say(const Quantiser& quantiser, const std::string& kind, const std::string& place,
                 const std::string& sentence) {
  if (!warned_.insert(quantiser.name() + ": " + kind).second || !warn_) return;
  warn_(fmt::format("quantiser '{}': {} at {}: {}", quantiser.name(), kind, place, sentence));
}

std::map<std::string, at::Tensor> Health::state() const {
  std::map<std::string, at::Tensor> all;
  for (const Weights& each : weights_) {
    const std::string& name = each.at.quantiser->name();
    all[name + ".levels"] = each.levels, all[name + ".direction"] = each.direction;
    all[name + ".frequency"] = each.frequency;
  }
  for (const Channels& each : channels_) {
    const std::string& name = each.at.quantiser->name();
    all[name + ".alive"] = each.alive, all[name + ".level"] = each.level;
  }
  return all;
}

}  // namespace nibble::train
