#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "quant/range.hpp"

namespace nibble::passes {

/// What becomes of a batch-norm. Source: NEMO report (18) to (22), docs/design/fake_to_true.md.
enum class BatchNorm : uint8_t {
  Fold,       ///< into the weights before them; where there are none to fold into, exactly into the requantisation
  Integer,    ///< a multiplier of a few bits and an addend for each channel, then one requantisation for all
  Threshold,  ///< into the thresholds of the quantiser behind it
  Keep,       ///< stays in the fake network, for training; then exactly into the requantisation
};
/// "fold", "integer", "threshold" or "keep"; throws UserError naming the place otherwise.
BatchNorm batch_norm_named(std::string_view name, std::string_view place);
std::string_view to_string(BatchNorm way);

/// The grids that the branches of an Add, Sub or Concat have.
enum class Branches : uint8_t {
  Measured,  ///< Common, or Own where that is worth it: passes::calibrate says
  Common,    ///< one for all
  Own,       ///< one for each, requantised behind the node
};

/// How weights become levels.
enum class WeightRounding : uint8_t {
  Nearest,   ///< each its nearest
  Measured,  ///< what does the least to the sums, where the outputs are better for it: passes::round_weights
};

/// What one layer's quantisers shall be.
struct LayerPolicy {
  int64_t weight_levels = 256;
  int64_t activation_levels = 256;
  bool per_channel = true;  ///< weights
  quant::RangeRule weight_range{quant::RangeMethod::MinMax, 0};
  WeightRounding weight_rounding = WeightRounding::Measured;
  quant::RangeRule activation_range{quant::RangeMethod::Measured, 0};
  bool symmetric_activations = false;
  Rounding rounding = Rounding::HalfUp;
  bool enabled = true;
  BatchNorm batch_norm = BatchNorm::Fold;  ///< of the batch-norm of this name
  Branches branches = Branches::Measured;  ///< of an Add, Sub, Concat of this name

  /// What a key of a policy changes.
  using Setting = std::function<void(LayerPolicy&)>;
};

/// Defaults, then overrides in order, by node name or glob pattern (* and ?). As JSON, with the keys of policy.cpp's
/// table: {"weights": 8, "activations": 8, ..., "layers": {"conv1": {"weights": 4}, "block*": {...}}}
struct Policy {
  struct Override {
    std::string pattern;
    std::vector<LayerPolicy::Setting> settings;
  };
  LayerPolicy defaults;
  std::vector<Override> overrides;
  Json resolved;  ///< the JSON that it was read from, with its defaults written out

  /// The layer's own policy.
  LayerPolicy of(std::string_view node) const;
  /// Other defaults, from a policy's keys but the layers; what is not named stays. Throws UserError naming place and
  /// key.
  void override_defaults(const Json& keys, std::string_view place = "policy");
  /// One more override, from a layer's keys. Throws UserError naming place, layer and key.
  void override_layers(const std::string& pattern, const Json& keys, std::string_view place = "policy");
};

/// Whether a glob pattern (* any run of characters, ? any one) names the layer.
bool matches(std::string_view pattern, std::string_view name);
/// Throws UserError "<room>: <place>: no layer '<pattern>' ..." where it names none of `names`.
void check_pattern(const std::string& pattern, const std::vector<std::string>& names, std::string_view room,
                   std::string_view place);

/// Throws UserError naming place and key.
Policy policy_from_json(const Json& json, std::string_view place);
/// The keys, their values and defaults, a line each: for help.
std::string describe_policy();

}  // namespace nibble::passes
