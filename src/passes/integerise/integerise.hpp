#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "passes/integerise/approximation.hpp"
#include "passes/pipeline.hpp"
#include "passes/policy.hpp"
#include "quant/requantisation.hpp"
#include "quant/sum_requantisation.hpp"

namespace nibble::passes {

/// Standard: as Exact, of the network with standardise_rescalings.
enum class RequantisationRule : uint8_t { Exact, Nemo, Standard };

/// Where a list of thresholds takes the place of multiply, add and shift: Auto where it is cheaper (two thresholds at
/// most) or where nothing else is exact.
enum class Thresholds : uint8_t { Auto, Always, Never };

/// Signed bits of accumulators, 8 to 32: for all, or for the nodes of a name or pattern.
struct AccumulatorBits {
  int bits = 32;
  std::vector<std::pair<std::string, int>> layers;  ///< later ones win

  int of(std::string_view node) const;
};
/// "32", "16,conv1=32" or "16,block*=24,head=32". Throws UserError naming the place.
AccumulatorBits accumulator_bits_from(std::string_view text, std::string_view place);

struct IntegeriseOptions {
  bool stop_at_qd = false;
  quant::Widths widths;
  AccumulatorBits accumulator_bits;
  int table_bits = 16;  ///< a function of more levels than 2^table_bits is interpolated between so many entries
  RequantisationRule requantisation = RequantisationRule::Exact;
  Thresholds thresholds = Thresholds::Auto;
  /// Of every linear op's requantisation, in the place of what the network's own batch-norms ask for.
  std::optional<BatchNorm> batch_norm;
  int batch_norm_bits = 0;  ///< of the gains of an integer batch-norm, 2 to 16; 0: the most of 8 to 16 that fit
  std::filesystem::path dump;
};

/// One requantisation node and what was proved of it.
struct CertifiedNode {
  std::string node{};
  bool by_thresholds = false;  ///< a list of thresholds, exact
  std::vector<quant::Requantisation> channels{};
  std::vector<Interval> accumulators{};          ///< one a channel
  std::vector<quant::SumRequantisation> sums{};  ///< instead of channels where branches on several grids are added
  std::vector<Interval> operands{};              ///< of sums: one a branch
  bool exact() const;
};

struct IntegeriseReport {
  std::vector<CertifiedNode> nodes;
  std::vector<Approximation> approximations;
  bool overflow_free = true;
  int exact_nodes() const;
};

/// FQ to QD to ID, in place. Values written by FQ's quantisers keep their names, so that representations compare by
/// name. Throws UserError naming the node that cannot become integer, the reason and what to do; in particular a
/// quantiser that is missing, and an accumulator that may overflow its bits.
IntegeriseReport integerise(graph::Graph& graph, const IntegeriseOptions& options);

/// FQ as integers want it: functions and normalisations that a file says in pieces are one op each, products turned.
/// The first steps of integerise, and of what FQ means.
Pipeline prepare_fake();

/// The steps of integerise, in order.
Pipeline fake_to_true(const IntegeriseOptions& options, IntegeriseReport& report);

/// `integerize --json` of COMMANDS.md.
Json to_json(const IntegeriseReport& report);
/// `--certificate FILE`: every channel's (m, b, d), interval, differing, worst, and whether nothing within the widths
/// differs on fewer.
Json certificate_json(const IntegeriseReport& report);

}  // namespace nibble::passes
