#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "certificate/onnx_file.hpp"

/// A quantlab file as DORY's front end takes it: facts from dory/Parsers and dory/Frontend_frameworks/Quantlab, none of
/// its code and nothing of Nibble.
namespace dory {

using Ints = std::vector<int64_t>;

struct Levels {
  int64_t low = 0, high = 255;
};

/// clip((k x + l) >> shift): BNRelu where k and l have a shape, else a bare requantisation.
struct Chain {
  Ints k, l;
  int64_t shift = 0;
  Levels levels;
  bool scalar = false;
};

/// in1_, in2_ or out_ of an Add.
struct Side {
  int64_t mul = 1, add = 0, shift = 0;
  Levels levels;
};

struct Layer {
  enum class Kind : uint8_t { Convolution, FullyConnected, MaxPool, AveragePool, Addition, Requant };
  Kind kind = Kind::Requant;
  std::string name;
  std::vector<std::string> inputs;
  std::string output;          ///< behind what DORY passes over: Floor, Flatten
  Ints weights, weight_shape;  ///< [O, C/group, kernel] or [O, K]
  Ints bias;                   ///< one a channel; empty: none
  Ints kernel, pads, strides, dilations;
  int64_t group = 1;
  std::optional<Chain> chain;
  Side sides[3];
};

struct Network {
  std::string input, output;
  std::vector<Layer> layers;
};

/// What DORY refuses or would misread goes to `complaints`, one sentence each; a file that cannot be followed any
/// further ends in std::runtime_error.
Network read_layers(const certificate::Model& model, std::vector<std::string>& complaints);

}  // namespace dory
