#include "lab/quantised_training.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "lab/topology.hpp"

using namespace nibble;

namespace {

std::string complaint(const std::string& json) {
  try {
    lab::quantised_training_from_json(Json::parse(json), {.epochs = 10}, "FILE: train");
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST(QuantisedTraining, NothingNeedsToBeSaid) {
  const auto training =
      lab::quantised_training_from_json(Json::object(), {.epochs = 10, .learning_rate = 0.01}, "here");
  EXPECT_EQ(training.recipe.epochs, 5);
  EXPECT_DOUBLE_EQ(training.recipe.learning_rate, 0.001);
  EXPECT_EQ(training.weights, quant::Learning(quant::Lsq{}));
  EXPECT_EQ(training.activations, quant::Learning(quant::Lsq{}));
  EXPECT_EQ(training.partitions.back().fraction, 1);
  EXPECT_LT(training.partitions.back().time, 5);
  EXPECT_LT(training.annealing.end, 5);
  EXPECT_TRUE(training.annealing.layer_after_layer);
}

TEST(QuantisedTraining, NamesTheKeyThatIsWrong) {
  EXPECT_EQ(complaint("3"), "lab: FILE: train: 3 (expected true, false or an object)");
  EXPECT_EQ(complaint(R"({"epoch": 3})").substr(0, 61),
            "train: FILE: train: no key 'epoch' (did you mean 'epochs'?) (");
  EXPECT_EQ(complaint(R"({"from": "above"})"), "lab: FILE: train: from: 'above' (expected trained or scratch)");
  EXPECT_EQ(complaint(R"({"weights": 4})"),
            "lab: FILE: train: weights: 4 (expected an algorithm's name, or an object with its options)");
  EXPECT_EQ(complaint(R"({"weights": "lsqr"})"),
            "lab: FILE: train: weights: algorithm: 'lsqr' (expected ste, pact, tqt, lsq, ana or inq)");
  EXPECT_EQ(complaint(R"({"weights": {"noise": "normal"}})"),
            "lab: FILE: train: weights: no key 'algorithm' (expected ste, pact, tqt, lsq, ana or inq)");
  EXPECT_EQ(complaint(R"({"activations": {"algorithm": "ana", "deviation": -1}})"),
            "lab: FILE: train: activations: deviation: -1 (expected a number from 0.0 to 16.0)");
  EXPECT_EQ(complaint(R"({"activations": {"algorithm": "tqt", "power_of_two": 1}})"),
            "lab: FILE: train: activations: power_of_two: 1 (expected true or false)");
  EXPECT_EQ(complaint(R"({"layers": 4})"), "lab: FILE: train: layers: 4 (expected an object by layer name or pattern)");
  EXPECT_EQ(complaint(R"({"layers": {"a*": {"weight": "ste"}}})"),
            "lab: FILE: train: layers: a*: no key 'weight' (did you mean 'weights'?) (expected weights, activations)");
}

TEST(QuantisedTraining, RefusesAnOptionOfAnotherAlgorithm) {
  EXPECT_EQ(complaint(R"({"weights": {"algorithm": "lsq", "power_of_two": true}})"),
            "lab: FILE: train: weights: power_of_two: true (expected it with tqt or inq)");
  EXPECT_EQ(complaint(R"({"activations": {"algorithm": "ste", "noise": "normal"}})"),
            "lab: FILE: train: activations: noise: \"normal\" (expected it with ana)");
  EXPECT_EQ(complaint(R"({"activations": {"algorithm": "tqt", "saturated": true}})"),
            "lab: FILE: train: activations: saturated: true (expected it beside \"normalised\": true)");
  EXPECT_EQ(complaint(R"({"weights": {"algorithm": "tqt", "normalised": true, "momentum": 1}})"),
            "lab: FILE: train: weights: momentum: 1 (expected a number in [0, 1))");
}

TEST(QuantisedTraining, IsResolvedToADescriptionOfTheSame) {
  for (const char* given :
       {"{}",
        R"({"weights": {"algorithm": "ana", "noise": "normal"}, "activations": {"algorithm": "tqt", "normalised": true},
                  "distillation": 0.25, "annealing": {"layers": "one_by_one"}, "batch_norm": {"freeze": 1}})",
        R"({"weights": "inq", "activations": "pact", "start": {"activations": 1}, "from": "scratch"})"}) {
    const auto read = [](const Json& json) {
      return lab::quantised_training_from_json(json, {.epochs = 10}, "here").resolved;
    };
    const Json once = read(Json::parse(given));
    EXPECT_EQ(read(once), once);
    for (const char* key : {"weights", "activations", "epochs", "start", "from"})
      EXPECT_TRUE(once.contains(key)) << key;
    EXPECT_EQ(once.contains("annealing"), std::string(given).find("ana") != std::string::npos);
    EXPECT_EQ(once.contains("partitions"), std::string(given).find("inq") != std::string::npos);
  }
}

/// A rule's activations are what the layer gives, through whatever stands before the quantiser's readers.
TEST(QuantisedTraining, ARuleIsOfTheLayersWeightsAndOfWhatItGives) {
  graph::Graph fake;
  fake.stage = graph::Stage::FQ;
  const graph::ValueId x = fake.add_value("x", ElementType::Float32, {any, 4});
  fake.inputs = {x};
  const auto linear = [&](const std::string& name, graph::ValueId from) {
    const graph::ValueId w = fake.add_constant(name + ".weight", Tensor({4, 4}, std::vector<float>(16, 0.5F)));
    graph::Gemm gemm;
    gemm.transpose_b = true;
    return fake.add_node(name, gemm, {from, fake.add_node(name + ".weight_q", graph::Quantise{}, {w})});
  };
  const graph::ValueId one = linear("fc1", fake.add_node("x_q", graph::Quantise{}, {x}));
  const graph::ValueId flat =
      fake.add_node("flatten", graph::Flatten{}, {fake.add_node("fc1_q", graph::Quantise{}, {one})});
  fake.outputs = {linear("fc2", flat)};
  const auto algorithms = [&](const char* layers) -> std::string {
    const auto training =
        lab::quantised_training_from_json(Json{{"layers", Json::parse(layers)}}, {.epochs = 10}, "here");
    train::TrainRun run;
    try {
      lab::schedule_quantisers(run, training, fake);
    } catch (const UserError& error) {
      return error.what();
    }
    std::string all;
    for (const graph::Node& node : fake.nodes)
      if (holds_alternative<graph::Quantise>(node.op)) {
        const bool weights = fake.constant(node.inputs[0]) != nullptr;
        const auto recipe = run.quantisers({node, weights, node.name == "x_q"});
        all += node.name + " " + std::string(quant::to_string(recipe.learning)) + "; ";
      }
    return all;
  };
  EXPECT_EQ(algorithms(R"({"fc1": {"activations": "pact"}, "fc2": {"weights": "tqt"}})"),
            "x_q ste; fc1.weight_q lsq; fc1_q pact; fc2.weight_q tqt; ");
  EXPECT_EQ(algorithms(R"({"*": {"activations": "ana", "weights": "inq"}})"),
            "x_q ste; fc1.weight_q inq; fc1_q ana; fc2.weight_q inq; ");
  EXPECT_EQ(
      algorithms(R"({"fc2": {"activations": "pact"}})"),
      "lab: train: layers with activations that train: no layer 'fc2' (did you mean 'fc1'?) (expected a node's name "
      "or a pattern of * and ?)");
  EXPECT_EQ(algorithms(R"({"flatten": {"weights": "pact"}})").substr(0, 68),
            "lab: train: layers with weights that train: no layer 'flatten' (expe");
}

TEST(QuantisedTraining, LearnsFromTheFloatNetworkWhereAsked) {
  const auto read = [](const char* json) {
    return lab::quantised_training_from_json(Json::parse(json), {.epochs = 10}, "here").distillation;
  };
  EXPECT_FALSE(read("{}").has_value());
  EXPECT_EQ(read(R"({"distillation": 0.25})")->weight, 0.25);
  EXPECT_EQ(read(R"({"distillation": {}})")->weight, 0.5);
  EXPECT_EQ(read(R"({"distillation": {"temperature": 2}})")->temperature, 2);
  EXPECT_EQ(complaint(R"({"distillation": true})"),
            "lab: FILE: train: distillation: true (expected a weight from 0 to 1, or an object with weight and "
            "temperature)");
  EXPECT_EQ(complaint(R"({"distillation": 2})"),
            "lab: FILE: train: distillation: weight: 2 (expected a number from 0.0 to 1.0)");
  EXPECT_EQ(complaint(R"({"distillation": {"temperature": 0}})"),
            "lab: FILE: train: distillation: temperature: 0 (expected a number from 0.01 to 1000.0)");
  EXPECT_EQ(complaint(R"({"distillation": {"teacher": "x"}})"),
            "lab: FILE: train: distillation: no key 'teacher' (expected weight, temperature)");
}

/// What would leave a network that is still float is refused before any training.
TEST(QuantisedTraining, EndsQuantised) {
  EXPECT_EQ(complaint(R"({"start": {"weights": 5}})").substr(0, 42), "lab: FILE: train: start: weights: 5 (expec");
  EXPECT_EQ(complaint(R"({"weights": "ana", "annealing": {"end": 5}})").substr(0, 42),
            "lab: FILE: train: annealing: end: 5 (expec");
  const std::string expected =
      " (expected pairs [epoch, fraction], both rising, the last fraction 1 before the last "
      "epoch ends)";
  for (const char* pairs :
       {"[]", "[[0,0.5]]", "[[5,1]]", "[[1,1],[0,1]]", "[[0,0.6],[1,0.5],[2,1]]", "[[0,\"1\"]]", "1"})
    EXPECT_EQ(complaint(std::string(R"({"weights": "inq", "partitions": )") + pairs + "}"),
              std::string("lab: FILE: train: partitions: ") + pairs + expected);
}

TEST(QuantisedTraining, RefusesWhatNoAlgorithmHereGoesByAndWhatNeverComes) {
  EXPECT_EQ(complaint(R"({"annealing": {"power": 2}})"),
            "lab: FILE: train: annealing: {\"power\":2} (expected it with ana)");
  EXPECT_EQ(complaint(R"({"weights": "ana", "partitions": [[0, 1]]})"),
            "lab: FILE: train: partitions: [[0,1]] (expected it with inq)");
  EXPECT_EQ(complaint(R"({"layers": {"a": {"weights": "ana"}}, "annealing": {"power": 2}})"), "nothing");
  for (const char* freeze : {"5", "5.0", "700"})
    EXPECT_EQ(complaint(std::string(R"({"freeze": )") + freeze + "}"),
              std::string("lab: FILE: train: freeze: ") + freeze +
                  " (expected an epoch from 0 to below the last one's end, 5)");
  EXPECT_EQ(complaint(R"({"freeze": 4.5})"), "nothing");
}

TEST(QuantisedTraining, NamesWhatIsWrongAboutBatchNorms) {
  EXPECT_EQ(complaint(R"({"batch_norm": "keep"})"),
            "lab: FILE: train: batch_norm: \"keep\" (expected an object with freeze, fold or reestimate)");
  EXPECT_EQ(
      complaint(R"({"batch_norm": {"frozen": 1}})"),
      "lab: FILE: train: batch_norm: no key 'frozen' (did you mean 'freeze'?) (expected freeze, fold, reestimate)");
  EXPECT_EQ(complaint(R"({"batch_norm": {"freeze": -1}})"),
            "lab: FILE: train: batch_norm: freeze: -1 (expected an epoch from 0 to below the last one's end, 5)");
  EXPECT_EQ(complaint(R"({"batch_norm": {"fold": 1}})"),
            "lab: FILE: train: batch_norm: fold: 1 (expected true or false)");
  for (const char* examples : {"0", "-3", "1.5", "true"})
    EXPECT_EQ(complaint(std::string(R"({"batch_norm": {"reestimate": )") + examples + "}}"),
              std::string("lab: FILE: train: batch_norm: reestimate: ") + examples +
                  " (expected a whole number, at least 1)");
  const auto training = lab::quantised_training_from_json(
      Json::parse(R"({"batch_norm": {"freeze": 0.5, "fold": true, "reestimate": 7}})"), {}, "x");
  EXPECT_EQ(training.batch_norm.freeze, 0.5);
  EXPECT_TRUE(training.batch_norm.fold);
  EXPECT_EQ(training.batch_norm.reestimate, 7);
}

TEST(QuantisedTraining, FoldsNoBatchNormThatThePolicyWantsOtherwise) {
  const auto training = lab::quantised_training_from_json(Json::parse(R"({"batch_norm": {"fold": true}})"), {}, "x");
  graph::Graph fake = lab::build({"mnist_cnn"}, 1);
  fake.metadata["batch_norm"] = R"({"conv1_bn": "keep", "conv2_bn": "threshold"})";
  train::TrainRun run;
  try {
    lab::schedule_quantisers(run, training, fake);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "lab: train: batch_norm: fold: the policy wants 'conv2_bn' threshold (expected \"batch_norm\": "
                 "\"keep\" in the policy, or no fold)");
  }
}

TEST(QuantisedTraining, RatesAreOfTheGroupsThatLearn) {
  EXPECT_EQ(complaint(R"({"rates": {"scales": 1}})"),
            "lab: FILE: train: rates: no key 'scales' (did you mean 'scale'?) (expected scale, threshold, bound)");
  EXPECT_EQ(complaint(R"({"weights": "pact", "rates": {"bound": {"decay": "x"}}})"),
            "lab: FILE: train: rates: bound: decay: \"x\" (expected a number from 0.0 to 1000000.0)");
  EXPECT_EQ(complaint(R"({"rates": {"threshold": 1}})"),
            "lab: FILE: train: rates: threshold: 1 (expected it with tqt)");
  EXPECT_EQ(complaint(R"({"activations": "ste", "weights": "ste", "rates": {"scale": {"decay": 0}}})").substr(0, 65),
            "lab: FILE: train: rates: scale: {\"decay\":0} (expected it with lsq");
  const auto training = lab::quantised_training_from_json(
      Json::parse(R"({"activations": "pact", "rates": {"scale": 0.5, "bound": {"decay": 0.1}}})"), {}, "x");
  EXPECT_EQ(training.rates.at("scale").rate, 0.5);
  EXPECT_EQ(training.rates.at("bound").rate, 1);
  EXPECT_EQ(training.rates.at("bound").decay, 0.1);
}
