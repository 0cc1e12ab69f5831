#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "data/dataset.hpp"
#include "graph/evaluate/evaluate.hpp"
#include "train/quantiser_recipe.hpp"

/// What the rest of Nibble sees of libtorch: a struct of functions that the module `nibble_train` hands out when
/// loaded. This header includes no torch; room `train` implements it; verbs load it when called.
namespace nibble::train {

struct EngineOptions {
  int threads = 2;
};

/// How a network is trained. Field by field the JSON under "train" of an experiment.
struct Recipe {
  int64_t epochs = 3;
  int64_t batch_size = 128;
  std::string optimiser = "adam";  ///< adam or sgd
  double learning_rate = 1e-3;
  double momentum = 0.9;  ///< sgd
  double weight_decay = 0;
  std::string schedule = "cosine";  ///< constant, step or cosine
  int64_t step_epochs = 30;         ///< step: every so many epochs ...
  double step_factor = 0.1;         ///< ... times this
  double warmup_epochs = 0;
  std::string loss = "cross_entropy";  ///< cross_entropy, mean_square or landmarks
  double label_smoothing = 0;
  Json augmentation = Json::array();
  bool histograms = false;  ///< of weights and activations, every epoch, into the run folder's tensorboard
  uint64_t seed = 1;
  int threads = 2;
  int ranks = 1;  ///< processes that train one network together, of `threads` each; as JSON where there are several
};
/// Throws UserError naming the key.
Recipe recipe_from_json(const Json& json, std::string_view place);
Json to_json(const Recipe& recipe);

/// What an epoch's line says.
struct EpochReport {
  int64_t epoch = 0;  ///< from 1
  int64_t epochs = 0;
  double train_loss = 0;
  double train_accuracy = 0;
  double test_loss = 0;
  double test_accuracy = 0;
  double learning_rate = 0;
  double seconds = 0;
  int64_t quantisers = 0;   ///< how many are on
  int64_t reestimated = 0;  ///< examples over which the batch-norms' statistics were computed anew before the test
};

/// How batch-norms train that stand in the network.
struct BatchNormTraining {
  std::optional<double> freeze;  ///< the epoch from which on running statistics are used and stay
  bool fold = false;             ///< in the weights of the linear op before them, as they are deployed
  int64_t reestimate = 0;        ///< examples over which statistics are computed anew after the last step; 0: none
};

/// A part of the loss that asks for the outputs of another network, in evaluation mode, on the same (augmented)
/// examples: loss = (1 - weight) * loss + weight * distance. The distance is temperature^2 * KL(softmax(teacher /
/// temperature) || softmax(output / temperature)), the mean of the examples, for cross_entropy (Hinton et al. 2015),
/// and the mean square for mean_square, without a temperature. For landmarks it is the points' loss against the
/// teacher's points and, of a face model, the mean square of its parameters, which holds what no point shows (depth).
struct Distillation {
  std::shared_ptr<const graph::Graph> teacher;  ///< null: none; else FP or FQ, inputs and outputs as the network's
  double weight = 0.5;                          ///< 0 to 1
  double temperature = 4;                       ///< above 0
};

/// Where a process stands among those that train one network together.
struct RankPlace {
  int rank = 0, count = 1;
  std::string address = "127.0.0.1";  ///< of rank 0
  int port = 0;                       ///< where rank 0 listens; 0, of rank 0 itself: a free one
};

/// Why a rank has ended whose process is this one's, empty while it lives; of others always empty.
using RankEnded = std::function<std::string(int rank)>;

/// Processes that train one network together, each on its part of every batch, as one of them sees them. Rank 0 does
/// all that an experiment does; the others help in each of its trainings, and write nothing. How: docs/design/train.md.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;
  virtual int count() const = 0;
  /// Where rank 0 listens.
  virtual int port() const = 0;
  /// Of rank 0: a training begins, of which the others get this text. Throws UserError where one of them does not come.
  virtual void begin(const std::string& training) = 0;
  /// Of the others: the next training's text; nothing once rank 0 has ended.
  virtual std::optional<std::string> next() = 0;
  /// Out of the training that is under way, which then ends everywhere; rank 0 says why.
  virtual void leave(const std::string& why) = 0;
  /// A rank is gone: there will be no further training.
  virtual bool lost() const = 0;
};

struct TrainRun {
  Recipe recipe;
  std::shared_ptr<const data::Dataset> train_set;
  std::shared_ptr<const data::Dataset> test_set;  ///< may be null
  data::Preprocess preprocess;
  QuantiserRecipes quantisers;  ///< how each quantiser of an FQ graph trains
  QuantiserSchedule schedule;   ///< and when
  GroupRules rules;             ///< and how what they learn moves
  Distillation distillation;
  BatchNormTraining batch_norm;
  Json quantisation;               ///< what the three follow from, as resolved: a resume with another is refused
  std::filesystem::path folder;    ///< checkpoints (checkpoint.pt), metrics.csv; exists
  bool resume = false;             ///< continue from folder's checkpoint; without one, from the start
  double checkpoint_seconds = 30;  ///< between checkpoints inside an epoch; one after every epoch too
  std::function<void(const EpochReport&)> on_epoch;
  std::function<void(int64_t done, int64_t of)> on_step;  ///< steps of the whole run
  /// What goes wrong without stopping the run: a sentence with the quantiser, the step, figures and a remedy; of each
  /// quantiser and kind once, also when the run is resumed.
  std::function<void(const std::string&)> warn;
  const volatile int* interrupted = nullptr;  ///< set by a signal: checkpoint, then UserError "train: interrupted ..."
  /// Who trains together, between their begin or next and the following one; null: this process alone. Of what stands
  /// above rank 0 alone uses folder, resume and the functions it calls.
  Ranks* ranks = nullptr;
};

/// What the module hands out.
struct Api {
  int version;
  /// FP in float32; FQ, QD and ID exactly (integers in float32 or double where they are exact there).
  std::unique_ptr<graph::Engine> (*engine)(const graph::Graph& graph, const EngineOptions& options);
  /// Trains the graph's constants in place (those that an op's learning touches: weights, biases, batch-norm). Killed
  /// at any moment and resumed, it gives the bit-identical result, given the same thread count. NaN loss is a UserError
  /// that names the step; the last good checkpoint stays.
  void (*train)(graph::Graph& graph, const TrainRun& run);
  std::string (*torch_version)();
  /// Throws UserError where rank 0 cannot listen, or cannot be reached.
  std::unique_ptr<Ranks> (*join)(const RankPlace& place, const RankEnded& ended);
};
inline constexpr int api_version = 6;

}  // namespace nibble::train

/// The module's one symbol.
extern "C" const nibble::train::Api* nibble_train_api();
