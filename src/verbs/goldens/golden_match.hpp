#pragma once
#include <optional>
#include <string>
#include <vector>

#include "graph/evaluate/evaluate.hpp"
#include "verbs/arrays.hpp"
#include "verbs/goldens/golden_folder.hpp"

/// What a golden folder says of a network.
namespace nibble::verbs {

/// One recorded tensor and the network's. Not in the network: `value` is empty and every element differs.
struct Finding {
  const Recorded* recorded = nullptr;
  std::string value;  ///< the network's name for it
  std::optional<Difference> difference;
};

/// The folder's inputs in the order of graph.inputs: arrays by the inputs' names, what is left in the files' order
/// (numbered keys by number). Integer inputs are taken as integers whatever the array's type; reals that are not whole,
/// for an input on a grid, are what it stands for. Arrays beyond the inputs
/// go to `constants`: weights that were recorded beside them. Throws UserError naming the file and the array.
std::vector<Tensor> golden_inputs(const GoldenFolder& golden, const graph::Graph& graph,
                                  std::vector<const Recorded*>& constants, int64_t inference = 0);

/// Runs the network on the folder's inputs, inference after inference, and compares every recorded tensor, in the order
/// recorded:
///
///     outputs       with the output of that name, else in the graph's order
///     activations   with the value of that name. A name that the network does not have (a module of the program that
///                   wrote it) is no reference: the tensor is looked for by its elements, and passes where a value of
///                   the network has exactly these; else it is compared with the value that differs least
///     constants     likewise
///
/// Extents of 1 do not tell shapes apart.
std::vector<Finding> compare_goldens(const GoldenFolder& golden, const graph::Graph& graph, graph::Engine& engine);

}  // namespace nibble::verbs
