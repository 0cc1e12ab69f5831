#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/npz.hpp"
#include "graph/graph.hpp"
#include "verbs/call.hpp"

/// What `run` reads and compares.
namespace nibble::verbs {

/// A file's arrays: .npz by name, .npy as one without a name.
data::Arrays read_arrays(const std::filesystem::path& file);

/// `--input` in the order of graph.inputs: an .npz by input name or place (one array, one input: any name), an .npy, or
/// an image or a sound (.wav) through the preprocessing with a batch of 1. Throws UserError naming what is missing.
std::vector<Tensor> read_inputs(const Call& call, const graph::Graph& graph);

/// The first element on which two tensors differ.
struct Difference {
  std::string tensor;
  std::vector<int64_t> index;  ///< empty where the shapes differ
  std::string found, expected;
  int64_t count = 0;  ///< elements that differ
};
/// Integers are equal where their values are, whatever the types; reals to float32's rounding (NaN equals NaN).
std::optional<Difference> first_difference(const std::string& name, const Tensor& found, const Tensor& expected);

}  // namespace nibble::verbs
