#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "graph/evaluate/evaluate.hpp"
#include "passes/integerise/propagation.hpp"

/// What an FQ network computes: integers, and what each of its real values is in them. Its executors run this, so that
/// FQ = QD = ID in every integer. Source: NUMERICS.md, section 4; docs/design/fake_to_true.md.
namespace nibble::passes {

struct Meaning {
  /// As fake_to_true makes it, functions in tables, of stage QD; what integers cannot say (a quantiser is missing, an op
  /// has no integer form) in reals, where fake_to_true refuses. Not tidied: what nothing reads is there to be observed.
  graph::Graph integers;
  std::vector<std::optional<Carried>> values;  ///< by FQ's ValueId, in `integers`; none: a constant without a quantiser
};

/// `fake` is FQ. Throws UserError where a constant that is to be quantised is not finite.
Meaning meaning_of(const graph::Graph& fake);

/// Runs an FQ network as what it means, on an engine of `integers`. Reals, of every value of the network, reach the
/// observer and the caller as Float64. `fake` must outlive it.
std::unique_ptr<graph::Engine> fake_quantised_engine(const graph::Graph& fake, const graph::EngineMaker& integers);

/// `engine` for every stage, an FQ network run as what it means.
graph::EngineMaker exact(graph::EngineMaker engine);

}  // namespace nibble::passes
