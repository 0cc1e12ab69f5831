#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "passes/pipeline.hpp"
#include "quant/requantisation.hpp"

namespace nibble::passes {

/// Standard: as Exact, of the network with standardise_rescalings.
enum class RequantisationRule : uint8_t { Exact, Nemo, Standard };

struct IntegeriseOptions {
  bool stop_at_qd = false;
  quant::Widths widths;
  int accumulator_bits = 32;
  RequantisationRule requantisation = RequantisationRule::Exact;
  std::filesystem::path dump;
};

/// One requantisation node and what was proved of it.
struct CertifiedNode {
  std::string node;
  bool by_thresholds =
      false;  ///< no (m, b, d) of any width steps as it does (ties to even): a list of thresholds, exact
  std::vector<quant::Requantisation> channels;
  std::vector<Interval> accumulators;  ///< one a channel
  bool exact() const;
};

struct IntegeriseReport {
  std::vector<CertifiedNode> nodes;
  bool overflow_free = true;
  int exact_nodes() const;
};

/// FQ to QD to ID, in place. Values written by FQ's quantisers keep their names, so that representations compare by
/// name. Throws UserError naming the node that cannot become integer, the reason and what to do; in particular a
/// quantiser that is missing, and an accumulator that may overflow `accumulator_bits`.
IntegeriseReport integerise(graph::Graph& graph, const IntegeriseOptions& options);

/// The steps of integerise, in order.
Pipeline fake_to_true(const IntegeriseOptions& options, IntegeriseReport& report);

/// `integerize --json` of COMMANDS.md.
Json to_json(const IntegeriseReport& report);
/// `--certificate FILE`: every channel's (m, b, d), interval, differing, worst.
Json certificate_json(const IntegeriseReport& report);

}  // namespace nibble::passes
