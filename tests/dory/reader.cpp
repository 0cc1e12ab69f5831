#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "layers.hpp"

/// Reads an export of the dialect quantlab as DORY would, and computes it as DORY's kernels do, from the files alone:
///
///     dory_reader FOLDER/NETWORK.onnx          with config_NETWORK.json, input.txt, out_layer<i>.txt, output.txt
///     beside
///
/// Every layer's integers must be those of its golden; sums must provably fit 32 bits, requantisations the width that
/// the config states. Exit code 0: nothing to complain of; 1: complaints, one a line.
namespace dory {
namespace {

namespace fs = std::filesystem;
__extension__ using int128 = __int128;

/// One image, channels first.
struct Activation {
  int64_t channels = 1;
  Ints extents;  ///< H, W, or W, or none
  Ints values;
  Levels levels;  ///< what its values can be

  int64_t pixels() const { return static_cast<int64_t>(values.size()) / channels; }
};

struct Config {
  int bits = 32;  ///< of k, l and k x + l
  Levels input;
};

class Run {
 public:
  Run(const fs::path& file, std::vector<std::string>& complaints)
      : folder_(file.parent_path()), complaints_(complaints), model_(certificate::read_model(file.string())) {
    network_ = read_layers(model_, complaints_);
    config_ = read_config(file);
    held_[network_.input] = read_input();
    for (size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      Activation y = compute(layer);
      check_shape(layer, y);
      compare(y, "out_layer" + std::to_string(i) + ".txt");
      held_[layer.output] = std::move(y);
    }
    if (fs::exists(folder_ / ("out_layer" + std::to_string(network_.layers.size()) + ".txt")))
      complain("more goldens than layers");
    compare(held_.at(network_.output), "output.txt");
  }

  size_t layers() const { return network_.layers.size(); }
  size_t compared() const { return compared_; }
  int bits() const { return config_.bits; }

 private:
  void complain(const std::string& what) { complaints_.push_back(what); }
  void complain(const Layer& layer, const std::string& what) { complain("layer '" + layer.name + "': " + what); }

  // ---- files

  Config read_config(const fs::path& file) {
    const fs::path path = folder_ / ("config_" + file.stem().string() + ".json");
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error(path.string() + ": cannot be opened");
    const nlohmann::json json = nlohmann::json::parse(stream);
    Config config;
    config.bits = json.at("BNRelu_bits");
    if (config.bits != 32 && config.bits != 64) complain("BNRelu_bits " + std::to_string(config.bits));
    if (json.at("onnx_file") != file.filename().string()) complain("config of another onnx_file");
    if (!json.at("code reserved space").is_number_integer()) complain("no code reserved space");
    if (json.at("n_inputs") != 1) complain("n_inputs is not 1");
    const int input_bits = json.at("input_bits");
    if (input_bits != 2 && input_bits != 4 && input_bits != 8) complain("input_bits " + std::to_string(input_bits));
    const int64_t n = int64_t{1} << input_bits;
    config.input = json.at("input_signed").get<bool>() ? Levels{-n / 2, n / 2 - 1} : Levels{0, n - 1};
    return config;
  }

  /// As numpy.loadtxt(delimiter=',', usecols=[0]) reads it; the extents of "# name (shape [..]),".
  Ints read_text(const std::string& name, Ints& shape) {
    std::ifstream stream(folder_ / name);
    if (!stream) throw std::runtime_error(name + ": cannot be opened");
    std::string line;
    std::getline(stream, line);
    const size_t open = line.find("(shape ["), close = line.find("]),");
    if (line.substr(0, 2) != "# " || open == line.npos || close == line.npos)
      throw std::runtime_error(name + ": first line '" + line + "'");
    std::istringstream extents(line.substr(open + 8, close - open - 8));
    for (std::string extent; std::getline(extents, extent, ',');) shape.push_back(std::stoll(extent));
    Ints values;
    while (std::getline(stream, line)) {
      size_t end = 0;
      values.push_back(std::stoll(line, &end));
      if (line.substr(end) != ",") throw std::runtime_error(name + ": line '" + line + "'");
    }
    return values;
  }

  /// Channels last to channels first.
  static Ints channels_first(const Ints& last, int64_t channels) {
    Ints first(last.size());
    const size_t c = static_cast<size_t>(channels), pixels = last.size() / c;
    for (size_t i = 0; i < last.size(); ++i) first[i % c * pixels + i / c] = last[i];
    return first;
  }

  Activation read_input() {
    const Ints& shape = model_.shapes.at(network_.input);
    if (shape.size() < 2) throw std::runtime_error("an input without channels");
    Activation x{shape[1], Ints(shape.begin() + 2, shape.end()), {}, config_.input};
    Ints stated;
    const Ints values = read_text("input.txt", stated);
    int64_t count = x.channels;
    for (int64_t extent : x.extents) count *= extent;
    if (count != static_cast<int64_t>(values.size())) throw std::runtime_error("input.txt: another number of elements");
    check_extents("input.txt", stated, x);
    for (int64_t value : values)
      if (value < config_.input.low || value > config_.input.high) complain("input.txt: " + std::to_string(value));
    x.values = channels_first(values, x.channels);
    return x;
  }

  /// [H, W, C], extents of 1 before it aside.
  void check_extents(const std::string& name, const Ints& stated, const Activation& x) {
    Ints expected = x.extents;
    expected.push_back(x.channels);
    Ints found = stated;
    while (found.size() > expected.size() && found.front() == 1) found.erase(found.begin());
    if (found != expected) complain(name + ": other extents than the tensor's");
  }

  void compare(const Activation& y, const std::string& name) {
    Ints stated;
    const Ints golden = read_text(name, stated);
    check_extents(name, stated, y);
    if (golden.size() != y.values.size()) return complain(name + ": another number of elements");
    const Ints expected = channels_first(golden, y.channels);
    int64_t differing = 0;
    for (size_t i = 0; i < expected.size(); ++i) differing += expected[i] != y.values[i];
    if (differing != 0) complain(name + ": " + std::to_string(differing) + " integers differ");
    compared_ += expected.size();
  }

  /// What the file says of the tensor's extents, which DORY tiles by.
  void check_shape(const Layer& layer, const Activation& y) {
    const auto found = model_.shapes.find(layer.output);
    if (found == model_.shapes.end()) return;
    Ints flat{y.channels}, whole{y.channels};
    whole.insert(whole.end(), y.extents.begin(), y.extents.end());
    flat[0] *= y.pixels();
    const Ints stated(found->second.begin() + 1, found->second.end());
    if (stated != whole && stated != flat) complain(layer, "other extents in the file");
  }

  // ---- kernels

  Activation compute(const Layer& layer) {
    std::vector<const Activation*> inputs;
    for (const std::string& name : layer.inputs) inputs.push_back(&held_.at(name));
    Activation y;
    Ints most;  // of |sum|, one a channel
    switch (layer.kind) {
      case Layer::Kind::Convolution: y = convolve(layer, *inputs[0], most); break;
      case Layer::Kind::FullyConnected: y = multiply(layer, *inputs[0], most); break;
      case Layer::Kind::MaxPool:
      case Layer::Kind::AveragePool: y = pool(layer, *inputs[0]); break;
      case Layer::Kind::Addition: return add(layer, *inputs[0], *inputs[1]);
      case Layer::Kind::Requant: y = *inputs[0]; break;
    }
    for (int64_t sum : most)
      if (sum > INT32_MAX) complain(layer, "sums up to " + std::to_string(sum) + ", beyond 32 bits");
    if (most.empty()) most.assign(static_cast<size_t>(y.channels), reach(y.levels));
    if (layer.chain) requantise(layer, *layer.chain, y, most);
    return y;
  }

  static int64_t reach(Levels levels) { return std::max(std::abs(levels.low), std::abs(levels.high)); }

  /// |bias| + sum of |w| times the largest |x|, a channel.
  static Ints most_of(const Layer& layer, Levels x) {
    const auto channels = static_cast<size_t>(layer.weight_shape[0]);
    Ints most(channels, 0);
    const size_t each = layer.weights.size() / channels;
    for (size_t i = 0; i < layer.weights.size(); ++i) most[i / each] += std::abs(layer.weights[i]) * reach(x);
    for (size_t c = 0; c < layer.bias.size(); ++c) most[c] += std::abs(layer.bias[c]);
    return most;
  }

  /// Extents of one and two axes as H, W; `step(c, y, x, ky, kx)` for what lies inside.
  struct Windows {
    int64_t height, width, kernel_y, kernel_x, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    int64_t out_height, out_width;

    Windows(const Layer& layer, const Activation& x) {
      const size_t axes = layer.kernel.size();
      if (x.extents.size() != axes) throw std::runtime_error(layer.name + ": windows over other axes");
      const auto of = [&](const Ints& list, size_t axis, int64_t otherwise) {
        return axes == 2 ? list[axis] : axis == 1 ? list[0] : otherwise;
      };
      height = of(x.extents, 0, 1), width = of(x.extents, 1, 1);
      kernel_y = of(layer.kernel, 0, 1), kernel_x = of(layer.kernel, 1, 1);
      stride_y = of(layer.strides, 0, 1), stride_x = of(layer.strides, 1, 1);
      dilation_y = of(layer.dilations, 0, 1), dilation_x = of(layer.dilations, 1, 1);
      pad_y = of(layer.pads, 0, 0), pad_x = of(layer.pads, 1, 0);
      const int64_t end_y = axes == 2 ? layer.pads[2] : 0, end_x = layer.pads.back();
      out_height = (height + pad_y + end_y - dilation_y * (kernel_y - 1) - 1) / stride_y + 1;
      out_width = (width + pad_x + end_x - dilation_x * (kernel_x - 1) - 1) / stride_x + 1;
    }
    template <class F>
    void each(int64_t y, int64_t x, F&& step) const {
      for (int64_t ky = 0; ky < kernel_y; ++ky)
        for (int64_t kx = 0; kx < kernel_x; ++kx) {
          const int64_t row = y * stride_y - pad_y + ky * dilation_y, column = x * stride_x - pad_x + kx * dilation_x;
          if (row >= 0 && row < height && column >= 0 && column < width)
            step(static_cast<size_t>(row * width + column), static_cast<size_t>(ky * kernel_x + kx));
        }
    }
    Ints extents(size_t axes) const { return axes == 2 ? Ints{out_height, out_width} : Ints{out_width}; }
  };

  Activation convolve(const Layer& layer, const Activation& x, Ints& most) {
    const int64_t outputs = layer.weight_shape[0], inputs = layer.weight_shape[1];
    if (inputs * layer.group != x.channels) throw std::runtime_error(layer.name + ": other input channels");
    most = most_of(layer, x.levels);
    const Windows windows(layer, x);
    Activation y{outputs, windows.extents(x.extents.size()), {}, {}};
    const auto taps = static_cast<size_t>(windows.kernel_y * windows.kernel_x);
    const auto pixels = static_cast<size_t>(x.pixels());
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t row = 0; row < windows.out_height; ++row)
        for (int64_t column = 0; column < windows.out_width; ++column) {
          int64_t sum = layer.bias.empty() ? 0 : layer.bias[static_cast<size_t>(o)];
          for (int64_t i = 0; i < inputs; ++i) {
            const auto from = static_cast<size_t>(layer.group == 1 ? i : o) * pixels;
            const auto weight = static_cast<size_t>(o * inputs + i) * taps;
            windows.each(row, column,
                         [&](size_t at, size_t tap) { sum += x.values[from + at] * layer.weights[weight + tap]; });
          }
          y.values.push_back(sum);
        }
    return y;
  }

  Activation multiply(const Layer& layer, const Activation& x, Ints& most) {
    const auto outputs = static_cast<size_t>(layer.weight_shape[0]), terms = static_cast<size_t>(layer.weight_shape[1]);
    if (terms != x.values.size()) throw std::runtime_error(layer.name + ": other inputs");
    most = most_of(layer, x.levels);
    Activation y{layer.weight_shape[0], {}, Ints(outputs), {}};
    for (size_t o = 0; o < outputs; ++o) {
      y.values[o] = layer.bias.empty() ? 0 : layer.bias[o];
      for (size_t i = 0; i < terms; ++i) y.values[o] += x.values[i] * layer.weights[o * terms + i];
    }
    return y;
  }

  static int64_t floor_quotient(int64_t sum, int64_t count) {
    const int64_t quotient = sum / count;
    return quotient * count > sum ? quotient - 1 : quotient;
  }

  Activation pool(const Layer& layer, const Activation& x) {
    const Windows windows(layer, x);
    const bool largest = layer.kind == Layer::Kind::MaxPool;
    const bool padded = std::any_of(layer.pads.begin(), layer.pads.end(), [](int64_t pad) { return pad != 0; });
    if (largest && padded && x.levels.low < 0) complain(layer, "pads integers below zero with 0");
    Activation y{x.channels, windows.extents(x.extents.size()), {}, x.levels};
    for (int64_t c = 0; c < x.channels; ++c)
      for (int64_t row = 0; row < windows.out_height; ++row)
        for (int64_t column = 0; column < windows.out_width; ++column) {
          int64_t sum = 0, most = INT64_MIN;
          windows.each(row, column, [&](size_t at, size_t) {
            const int64_t value = x.values[static_cast<size_t>(c * x.pixels()) + at];
            sum += value, most = std::max(most, value);
          });
          y.values.push_back(largest ? most : floor_quotient(sum, windows.kernel_y * windows.kernel_x));
        }
    return y;
  }

  /// k x + l in integers of so many bits, which wrap.
  int64_t affine(int64_t x, int64_t k, int64_t l) const {
    const auto whole =
        static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(k) + static_cast<uint64_t>(l));
    return config_.bits == 32 ? static_cast<int32_t>(whole) : whole;
  }

  void check_width(const Layer& layer, int64_t k, int64_t l, int64_t most) {
    const auto magnitude = [](int64_t x) { return x < 0 ? -static_cast<int128>(x) : static_cast<int128>(x); };
    if (magnitude(k) * most + magnitude(l) >= int128{1} << (config_.bits - 1))
      complain(layer, "products that need more than the BNRelu_bits of the config, " + std::to_string(config_.bits));
  }

  void requantise(const Layer& layer, const Chain& chain, Activation& y, const Ints& most) {
    const auto channels = static_cast<size_t>(y.channels);
    if (!chain.scalar && chain.k.size() != channels) throw std::runtime_error(layer.name + ": other channels");
    const auto pixels = static_cast<size_t>(y.pixels());
    for (size_t c = 0; c < channels; ++c) {
      const int64_t k = chain.k[chain.scalar ? 0 : c], l = chain.l[chain.scalar ? 0 : c];
      check_width(layer, k, l, most[c]);
      for (size_t i = c * pixels; i < (c + 1) * pixels; ++i)
        y.values[i] = std::clamp(affine(y.values[i], k, l) >> chain.shift, chain.levels.low, chain.levels.high);
    }
    y.levels = chain.levels;
  }

  int64_t sided(const Side& side, int64_t x) const {
    return std::clamp(affine(x, side.mul, side.add) >> side.shift, side.levels.low, side.levels.high);
  }

  Activation add(const Layer& layer, const Activation& a, const Activation& b) {
    if (a.channels != b.channels || a.extents != b.extents) throw std::runtime_error(layer.name + ": extents differ");
    const Side &first = layer.sides[0], &second = layer.sides[1], &out = layer.sides[2];
    check_width(layer, first.mul, first.add, reach(a.levels));
    check_width(layer, second.mul, second.add, reach(b.levels));
    check_width(layer, out.mul, out.add, reach(first.levels) + reach(second.levels));
    Activation y = a;
    for (size_t i = 0; i < y.values.size(); ++i)
      y.values[i] = sided(out, sided(first, a.values[i]) + sided(second, b.values[i]));
    y.levels = out.levels;
    return y;
  }

  fs::path folder_;
  std::vector<std::string>& complaints_;
  certificate::Model model_;
  Network network_;
  Config config_;
  std::map<std::string, Activation> held_;
  size_t compared_ = 0;
};

}  // namespace
}  // namespace dory

int main(int count, char** arguments) {
  if (count != 2) return std::fputs("usage: dory_reader FOLDER/NETWORK.onnx\n", stderr), 2;
  std::vector<std::string> complaints;
  try {
    const dory::Run run(arguments[1], complaints);
    std::printf("%zu layers, %zu integers compared, BNRelu_bits %d\n", run.layers(), run.compared(), run.bits());
  } catch (const std::exception& error) {
    complaints.push_back(std::string("cannot be followed: ") + error.what());
  }
  for (const std::string& complaint : complaints) std::printf("%s\n", complaint.c_str());
  return complaints.empty() ? 0 : 1;
}
