#include "train/ranks.hpp"

#include <cmath>
#include <cstring>
#include <exception>
#include <thread>

#include "base/error.hpp"
#include "unit/train/norms.hpp"

/// Ranks as threads of this process, each with connections of its own.
namespace nibble {
namespace {

using test::bits;
using test::Folder;
using test::small_run;

/// All that it learned: constants, and the scales of quantisers.
std::string numbers(const graph::Graph& graph) {
  std::string all = bits(graph);
  for (const graph::Node& node : graph.nodes)
    if (const auto* op = get_if<graph::Quantise>(&node.op))
      for (double scale : op->grid.scale) {
        const auto rounded = static_cast<float>(scale);
        all.append(reinterpret_cast<const char*>(&rounded), sizeof rounded);
      }
  return all;
}

using NetworkOf = std::function<graph::Graph()>;

/// What each rank trained, or the message with which it ended.
struct Outcome {
  std::vector<std::string> numbers;
  std::vector<std::string> errors;
};

train::TrainRun run_of(int ranks, const std::filesystem::path& folder) {
  train::TrainRun run = small_run(folder);
  run.recipe.ranks = ranks, run.recipe.threads = 1;
  return run;
}

/// `change` of each rank's run, which has a folder on rank 0 alone.
Outcome train_together(int count, const NetworkOf& network, const std::function<void(train::TrainRun&, int)>& change) {
  const auto first = train::join_ranks({0, count}, {});
  Outcome outcome{std::vector<std::string>(static_cast<size_t>(count)),
                  std::vector<std::string>(static_cast<size_t>(count))};
  const auto take_part = [&](train::Ranks& ranks) {
    const auto at = static_cast<size_t>(ranks.rank());
    try {
      train::TrainRun run = run_of(count, {});
      run.ranks = &ranks;
      change(run, ranks.rank());
      graph::Graph graph = network();
      train::train(graph, run);
      outcome.numbers[at] = numbers(graph);
    } catch (const std::exception& error) {
      outcome.errors[at] = error.what();
    }
  };
  std::vector<std::thread> others;
  for (int rank = 1; rank < count; ++rank)
    others.emplace_back([&, rank] {
      const auto ranks = train::join_ranks({rank, count, "127.0.0.1", first->port()}, {});
      if (ranks->next() == "the training") take_part(*ranks);
    });
  first->begin("the training");
  take_part(*first);
  for (std::thread& other : others) other.join();
  return outcome;
}

Outcome train_together(int count, const NetworkOf& network, const std::filesystem::path& folder,
                       const std::function<void(train::TrainRun&)>& change = {}) {
  return train_together(count, network, [&](train::TrainRun& run, int rank) {
    if (rank == 0) run.folder = folder;
    if (change) change(run);
  });
}

graph::Graph with_dropout() {
  return test::small_network(4, true);
}

std::string alone(const NetworkOf& network, const train::TrainRun& run) {
  graph::Graph graph = network();
  train::train(graph, run);
  return numbers(graph);
}

/// The largest difference of two networks' numbers.
double apart(const std::string& a, const std::string& b) {
  if (a.size() != b.size() || a.empty()) return 1e9;
  double most = 0;
  for (size_t i = 0; i < a.size() / sizeof(float); ++i) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + i * sizeof(float), sizeof x), std::memcpy(&y, b.data() + i * sizeof(float), sizeof y);
    most = std::max(most, static_cast<double>(std::abs(x - y)));
  }
  return most;
}

/// One step on one batch, by SGD: gradients as they are.
void one_step(train::TrainRun& run, int64_t examples) {
  run.recipe.epochs = 1, run.recipe.batch_size = examples, run.recipe.optimiser = "sgd", run.recipe.momentum = 0;
  run.train_set = std::make_shared<test::Quarters>(examples);
  run.recipe.learning_rate = 0.1;
}

TEST(Ranks, GiveTheSameBitsTwiceAndOnEachRank) {
  const Folder one, two;
  const Outcome first = train_together(2, with_dropout, one.path), again = train_together(2, with_dropout, two.path);
  ASSERT_EQ(first.errors, std::vector<std::string>(2));
  EXPECT_TRUE(first.numbers[0] == first.numbers[1]);
  EXPECT_TRUE(first.numbers == again.numbers);
}

TEST(Ranks, OfAnyNumberTakeAStepAsOneProcessDoesOnTheSameBatch) {
  for (int count : {2, 3}) {
    for (int64_t examples : {16, 7, 3}) {  // as many for each; a remainder; fewer still
      const Folder together, by_itself;
      const auto step = [&](train::TrainRun& run) { one_step(run, examples); };
      const Outcome outcome = train_together(count, with_dropout, together.path, step);
      ASSERT_EQ(outcome.errors[0], "");
      train::TrainRun run = run_of(1, by_itself.path);
      step(run);
      const std::string expected = alone(with_dropout, run);
      EXPECT_LT(apart(outcome.numbers[0], expected), 2e-6) << count << " ranks, " << examples << " examples";
      EXPECT_GT(apart(numbers(with_dropout()), expected), 1e-3);
    }
  }
}

TEST(Ranks, StayWithOneProcessOverBatchesOfWhichTheLastHasFewerExamplesThanRanks) {
  const Folder together, by_itself;
  const auto few = [](train::TrainRun& run) {
    run.recipe.epochs = 2, run.recipe.batch_size = 16, run.recipe.optimiser = "sgd";
    run.train_set = std::make_shared<test::Quarters>(16 + 2);
  };
  const Outcome outcome = train_together(3, with_dropout, together.path, few);
  ASSERT_EQ(outcome.errors, std::vector<std::string>(3));
  train::TrainRun run = run_of(1, by_itself.path);
  few(run);
  EXPECT_LT(apart(outcome.numbers[0], alone(with_dropout, run)), 2e-5);
}

struct Way {
  const char* name;
  quant::Learning weights, activations;
};

train::TrainRun with(const Way& way, train::TrainRun run) {
  run.recipe.epochs = 1, run.recipe.batch_size = 20, run.recipe.optimiser = "sgd", run.recipe.momentum = 0;
  run.train_set = std::make_shared<test::Quarters>(40);
  run.quantisers = [way](const train::QuantiserPlace& place) {
    return train::QuantiserRecipe{place.weights       ? way.weights
                                  : place.reads_input ? quant::Learning(quant::Ste{})
                                                      : way.activations};
  };
  // Noise on the first step, none on the second, its last.
  run.schedule = [](const std::string&, double epochs) {
    train::QuantiserSettings settings;
    settings.annealing = epochs < 0.4 ? 1 : 0, settings.fraction = epochs < 0.4 ? 0.5 : 1;
    return settings;
  };
  return run;
}

TEST(Ranks, LearnScalesDrawNoiseAndSetWeightsAsOneProcessDoes) {
  quant::Tqt normalised;
  normalised.normalised = true;
  quant::Ana noise;
  noise.deviation = 0.5;
  quant::Ana drawn = noise;
  drawn.draw = quant::Draw::Random;
  quant::Inq random;
  random.partition = quant::Partition::Random;
  const Way ways[] = {{"lsq", quant::Lsq{}, quant::Lsq{}},
                      {"pact", quant::Ste{}, quant::Pact{}},
                      {"tqt over its deviation", normalised, normalised},
                      {"noise", noise, noise},
                      {"drawn noise", quant::Ste{}, drawn},
                      {"partitions", random, quant::Ste{}}};
  const NetworkOf network = [] { return test::quantised_network(); };
  for (const Way& way : ways) {
    const Folder together, by_itself;
    const Outcome outcome =
        train_together(2, network, together.path, [&](train::TrainRun& run) { run = with(way, std::move(run)); });
    ASSERT_EQ(outcome.errors, std::vector<std::string>(2)) << way.name;
    EXPECT_TRUE(outcome.numbers[0] == outcome.numbers[1]) << way.name;
    const std::string expected = alone(network, with(way, run_of(1, by_itself.path)));
    EXPECT_LT(apart(outcome.numbers[0], expected), 1e-5) << way.name;
  }
}

TEST(Ranks, FoldBatchNormsAndComputeTheirStatisticsAnewAsOneProcessDoes) {
  const NetworkOf network = [] { return test::network_of_norms(); };
  const Folder together, by_itself;
  const auto fold = [](train::TrainRun& run) {
    run.recipe.epochs = 1, run.recipe.batch_size = 40, run.recipe.optimiser = "sgd", run.recipe.momentum = 0;
    run.train_set = std::make_shared<test::Quarters>(40);
    run.batch_norm.fold = true, run.batch_norm.reestimate = 40;
  };
  const Outcome outcome = train_together(2, network, together.path, fold);
  ASSERT_EQ(outcome.errors, std::vector<std::string>(2));
  train::TrainRun run = run_of(1, by_itself.path);
  fold(run);
  EXPECT_LT(apart(outcome.numbers[0], alone(network, run)), 1e-4);
}

/// Stops after so many steps, wherever `ranks` then are.
void interrupt(int ranks, const std::filesystem::path& folder, int64_t steps) {
  volatile int stop = 0;
  const auto stopping = [&](train::TrainRun& run) {
    run.interrupted = &stop;
    run.on_step = [&](int64_t done, int64_t) { stop = done == steps; };
  };
  if (ranks > 1) {
    const Outcome outcome = train_together(ranks, with_dropout, [&](train::TrainRun& run, int rank) {
      if (rank > 0) return;
      run.folder = folder;
      stopping(run);
    });
    ASSERT_NE(outcome.errors[0].find("interrupted at epoch"), std::string::npos) << outcome.errors[0];
    ASSERT_NE(outcome.errors[1], "");
    return;
  }
  train::TrainRun run = run_of(1, folder);
  stopping(run);
  EXPECT_THROW(alone(with_dropout, run), UserError);
}

std::string resumed(int ranks, const std::filesystem::path& folder) {
  if (ranks > 1)
    return train_together(ranks, with_dropout, folder, [](train::TrainRun& run) { run.resume = true; }).numbers[0];
  train::TrainRun run = run_of(1, folder);
  run.resume = true;
  return alone(with_dropout, run);
}

TEST(Ranks, GoOnFromTheCheckpointOfAnyNumberOfThem) {
  const Folder whole;
  const std::string expected = train_together(2, with_dropout, whole.path).numbers[0];
  for (const auto& [before, after] : {std::pair{2, 2}, std::pair{2, 1}, std::pair{1, 2}}) {
    const Folder folder;
    interrupt(before, folder.path, 17);
    const std::string found = resumed(after, folder.path);
    if (before == after)
      EXPECT_TRUE(found == expected);
    else
      EXPECT_LT(apart(found, expected), 5e-3) << before << " ranks, then " << after;
  }
}

TEST(Ranks, EndWithTheErrorOfTheOneThatHasIt) {
  const Folder folder;
  const Outcome outcome = train_together(2, with_dropout, [&](train::TrainRun& run, int rank) {
    if (rank == 0) run.folder = folder.path;
    if (rank == 1) run.train_set = std::make_shared<test::Quarters>(200, 9);
  });
  EXPECT_NE(outcome.errors[0].find("train: rank 1: train: data set: label "), std::string::npos) << outcome.errors[0];
}

TEST(Ranks, NameAValueThatIsNotFiniteWhoeverHasIt) {
  const Folder folder;
  const Outcome outcome = train_together(2, with_dropout, [&](train::TrainRun& run, int rank) {
    if (rank == 0) run.folder = folder.path;
    if (rank == 1) run.train_set = std::make_shared<test::Quarters>(200, 4, std::nan(""));
  });
  EXPECT_NE(outcome.errors[0].find("epoch 1, step 1 of 13: 'input' holds nan"), std::string::npos) << outcome.errors[0];
  EXPECT_EQ(outcome.errors[0], outcome.errors[1]);
}

TEST(Ranks, AreNoMoreThanABatchHasExamples) {
  const Folder folder;
  const Outcome outcome =
      train_together(3, with_dropout, folder.path, [](train::TrainRun& run) { run.recipe.batch_size = 2; });
  EXPECT_EQ(outcome.errors[0], "train: ranks: 3 for batches of 2 (expected at most one an example of a batch)");
}

}  // namespace
}  // namespace nibble
