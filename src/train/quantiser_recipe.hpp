#pragma once
#include <functional>
#include <map>
#include <string>

#include "graph/graph.hpp"
#include "quant/learning/learning.hpp"

/// What is decided of a network's quantisers before and while they train: without torch, for whoever reads an
/// experiment's description.
namespace nibble::train {

/// How one quantiser of a network trains.
struct QuantiserRecipe {
  quant::Learning learning;
  /// Binary weights +-e, and any even number of levels without a zero: (k + 1/2) times the scale.
  bool without_zero = false;
};

/// A quantiser of the graph, before it is decided how it trains.
struct QuantiserPlace {
  const graph::Node& node;  ///< its Quantise
  bool weights;             ///< it quantises a learned constant
  bool reads_input;         ///< it quantises what the network is given: a grid of the data's own
};
/// Straight-through where none is given.
using QuantiserRecipes = std::function<QuantiserRecipe(const QuantiserPlace&)>;

/// Where a quantiser is in its schedule.
struct QuantiserSettings {
  bool on = true;
  bool frozen = false;   ///< what it learns stays
  double annealing = 1;  ///< of noise: times its deviation
  double fraction = 0;   ///< of the weights, set on levels; never falls
};
/// The settings of the quantiser of that name at a time in epochs (step / steps an epoch), before the step: a function
/// of nothing else, or a resumed run would differ. Unset: all on, noise constant, no weights set.
using QuantiserSchedule = std::function<QuantiserSettings(const std::string& quantiser, double epochs)>;

/// How what a group of quantisers learns moves. The groups are quant::learned_groups.
struct GroupRule {
  double rate = 1;   ///< times the learning rate
  double decay = 0;  ///< L2, instead of the weights'
};
using GroupRules = std::map<std::string, GroupRule>;

}  // namespace nibble::train
