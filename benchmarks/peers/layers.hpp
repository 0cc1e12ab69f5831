#pragma once
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

/// A layer of a network of bytes, as `benchmark_networks layers` lists it. Extents are channels, height, width.
struct Layer {
  std::string name, op;  ///< conv, fully_connected, max_pool, add, mean
  std::vector<int> inputs;
  int output = 0;
  std::vector<int64_t> in, out;
  std::vector<int64_t> kernel, strides, pads;  ///< conv, max_pool; pads are top, left, bottom, right
  int64_t group = 1;

  int64_t in_elements() const { return in[0] * in[1] * in[2]; }
  int64_t out_elements() const { return out[0] * out[1] * out[2]; }
  /// Weights of one output channel.
  int64_t terms() const { return op == "conv" ? in[0] / group * kernel[0] * kernel[1] : in_elements(); }
  /// Scales that keep the sums of drawn weights within a byte.
  std::vector<float> scales() const {
    return std::vector<float>(static_cast<size_t>(out[0]), 1.0F / static_cast<float>(64 * terms()));
  }
};

inline std::vector<Layer> read_layers(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(file + ": cannot be read");
  const nlohmann::json list = nlohmann::json::parse(stream);
  std::vector<Layer> layers;
  for (const nlohmann::json& json : list.at("layers"))
    layers.push_back({.name = json.at("name"),
                      .op = json.at("op"),
                      .inputs = json.at("inputs"),
                      .output = json.at("output"),
                      .in = json.at("in"),
                      .out = json.at("out"),
                      .kernel = json.value("kernel", std::vector<int64_t>()),
                      .strides = json.value("strides", std::vector<int64_t>()),
                      .pads = json.value("pads", std::vector<int64_t>()),
                      .group = json.value("group", int64_t{1})});
  return layers;
}

inline std::vector<int8_t> drawn_bytes(int64_t count) {
  static std::mt19937 draw(1);
  std::vector<int8_t> bytes(static_cast<size_t>(count));
  for (int8_t& byte : bytes) byte = static_cast<int8_t>(draw() % 255 - 127);
  return bytes;
}

/// Memory of a network's tensors, by number. A buffer is free again behind its tensor's last reader, so that as little
/// memory is touched as by a program with a plan. `slack` bytes may be read behind each tensor.
class Buffers {
 public:
  explicit Buffers(const std::vector<Layer>& layers, size_t slack = 64) : slack_(slack) {
    std::vector<size_t> last(layers.size() + 1, layers.size());
    for (size_t i = 0; i < layers.size(); ++i)
      for (int input : layers[i].inputs) last[static_cast<size_t>(input)] = i;
    where_.resize(layers.size() + 1);
    where_[0] = taken(layers.front().in_elements());
    for (size_t i = 0; i < layers.size(); ++i) {
      where_[static_cast<size_t>(layers[i].output)] = taken(layers[i].out_elements());
      for (int input : layers[i].inputs)
        if (last[static_cast<size_t>(input)] == i) free_[where_[static_cast<size_t>(input)]] = true;
    }
    for (std::vector<int8_t>& buffer : buffers_) std::ranges::copy(drawn_bytes(std::ssize(buffer)), buffer.begin());
  }
  int8_t* operator[](int tensor) { return buffers_[where_[static_cast<size_t>(tensor)]].data(); }

 private:
  /// The smallest free buffer that is large enough, else the largest made larger, else a new one.
  size_t taken(int64_t elements) {
    const size_t size = static_cast<size_t>(elements) + slack_;
    size_t best = buffers_.size();
    for (size_t i = 0; i < buffers_.size(); ++i) {
      if (!free_[i]) continue;
      const bool fits = buffers_[i].size() >= size;
      if (best == buffers_.size() || (fits ? buffers_[best].size() < size || buffers_[i].size() < buffers_[best].size()
                                           : buffers_[best].size() < buffers_[i].size()))
        best = i;
    }
    if (best == buffers_.size()) buffers_.emplace_back(), free_.push_back(false);
    if (buffers_[best].size() < size) buffers_[best].resize(size);
    free_[best] = false;
    return best;
  }

  size_t slack_;
  std::vector<std::vector<int8_t>> buffers_;
  std::vector<bool> free_;
  std::vector<size_t> where_;  ///< tensor to buffer
};
