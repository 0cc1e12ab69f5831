#include "train/loop/journal.hpp"

#include "unit/train/event_reader.hpp"
#include "unit/train/quantised.hpp"

namespace nibble {
namespace {

using test::event_files;
using test::Events;
using test::events_of;
using test::Folder;

train::TrainRun lsq_run(const std::filesystem::path& folder) {
  train::TrainRun run = test::small_run(folder);
  run.quantisers = [](const train::QuantiserPlace&) { return train::QuantiserRecipe{quant::Lsq{}, false}; };
  return run;
}

void train_quantised(const train::TrainRun& run) {
  graph::Graph graph = test::quantised_network();
  train::train(graph, run);
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  const std::string text = read_file(file, "test");
  std::vector<std::string> lines;
  for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

TEST(EventFile, TheReadersChecksumIsCastagnolis) {
  EXPECT_EQ(test::crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(test::crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST(EventFile, HoldsScalarsAndHistogramsThatAnotherReaderReads) {
  const Folder folder;
  train::EventFile file(folder.path / "tensorboard");
  train::Summary summary;
  summary.scalar("loss", 0.375);
  const std::vector<float> values{-1, 0, 0, 3, std::nanf("")};
  summary.histogram("weights", values);
  summary.histogram("all of one value", std::vector<float>(5, 2.0f));
  summary.histogram("nothing", std::vector<float>{});
  file.append(300, summary);
  train::Summary more;
  more.scalar("loss", -2);
  file.append(301, more);
  const auto files = event_files(folder.path / "tensorboard");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename().string().find("events.out.tfevents."), 0u);
  const Events events = events_of(files[0]);
  EXPECT_EQ(events.steps, (std::vector<int64_t>{300, 301}));
  EXPECT_EQ(events.scalars.at({300, "loss"}), 0.375);
  EXPECT_EQ(events.scalars.at({301, "loss"}), -2);
  EXPECT_EQ(events.histograms.size(), 2u);
  const std::string histogram = events.histograms.at({300, "weights"});
  const std::vector<double> expected{-1, 3, 4, 2, 10};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(test::real_of(test::field(histogram, i + 1)), expected[static_cast<size_t>(i)]);
  const std::string limits = test::field(histogram, 6), counts = test::field(histogram, 7);
  ASSERT_EQ(limits.size(), 64 * 8u);
  ASSERT_EQ(counts.size(), 64 * 8u);
  std::map<double, double> filled;
  for (size_t i = 0; i < 64; ++i) {
    const double limit = test::real_of(limits.substr(8 * i, 8)), count = test::real_of(counts.substr(8 * i, 8));
    EXPECT_EQ(limit, -1 + static_cast<double>(i + 1) / 16);
    if (count != 0) filled[limit] = count;
  }
  EXPECT_EQ(filled, (std::map<double, double>{{-1 + 1.0 / 16, 1}, {1.0 / 16, 2}, {3, 1}}));
}

TEST(EventFile, ForgetsLaterStepsAndTornRecordsAndFilesWithoutEvents) {
  const Folder folder;
  for (int part : {0, 1}) {
    train::EventFile file(folder.path);
    for (int64_t step : {1, 2, 300}) {
      train::Summary summary;
      summary.scalar("loss", static_cast<double>(step));
      file.append(part == 0 ? step : step + 300, summary);
    }
  }
  const auto files = event_files(folder.path);
  ASSERT_EQ(files.size(), 2u);
  const auto whole = std::filesystem::file_size(files[0]);
  write_file(folder.path / "notes.txt", "mine", "test");
  std::filesystem::resize_file(files[0], whole - 3);
  train::forget_events_after(folder.path, 300);
  EXPECT_EQ(events_of(files[0]).steps, (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(std::filesystem::exists(files[1]));
  train::forget_events_after(folder.path, 1);
  EXPECT_EQ(events_of(files[0]).steps, (std::vector<int64_t>{1}));
  train::forget_events_after(folder.path, 0);
  EXPECT_EQ(event_files(folder.path), std::vector<std::filesystem::path>{folder.path / "notes.txt"});
  train::forget_events_after(folder.path / "none", 0);
}

TEST(EventFile, NamesAFolderThatCannotBeMade) {
  const Folder folder;
  write_file(folder.path / "tensorboard", "a file", "test");
  train::forget_events_after(folder.path / "tensorboard", 0);
  train::EventFile file(folder.path / "tensorboard");
  try {
    file.append(1, {});
    ADD_FAILURE();
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(), "train: " + (folder.path / "tensorboard").string() +
                                ": cannot be made: Not a directory (expected a folder for events)");
  }
}

TEST(Journal, TellsEveryEpochWhatTheMetricsAndTheQuantisersAre) {
  const Folder folder;
  train::TrainRun run = lsq_run(folder.path);
  std::vector<train::EpochReport> reports;
  run.on_epoch = [&](const train::EpochReport& report) { reports.push_back(report); };
  graph::Graph graph = test::quantised_network();
  train::train(graph, run);
  const auto files = event_files(folder.path / "tensorboard");
  ASSERT_EQ(files.size(), 1u);
  const Events events = events_of(files[0]);
  EXPECT_EQ(events.steps, (std::vector<int64_t>{1, 2, 3}));
  const auto scalar = [&](int64_t step, const char* tag) { return events.scalars.at({step, tag}); };
  for (const train::EpochReport& report : reports) {
    EXPECT_EQ(scalar(report.epoch, "loss/train"), static_cast<double>(static_cast<float>(report.train_loss)));
    EXPECT_EQ(scalar(report.epoch, "loss/test"), static_cast<double>(static_cast<float>(report.test_loss)));
    EXPECT_EQ(scalar(report.epoch, "accuracy/train"), static_cast<double>(static_cast<float>(report.train_accuracy)));
    EXPECT_EQ(scalar(report.epoch, "accuracy/test"), static_cast<double>(static_cast<float>(report.test_accuracy)));
    EXPECT_EQ(scalar(report.epoch, "learning_rate"), static_cast<double>(static_cast<float>(report.learning_rate)));
    EXPECT_EQ(scalar(report.epoch, "quantisers_on"), 4);
  }
  const Grid rows = *graph[graph.find("conv.weight_q")].grid, one = *graph[graph.find("conv_q")].grid;
  EXPECT_EQ(scalar(3, "scale_min/conv.weight_q"), *std::min_element(rows.scale.begin(), rows.scale.end()));
  EXPECT_EQ(scalar(3, "scale_max/conv.weight_q"), *std::max_element(rows.scale.begin(), rows.scale.end()));
  EXPECT_EQ(scalar(3, "range_low/conv_q"), 0);
  EXPECT_EQ(scalar(3, "range_high/conv_q"), static_cast<double>(static_cast<float>(15 * one.scale[0])));
  EXPECT_NE(scalar(1, "range_high/conv_q"), scalar(3, "range_high/conv_q")) << "LSQ learns";
  EXPECT_TRUE(events.histograms.empty()) << "nobody asked";
  const std::vector<std::string> lines = lines_of(folder.path / "quantisers.csv");
  ASSERT_EQ(lines.size(), 1 + 3 * 4u);
  EXPECT_EQ(lines[0], "epoch,quantiser,on,scale_min,scale_max,low,high,below,above");
  EXPECT_EQ(lines[1].find("1,input_q,1,"), 0u) << lines[1];
  EXPECT_EQ(lines[12].find("3,"), 0u) << lines[12];
}

TEST(Journal, CountsWhatIsClipped) {
  const Folder folder;
  const graph::Graph graph = test::quantised_network();
  train::Network network(graph);
  train::Journal journal(network, folder.path, false);
  journal.go_on_after(0);
  at::Tensor x = at::zeros({2, 1, 8, 8});
  // The input's grid: -4 to 3.5.
  x[0][0][0] = at::tensor({-4.5f, -4.0f, -3.0f, 0.0f, 3.5f, 3.75f, 9.0f, 10.0f});
  journal.write({.epoch = 1}, x);
  EXPECT_EQ(lines_of(folder.path / "quantisers.csv").at(1), "1,input_q,1,0.5,0.5,-4,3.5,0.0078125,0.0234375");
}

TEST(Journal, HasHistogramsOfWeightsAndActivationsWhereAsked) {
  const Folder folder;
  train::TrainRun run = lsq_run(folder.path);
  run.recipe.histograms = true, run.recipe.epochs = 1, run.test_set = nullptr;
  train_quantised(run);
  const Events events = events_of(event_files(folder.path / "tensorboard").at(0));
  std::map<std::string, double> counts;
  for (const auto& [key, histogram] : events.histograms) counts[key.second] = test::real_of(test::field(histogram, 3));
  EXPECT_EQ(counts, (std::map<std::string, double>{{"activations/conv", 16 * 6 * 64},
                                                   {"activations/conv_q", 16 * 6 * 64},
                                                   {"activations/fc", 16 * 4},
                                                   {"activations/input_q", 16 * 64},
                                                   {"weights/conv.weight", 54},
                                                   {"weights/fc.weight", 4 * 96}}));
}

TEST(Journal, OfAResumedRunIsANewFileThatRepeatsNothing) {
  for (int64_t at : {5, 15, 26}) {
    const Folder whole, folder;
    train_quantised(lsq_run(whole.path));
    train::TrainRun run = lsq_run(folder.path);
    volatile int stop = 0;
    run.interrupted = &stop;
    run.on_step = [&](int64_t done, int64_t) { stop = done == at; };
    EXPECT_THROW(train_quantised(run), UserError);
    // As if it had been killed after the journal's line of the next epoch, before the checkpoint.
    const std::string kept = std::filesystem::exists(folder.path / "quantisers.csv")
                                 ? read_file(folder.path / "quantisers.csv", "test")
                                 : "x\n";
    write_file(folder.path / "quantisers.csv", kept + "3,input_q,1,0,0,0,0,0,0\n", "test");
    train::EventFile torn(folder.path / "tensorboard");
    torn.append(3, {});
    stop = 0, run.on_step = {}, run.resume = true;
    train_quantised(run);
    std::vector<int64_t> steps;
    for (const auto& file : event_files(folder.path / "tensorboard"))
      for (int64_t step : events_of(file).steps) steps.push_back(step);
    EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3})) << at;
    EXPECT_EQ(event_files(folder.path / "tensorboard").size(), at == 5 ? 1u : 2u);
    EXPECT_EQ(read_file(folder.path / "quantisers.csv", "test"), read_file(whole.path / "quantisers.csv", "test"))
        << at;
  }
}

TEST(Journal, OfANewRunForgetsTheOneBefore) {
  const Folder folder;
  train::TrainRun run = lsq_run(folder.path);
  train_quantised(run);
  run.recipe.epochs = 1;
  train_quantised(run);
  ASSERT_EQ(event_files(folder.path / "tensorboard").size(), 1u);
  EXPECT_EQ(events_of(event_files(folder.path / "tensorboard")[0]).steps, std::vector<int64_t>{1});
  EXPECT_EQ(lines_of(folder.path / "quantisers.csv").size(), 5u);
}

}  // namespace
}  // namespace nibble
