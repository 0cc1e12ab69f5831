#include "train/train.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/file.hpp"
#include "train/engine.hpp"
#include "train/loop/checkpoint.hpp"
#include "train/loop/description.hpp"
#include "train/loop/health.hpp"
#include "train/loop/journal.hpp"
#include "train/loop/loss.hpp"
#include "train/loop/metrics.hpp"
#include "train/loop/optimiser.hpp"
#include "train/loop/schedule.hpp"
#include "train/loop/statistics.hpp"
#include "train/loop/together.hpp"
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

/// One training run: where it is, and how it goes on.
class Trainer {
 public:
  Trainer(graph::Graph& graph, const TrainRun& run)
      : graph_(graph),
        run_(run),
        recipe_(run.recipe),
        ranks_(static_cast<Collective*>(run.ranks)),
        augmentation_(data::augmentation_from_json(recipe_.augmentation, "augmentation")),
        network_(graph, run.quantisers, recipe_.seed, run.batch_norm.fold),
        optimiser_(recipe_, network_.learned(), run.rules),
        health_(network_, run.warn),
        journal_(network_, run.folder, recipe_.histograms),  // of rank 0
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
    if (run_.resume && writes()) resume();
    if (ranks_) start_together();
    // A run that ended, or has only its end before it, has no step to set its quantisers.
    if (steps_done() > 0) network_.apply(run_.schedule, epochs_of(steps_done() - 1));
    if (writes()) journal_.go_on_after(epoch_);
    name_unfolded();
    while (epoch_ < recipe_.epochs) {
      train_epoch();
      finish_epoch();
    }
    network_.write_back(graph_);
  }

 private:
  /// Of ranks the first: the others hold what it holds, and keep nothing.
  bool writes() const { return ranks_ == nullptr || ranks_->rank() == 0; }
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
    go_on_from(checkpoint->progress);
    kept_ = progress();
    if (!reports_.empty()) write_file(run_.folder / "metrics.csv", metrics_csv(reports_), "train");
  }

  void go_on_from(const Json& counters) {
    epoch_ = counters.at("epoch"), step_ = counters.at("step"), before_ = counters.at("seconds");
    sums_ = {counters.at("loss"), counters.at("correct"), counters.at("examples")};
    health_.warned() = counters.at("warned");
    reports_.clear();
    for (const Json& report : counters.at("reports")) reports_.push_back(report_from_json(report));
  }

  Json counters() const {
    Json reports = Json::array();
    for (const EpochReport& report : reports_) reports.push_back(to_json(report));
    return {{"epoch", epoch_},
            {"step", step_},
            {"seconds", before_},
            {"loss", sums_.loss},
            {"correct", sums_.correct},
            {"examples", sums_.examples},
            {"warned", health_.warned()},
            {"reports", reports}};
  }

  /// Every rank where rank 0 is.
  void start_together() {
    std::string text = counters().dump();
    spread(*ranks_, text);
    go_on_from(Json::parse(text));
    spread(*ranks_, tensors());
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
    const bool of_data = found.starts_with("'" + network_.graph()[network_.graph().inputs[0]].name + "' holds");
    fail("train", place(), found,
         (of_data ? "finite numbers in the data" : "finite numbers; try a lower learning_rate") + kept);
  }

  /// Of ranks all at once: what each alone has seen goes into it.
  void save() {
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    if (ranks_) health_.put_together(*ranks_);
    if (ranks_) check_alike(*ranks_, tensors(), place());
    Checkpoint checkpoint{description_, counters(), tensors()};
    checkpoint.progress["seconds"] = before_ + seconds_since(start_);
    if (writes()) write_checkpoint(checkpoint_file(), checkpoint);
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
    if (ranks_ ? !stops_ : !interrupted()) return;
    save();
    fail("train", "interrupted at epoch " + std::to_string(epoch_ + 1) + ", step " + std::to_string(step_),
         "saved in " + checkpoint_file().string(), "to go on with --resume");
  }

  void train_epoch() {
    start_ = saved_ = Clock::now();
    std::vector<int64_t> order = stream(recipe_, Stream::Order, epoch_).permutation(run_.train_set->size());
    if (ranks_) order = own_order(*ranks_, order, recipe_.batch_size);
    data::Loader loader(run_.train_set, run_.preprocess, std::move(order),
                        ranks_ ? share_of(*ranks_, recipe_.batch_size).count : recipe_.batch_size, 2, augmentation_,
                        stream(recipe_, Stream::Augmentation, epoch_));
    for (int64_t skipped = 0; skipped < step_; ++skipped) loader.next();
    while (step_ < steps_per_epoch_) {
      stop_if_interrupted();
      const std::optional<data::Batch> batch = loader.next();
      ensure(batch.has_value(), "a loader gives every example of its order");
      train_step(*batch);
      ++step_;
      if (run_.on_step) run_.on_step(steps_done(), recipe_.epochs * steps_per_epoch_);
      if (step_ < steps_per_epoch_ && (ranks_ ? saves_ : due())) save();
    }
  }

  bool due() const { return seconds_since(saved_) >= run_.checkpoint_seconds; }

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
    Mode mode{true,
              at::make_generator<at::CPUGeneratorImpl>(stream(recipe_, Stream::Dropout, steps_done()).bits()),
              steps_done(),
              run_.batch_norm.freeze && epochs_of(steps_done()) >= *run_.batch_norm.freeze,
              {}};
    if (ranks_)
      mode.share = share_of(*ranks_, std::min(recipe_.batch_size, run_.train_set->size() - step_ * recipe_.batch_size));
    return mode;
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
    const at::Tensor output =
        network_.run(x, mode_of_step(), logits(),
                     {[&](graph::ValueId id, const at::Tensor& value) { health_.observe(id, value); },
                      [&](graph::ValueId id) { return health_.wants(id); }});
    const at::Tensor loss = with_teacher(loss_of(recipe_, output, batch, landmarks()), output, x);
    Sums sums;
    add_batch(sums, loss.item<double>(), output, batch);
    if (ranks_) {
      sums = backward_together(loss, sums);
      stop_unless_finite(sums.mean_loss(), x);
    } else {
      stop_unless_finite(loss.item<double>(), x);
      loss.backward();
    }
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    optimiser_.step(learning_rate(recipe_, steps_done(), steps_per_epoch_));
    network_.settle();
    health_.after_step(place());
    sums_ += sums;
  }

  /// What this rank's part of a batch adds to the gradients and sums of all.
  Sums backward_together(const at::Tensor& loss, const Sums& own) {
    const Share share = mode_of_step().share;
    (loss * share.weight()).backward();
    const Said said =
        put_together(*ranks_, network_.learned(), {share.counts ? own : Sums{}, interrupted(), writes() && due()});
    stops_ = said.interrupted, saves_ = said.save;
    return said.sums;
  }

  void stop_unless_finite(double loss, const at::Tensor& x) {
    if (std::isfinite(loss)) return;
    const std::string found = value_not_finite(network_, x, mode_of_step());
    stop_at(found.empty() ? "the loss is " + std::to_string(loss) : found);
  }

  /// Ranks take batches in turn. The sums are those of the batches in their order, whoever has them.
  Sums test() const {
    Sums sums;
    if (run_.test_set == nullptr || run_.test_set->size() == 0) return sums;
    const int64_t size = run_.test_set->size(), batches = (size + test_batch - 1) / test_batch;
    const int64_t first = ranks_ ? ranks_->rank() : 0, every = ranks_ ? ranks_->count() : 1;
    std::vector<int64_t> order;
    for (int64_t i = 0; i < size; ++i)
      if (i / test_batch % every == first) order.push_back(i);
    data::Loader loader(run_.test_set, run_.preprocess, std::move(order), test_batch, 2);
    const at::Tensor of_batches = at::zeros({batches, 3}, at::kDouble);
    auto rows = of_batches.accessor<double, 2>();
    for (int64_t i = first; const std::optional<data::Batch> batch = loader.next(); i += every) {
      const at::Tensor output = network_.run(input_of(*batch), {}, logits());
      Sums own;
      add_batch(own, loss_of(recipe_, output, *batch, landmarks()).item<double>(), output, *batch);
      rows[i][0] = own.loss;
      rows[i][1] = static_cast<double>(own.correct), rows[i][2] = static_cast<double>(own.examples);
    }
    if (ranks_) ranks_->add(of_batches);
    for (int64_t i = 0; i < batches; ++i)
      sums += {rows[i][0], static_cast<int64_t>(rows[i][1]), static_cast<int64_t>(rows[i][2])};
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
    const auto stop_if_interrupted = [&] {
      if (interrupted())
        fail("train", "interrupted while statistics are computed anew", "saved in " + checkpoint_file().string(),
             "to go on with --resume");
    };
    const auto batch = [&](size_t index) {
      const int64_t first = static_cast<int64_t>(index) * test_batch;
      std::vector<int64_t> examples(static_cast<size_t>(std::min<int64_t>(test_batch, count - first)));
      std::iota(examples.begin(), examples.end(), first);
      return input_of(*data::Loader(run_.train_set, run_.preprocess, examples, test_batch, 2).next());
    };
    reestimate_statistics(network_,
                          {static_cast<size_t>((count + test_batch - 1) / test_batch), batch, stop_if_interrupted});
    if (const std::string found = learned_not_finite(network_); !found.empty()) stop_at(found);
    return count;
  }

  void name_divergence() {
    const auto classes = static_cast<double>(std::max<int64_t>(2, run_.train_set->classes()));
    const std::string found = divergence(reports_, logits() ? std::log(classes) : HUGE_VAL);
    if (!found.empty() && run_.warn && health_.warned().insert("the loss diverges").second) run_.warn(found);
  }

  void finish_epoch() {
    const int64_t reestimated = reestimate();
    if (ranks_) health_.put_together(*ranks_);
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
    if (writes()) journal_.write(report, some_examples());
    reports_.push_back(report);
    name_divergence();
    ++epoch_, step_ = 0, sums_ = {}, before_ = 0;
    start_ = Clock::now();
    save();
    if (writes()) write_file(run_.folder / "metrics.csv", metrics_csv(reports_), "train");
    if (run_.on_epoch) run_.on_epoch(report);
  }

  graph::Graph& graph_;
  const TrainRun& run_;
  const Recipe& recipe_;
  Collective* ranks_;  ///< null: alone
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
  bool stops_ = false, saves_ = false;  ///< of ranks: what they agreed on with the last step
  std::string kept_;                    ///< how far the checkpoint is; empty: this run has none
  Clock::time_point start_ = Clock::now(), saved_ = start_;
};

void check_ranks(const TrainRun& run) {
  const int count = run.ranks ? run.ranks->count() : 1;
  if (count != run.recipe.ranks)
    fail("train", "ranks", std::to_string(run.recipe.ranks) + " in a training of " + std::to_string(count),
         "as many everywhere");
  if (count > run.recipe.batch_size)
    fail("train", "ranks", std::to_string(count) + " for batches of " + std::to_string(run.recipe.batch_size),
         "at most one an example of a batch");
}

}  // namespace

void train(graph::Graph& graph, const TrainRun& run) {
  if (run.train_set == nullptr || run.train_set->size() == 0) fail("train", "data set", "no examples", "at least one");
  use_direct_convolutions();
  at::set_num_threads(run.recipe.threads);
  try {
    check_ranks(run);
    Trainer(graph, run).run();
  } catch (const std::exception& error) {
    // The others wait for what this rank will not do.
    if (run.ranks) run.ranks->leave(error.what());
    throw;
  }
}

}  // namespace nibble::train
