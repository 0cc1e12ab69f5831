#include "lab/ranks/training.hpp"

#include "base/error.hpp"
#include "lab/examples.hpp"
#include "onnx/onnx.hpp"

namespace nibble::lab {
namespace {

/// A line of JSON, then the bytes of networks, as long as it says.
struct Text {
  Json json;
  std::string network, teacher;
};

std::string joined(const Text& text) {
  Json json = text.json;
  json["network"] = text.network.size(), json["teacher"] = text.teacher.size();
  return json.dump() + "\n" + text.network + text.teacher;
}

Text split(const std::string& joined) {
  const size_t end = joined.find('\n');
  Text text{parse_json(std::string_view(joined).substr(0, end), "lab", "the training"), {}, {}};
  const auto size = text.json.at("network").get<size_t>();
  text.network = joined.substr(end + 1, size);
  text.teacher = joined.substr(end + 1 + size);
  return text;
}

void help(const Text& text, train::Ranks& ranks, const train::Api& api, const volatile int* interrupted) {
  const Json& json = text.json;
  Experiment experiment;
  experiment.train_data = json.at("train_data"), experiment.test_data = json.at("test_data");
  if (json.contains("fold")) {
    data::Fold fold;
    json.at("fold").at("train").get_to(fold.train), json.at("fold").at("test").get_to(fold.test);
    experiment.fold = std::make_shared<data::Fold>(std::move(fold));
  }
  train::TrainRun run;
  run.recipe = train::recipe_from_json(json.at("recipe"), "train");
  run.train_set = training_set(experiment), run.test_set = test_set(experiment);
  run.preprocess = data::preprocess_from_json(json.at("preprocess"), "preprocess");
  run.interrupted = interrupted;
  run.ranks = &ranks;
  graph::Graph network = onnx::read_bytes(text.network, "the network");
  if (!json.at("training").is_null()) {
    const QuantisedTraining training = quantised_training_from_json(json.at("training"), run.recipe, "train");
    schedule_quantisers(run, training, network);
    if (training.distillation) {
      run.distillation = *training.distillation;
      run.distillation.teacher = std::make_shared<const graph::Graph>(onnx::read_bytes(text.teacher, "the teacher"));
    }
  }
  api.train(network, run);
}

}  // namespace

std::string text_of_training(const Experiment& experiment, const train::TrainRun& run, const Json& training,
                             const graph::Graph& network) {
  Text text{{{"train_data", experiment.train_data},
             {"test_data", experiment.test_data},
             {"preprocess", data::to_json(experiment.preprocess)},
             {"recipe", train::to_json(run.recipe)},
             {"training", training}},
            onnx::native_bytes(network),
            {}};
  if (experiment.fold) text.json["fold"] = {{"train", experiment.fold->train}, {"test", experiment.fold->test}};
  if (run.distillation.teacher) text.teacher = onnx::native_bytes(*run.distillation.teacher);
  return joined(text);
}

void help_trainings(const train::Api& api, const train::RankPlace& place, const volatile int* interrupted) {
  const std::unique_ptr<train::Ranks> ranks = api.join(place, {});
  while (const std::optional<std::string> training = ranks->next()) try {
      help(split(*training), *ranks, api, interrupted);
    } catch (const std::exception& error) {
      ranks->leave(error.what());
    }
}

}  // namespace nibble::lab
