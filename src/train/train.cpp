#include "train/train.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "graph/text.hpp"
#include "train/engine.hpp"
#include "train/loop/checkpoint.hpp"
#include "train/loop/health.hpp"
#include "train/loop/journal.hpp"
#include "train/loop/loss.hpp"
#include "train/loop/metrics.hpp"
#include "train/loop/optimiser.hpp"
#include "train/loop/schedule.hpp"
#include "train/loop/statistics.hpp"
#include "train/network/network.hpp"
#include "train/network/tensors.hpp"

namespace nibble::train {
namespace {

using Clock = std::chrono::steady_clock;

/// Examples of a batch that nothing is learned from.
constexpr int64_t test_batch = 256;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Streams of random numbers of a run, by what they are for; each forks by epoch or step, so none has a state to keep.
enum class Stream : uint64_t { Order, Augmentation, Dropout };
Random stream(const Recipe& recipe, Stream what, int64_t index) {
  return Random(recipe.seed).fork(static_cast<uint64_t>(what)).fork(static_cast<uint64_t>(index));
}

/// The structure of a network as one number: its text with every constant zero.
std::string structure_of(graph::Graph graph) {
  for (graph::Value& value : graph.values)
    if (value.constant) value.constant = Tensor(value.constant->type(), value.constant->shape());
  return std::to_string(fnv1a(graph::to_text(graph, graph::Constants::Short)));
}

/// All constants as one number.
std::string weights_of(const graph::Graph& graph) {
  uint64_t hash = fnv1a("");
  for (const graph::Value& value : graph.values) {
    if (!value.constant) continue;
    const std::span<const std::byte> bytes = value.constant->bytes();
    hash = fnv1a({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, hash);
  }
  return std::to_string(hash);
}

/// What a checkpoint must have been made for, but for the threads.
Json description_of(const graph::Graph& graph, const TrainRun& run) {
  Json recipe = to_json(run.recipe), quantisation = run.quantisation;
  recipe.erase("threads");
  if (quantisation.contains("train") && quantisation["train"].is_object()) quantisation["train"].erase("threads");
  return {{"recipe", recipe},
          {"preprocess", data::to_json(run.preprocess)},
          {"quantisation", quantisation},
          {"examples", run.train_set->size()},
          {"network", structure_of(graph)},
          {"weights", weights_of(graph)}};
}

/// One training run: where it is, and how it goes on.
class Trainer {
 public:
  Trainer(graph::Graph& graph, const TrainRun& run)
      : graph_(graph),
        run_(run),
        recipe_(run.recipe),
        augmentation_(data::augmentation_from_json(recipe_.augmentation, "augmentation")),
        network_(graph, run.quantisers, recipe_.seed, run.batch_norm.fold),
        optimiser_(recipe_, network_.learned(), run.rules),
        health_(network_, run.warn),
        journal_(network_, run.folder, recipe_.histograms),
        description_(description_of(graph, run)) {
    if (run.distillation.teacher) teacher_.emplace(*run.distillation.teacher);
    if (const auto model = run.train_set->landmarks()) landmarks_.emplace(*model);
    if (recipe_.loss == "landmarks" && augmentation_)
      fail("train", "augmentation", "it with the loss landmarks", "none: the landmarks would stay where they were");
    const int64_t size = run.train_set->size();
    steps_per_epoch_ = (size + recipe_.batch_size - 1) / recipe_.batch_size;
    // A batch-norm has no variance over one example.
    if (steps_per_epoch_ > 1 && size % recipe_.batch_size == 1) --steps_per_epoch_;
    check_batch_norm();
  }

  void run() {
    check_end_of_schedule();
    if (run_.resume) resume();
    // A run that ended, or has only its end before it, has no step to set its quantisers.
    if (steps_done() > 0) network_.apply(run_.schedule, epochs_of(steps_done() - 1));
    journal_.go_on_after(epoch_);
    name_unfolded();
    while (epoch_ < recipe_.epochs) {
      train_epoch();
      finish_epoch();
    }
    network_.write_back(graph_);
  }

 private:
  std::filesystem::path checkpoint_file() const { return run_.folder / "checkpoint.pt"; }
  int64_t steps_done() const { return epoch_ * steps_per_epoch_ + step_; }
  std::string place() const {
    return "epoch " + std::to_string(epoch_ + 1) + ", step " + std::to_string(step_ + 1) + " of " +
           std::to_string(steps_per_epoch_);
  }

  std::map<std::string, at::Tensor> tensors() const {
    std::map<std::string, at::Tensor> all = optimiser_.state();
    for (const Learned& one : network_.learned()) all["learned " + one.name] = one.tensor;
    for (const auto& [name, tensor] : network_.state()) all["quantiser " + name] = tensor;
    for (const auto& [name, tensor] : health_.state()) all["health " + name] = tensor;
    return all;
  }

  void resume() {
    const std::optional<Checkpoint> checkpoint = read_checkpoint(checkpoint_file());
    if (!checkpoint) return;
    check_description(checkpoint->description, description_, checkpoint_file());
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : tensors()) {
      const auto found = checkpoint->tensors.find(name);
      ensure(found != checkpoint->tensors.end() && found->second.sizes() == tensor.sizes(),
             "a checkpoint of the same description holds the same tensors");
      at::Tensor(tensor).copy_(found->second);
    }
    const Json& counters = checkpoint->progress;
    epoch_ = counters.at("epoch"), step_ = counters.at("step"), before_ = counters.at("seconds");
    sums_ = {counters.at("loss"), counters.at("correct"), counters.at("examples")};
    health_.warned() = counters.at("warned");
    kept_ = progress();
    for (const Json& report : counters.at("reports")) reports_.push_back(report_from_json(report));
    if (!reports_.empty()) write_file(run_.folder / "metrics.csv", metrics_csv(reports_), "train");
  }

  void check_batch_norm() const {
    const BatchNormTraining& asked = run_.batch_norm;
    if (!asked.freeze && !asked.fold && asked.reestimate == 0) return;
    if (network_.batch_norms().empty())
      fail("train", "batch_norm", "a network without a batch-norm",
           "one that has any; in a policy \"batch_norm\": \"keep\" leaves them in the network while it trains");
    if (asked.reestimate > 0 && recipe_.epochs == 0)
      fail("train", "batch_norm", "statistics to compute anew after 0 epochs", "at least one epoch");
  }

  std::string progress() const {
    if (step_ == 0) return "epoch " + std::to_string(epoch_);
    return "epoch " + std::to_string(epoch_ + 1) + ", step " + std::to_string(step_);
  }

  /// What goes into the graph must be what was trained: no quantiser off, noisy or half set at the last step.
  void check_end_of_schedule() const {
    const double last = epochs_of(std::max<int64_t>(0, recipe_.epochs * steps_per_epoch_ - 1));
    for (const Quantiser* quantiser : network_.quantisers()) {
      const QuantiserSettings settings = run_.schedule ? run_.schedule(quantiser->name(), last) : QuantiserSettings{};
      if (const std::string found = quantiser->unfinished(settings); !found.empty())
        fail("train", "quantiser '" + quantiser->name() + "'",
             found + " at the last step, at epoch " + std::to_string(last),
             "a schedule that ends with every quantiser as it is deployed");
    }
  }

  /// Nothing that is not finite goes into a checkpoint.
  [[noreturn]] void stop_at(const std::string& found) const {
    const std::string kept =
        kept_.empty() ? "" : "; " + checkpoint_file().string() + " holds the network after " + kept_;
    fail("train", place(), found, "finite numbers; try a lower learning_rate" + kept);
  }

  void save() {
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    Checkpoint checkpoint{description_, {}, tensors()};
    Json reports = Json::array();
    for (const EpochReport& report : reports_) reports.push_back(to_json(report));
    checkpoint.progress = {{"epoch", epoch_},
                           {"step", step_},
                           {"seconds", before_ + seconds_since(start_)},
                           {"loss", sums_.loss},
                           {"correct", sums_.correct},
                           {"examples", sums_.examples},
                           {"warned", health_.warned()},
                           {"reports", reports}};
    write_checkpoint(checkpoint_file(), checkpoint);
    kept_ = progress();
    saved_ = Clock::now();
  }

  /// What trains with statistics of its own although folding is asked for.
  void name_unfolded() {
    if (!run_.batch_norm.fold) return;
    for (size_t norm : network_.batch_norms()) {
      const std::string& name = graph_.nodes[norm].name;
      if (network_.is_folded(norm) || !health_.warned().insert(name + ": not folded").second || !run_.warn) continue;
      run_.warn("batch-norm '" + name +
                "' is not folded: it does not alone read a Conv or Gemm whose quantised weights nothing else reads; it "
                "trains as it stands");
    }
  }

  bool interrupted() const { return run_.interrupted != nullptr && *run_.interrupted != 0; }

  void stop_if_interrupted() {
    if (!interrupted()) return;
    save();
    fail("train", "interrupted at epoch " + std::to_string(epoch_ + 1) + ", step " + std::to_string(step_),
         "saved in " + checkpoint_file().string(), "to go on with --resume");
  }

  void train_epoch() {
    start_ = saved_ = Clock::now();
    const int64_t size = run_.train_set->size();
    data::Loader loader(run_.train_set, run_.preprocess, stream(recipe_, Stream::Order, epoch_).permutation(size),
                        recipe_.batch_size, 2, augmentation_, stream(recipe_, Stream::Augmentation, epoch_));
    for (int64_t skipped = 0; skipped < step_; ++skipped) loader.next();
    while (step_ < steps_per_epoch_) {
      stop_if_interrupted();
      const std::optional<data::Batch> batch = loader.next();
      ensure(batch.has_value(), "a loader gives every example of its order");
      train_step(*batch);
      ++step_;
      if (run_.on_step) run_.on_step(steps_done(), recipe_.epochs * steps_per_epoch_);
      if (step_ < steps_per_epoch_ && seconds_since(saved_) >= run_.checkpoint_seconds) save();
    }
  }

  at::Tensor input_of(const data::Batch& batch) const {
    const graph::Value& input = graph_[graph_.inputs[0]];
    const Shape& shape = batch.x.shape();
    bool fits = shape.size() == input.shape.size();
    for (size_t i = 1; fits && i < shape.size(); ++i) fits = shape[i] == input.shape[i];
    if (!fits) fail("train", "input '" + input.name + "'", "examples of " + to_string(shape), to_string(input.shape));
    return to_torch(batch.x).to(at::kFloat);
  }

  double epochs_of(int64_t step) const { return static_cast<double>(step) / static_cast<double>(steps_per_epoch_); }

  Mode mode_of_step() const {
    return {true, at::make_generator<at::CPUGeneratorImpl>(stream(recipe_, Stream::Dropout, steps_done()).bits()),
            steps_done(), run_.batch_norm.freeze && epochs_of(steps_done()) >= *run_.batch_norm.freeze};
  }

  const Landmarks* landmarks() const { return landmarks_ ? &*landmarks_ : nullptr; }

  /// What the last node reads where the loss is over it.
  bool logits() const { return recipe_.loss == "cross_entropy"; }

  /// The loss, or what distillation makes of it.
  at::Tensor with_teacher(const at::Tensor& loss, const at::Tensor& output, const at::Tensor& x) const {
    if (!teacher_) return loss;
    const auto& [graph, weight, temperature] = run_.distillation;
    const at::Tensor target = teacher_->run(x, {}, logits());
    if (target.sizes() != output.sizes())
      fail("train", "distillation", "a teacher of " + to_string(target.sizes().vec()) + " outputs",
           to_string(output.sizes().vec()));
    return (1 - weight) * loss + weight * distance_of(recipe_, output, target, temperature, landmarks());
  }

  void train_step(const data::Batch& batch) {
    network_.apply(run_.schedule, epochs_of(steps_done()));
    optimiser_.clear_gradients();
    const at::Tensor x = input_of(batch);
    const at::Tensor output = network_.run(
        x, mode_of_step(), logits(), [&](graph::ValueId id, const at::Tensor& value) { health_.observe(id, value); });
    const at::Tensor loss = with_teacher(loss_of(recipe_, output, batch, landmarks()), output, x);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      const std::string found = value_not_finite(network_, x, mode_of_step());
      stop_at(found.empty() ? "the loss is " + std::to_string(value) : found);
    }
    loss.backward();
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    optimiser_.step(learning_rate(recipe_, steps_done(), steps_per_epoch_));
    network_.settle();
    health_.after_step(place());
    add_batch(sums_, value, output, batch);
  }

  Sums test() const {
    Sums sums;
    if (run_.test_set == nullptr || run_.test_set->size() == 0) return sums;
    data::Loader loader(run_.test_set, run_.preprocess, data::in_order(run_.test_set->size()), test_batch, 2);
    while (const std::optional<data::Batch> batch = loader.next()) {
      const at::Tensor output = network_.run(input_of(*batch), {}, logits());
      add_batch(sums, loss_of(recipe_, output, *batch, landmarks()).item<double>(), output, *batch);
    }
    return sums;
  }

  /// Few, and always the same: of the test set where there is one.
  at::Tensor some_examples() const {
    const bool tests = run_.test_set != nullptr && run_.test_set->size() > 0;
    const std::shared_ptr<const data::Dataset>& set = tests ? run_.test_set : run_.train_set;
    const int64_t count = std::min<int64_t>(16, set->size());
    return input_of(*data::Loader(set, run_.preprocess, data::in_order(count), count, 1).next());
  }

  /// The statistics of all batch-norms, over the first examples of the set as they are. Killed, it starts again from
  /// the checkpoint that it writes first. Returns over how many.
  int64_t reestimate() {
    const int64_t count = std::min(run_.batch_norm.reestimate, run_.train_set->size());
    if (count == 0 || epoch_ + 1 < recipe_.epochs) return 0;
    save();
    reestimate_statistics(network_, [&](const auto& use) {
      data::Loader loader(run_.train_set, run_.preprocess, data::in_order(count), test_batch, 2);
      while (const std::optional<data::Batch> batch = loader.next()) {
        if (interrupted())
          fail("train", "interrupted while statistics are computed anew", "saved in " + checkpoint_file().string(),
               "to go on with --resume");
        use(input_of(*batch));
      }
    });
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    return count;
  }

  void finish_epoch() {
    const int64_t reestimated = reestimate();
    health_.after_epoch("epoch " + std::to_string(epoch_ + 1));
    const Sums tested = test();
    EpochReport report{epoch_ + 1,
                       recipe_.epochs,
                       sums_.mean_loss(),
                       sums_.accuracy(),
                       tested.mean_loss(),
                       tested.accuracy(),
                       learning_rate(recipe_, steps_done() - 1, steps_per_epoch_),
                       before_ + seconds_since(start_),
                       network_.quantisers_on(),
                       reestimated};
    journal_.write(report, some_examples());
    reports_.push_back(report);
    ++epoch_, step_ = 0, sums_ = {}, before_ = 0;
    start_ = Clock::now();
    save();
    write_file(run_.folder / "metrics.csv", metrics_csv(reports_), "train");
    if (run_.on_epoch) run_.on_epoch(report);
  }

  graph::Graph& graph_;
  const TrainRun& run_;
  const Recipe& recipe_;
  data::Augmentation augmentation_;
  Network network_;
  std::optional<Network> teacher_;
  std::optional<Landmarks> landmarks_;  ///< as the training set reads them
  Optimiser optimiser_;
  Health health_;
  Journal journal_;
  Json description_;
  int64_t steps_per_epoch_ = 0;
  int64_t epoch_ = 0, step_ = 0;  ///< done: epochs, and steps of the one under way
  Sums sums_;                     ///< of the epoch under way
  double before_ = 0;             ///< seconds of this epoch before a resume
  std::vector<EpochReport> reports_;
  std::string kept_;  ///< how far the checkpoint is; empty: this run has none
  Clock::time_point start_ = Clock::now(), saved_ = start_;
};

}  // namespace

void train(graph::Graph& graph, const TrainRun& run) {
  if (run.train_set == nullptr || run.train_set->size() == 0) fail("train", "data set", "no examples", "at least one");
  use_direct_convolutions();
  at::set_num_threads(run.recipe.threads);
  Trainer(graph, run).run();
}

}  // namespace nibble::train
