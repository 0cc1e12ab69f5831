#include <algorithm>
#include <cmath>

#include "lab/run.hpp"

namespace nibble::lab {
namespace {

/// value of channel c = gain[c] * pixel + shift[c], of a preprocessing of pixels; nothing for other data.
std::vector<passes::InputFormat> format_of(const graph::Graph& network, const Feed& feed) {
  const data::Preprocess& preprocess = feed.preprocess;
  if (feed.count() == 0 || feed.set->sample(0).x.type() != ElementType::UInt8) return {};
  const auto of = [](const std::vector<double>& list, size_t channel, double absent) {
    return list.empty() ? absent : list[list.size() == 1 ? 0 : channel];
  };
  passes::InputFormat format{network[network.inputs.front()].name, {}, {}};
  for (size_t c = 0; c < std::max({size_t{1}, preprocess.mean.size(), preprocess.standard_deviation.size()}); ++c) {
    const double deviation = of(preprocess.standard_deviation, c, 1);
    format.gain.push_back(preprocess.scale / deviation);
    format.shift.push_back(-of(preprocess.mean, c, 0) / deviation);
  }
  return {format};
}

/// The grid of the format's values, where one zero point serves all channels.
std::vector<passes::InputGrid> grid_of(const passes::InputFormat& format) {
  const double gain = format.gain[0], zero = -format.shift[0] / gain;
  const auto same = [](const std::vector<double>& numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [&](double number) { return number == numbers[0]; });
  };
  if (!same(format.gain) || !same(format.shift) || zero != std::nearbyint(zero) || zero < 0 || zero > 255) return {};
  Grid grid;
  grid.scale = {static_cast<double>(static_cast<float>(gain))};
  grid.zero_point = static_cast<int64_t>(zero);
  return {{format.input, grid}};
}

}  // namespace

passes::QuantiseOptions quantise_options(const graph::Graph& network, const Feed& feed, const passes::Policy& policy,
                                         Input input) {
  passes::QuantiseOptions options;
  options.policy = policy;
  const std::vector<passes::InputFormat> format = format_of(network, feed);
  if (format.empty()) return options;
  options.inputs = grid_of(format[0]);
  // A format's channels are along axis 1.
  if (input == Input::Pixels && options.inputs.empty() && !feed.preprocess.channels_last) options.formats = format;
  return options;
}

}  // namespace nibble::lab
