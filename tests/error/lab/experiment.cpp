#include "lab/experiment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "scratch.hpp"

using namespace nibble;

namespace {

/// What reading the text as an experiment says.
std::string complaint(const std::string& text) {
  const auto file = tests::scratch("experiment.json");
  std::ofstream(file) << text;
  try {
    lab::read_experiment(file);
  } catch (const UserError& error) {
    std::string message = error.what();
    const size_t at = message.find(file.string());
    return at == std::string::npos ? message : message.replace(at, file.string().size(), "FILE");
  }
  return "nothing";
}

const std::string data_part = R"("data": {"train": "npz:a", "test": "npz:b"})";
const std::string network_part = R"("network": {"topology": "mnist_cnn"})";

}  // namespace

TEST(Experiment, TheShortestDescriptionIsEnough) {
  EXPECT_EQ(complaint("{" + data_part + "," + network_part + "}"), "nothing");
}

TEST(Experiment, AMisspelledKeyIsNamedWithTheNearestOne) {
  EXPECT_EQ(complaint(R"({"dada": 1})"),
            "lab: FILE: no key 'dada' (did you mean 'data'?) (expected name, seed, data, network, train, quantize)");
}

TEST(Experiment, AMissingPartIsNamed) {
  EXPECT_EQ(complaint("{" + network_part + "}"), "lab: FILE: no key 'data' (expected it to be there)");
}

TEST(Experiment, AVariantsNameAndSamplesHaveTheirTypes) {
  const auto variant = [](const std::string& text) {
    return complaint("{" + data_part + "," + network_part + R"(, "quantize": [)" + text + "]}");
  };
  EXPECT_EQ(variant(R"({"name": 8})"), "lab: FILE: quantize[0]: name: 8 (expected a string)");
  EXPECT_EQ(variant(R"({"samples": "all"})"),
            "lab: FILE: quantize[0]: samples: \"all\" (expected a whole number, at least 1)");
}

TEST(Experiment, ANetworkIsATopologyOrAModel) {
  EXPECT_EQ(complaint("{" + data_part + R"(, "network": {}})"),
            "lab: FILE: network: topology: both or neither of 'topology' and 'model' (expected one of them)");
}

TEST(Experiment, AnUnsetVariableIsNamed) {
  unsetenv("NIBBLE_NOT_SET");
  EXPECT_EQ(complaint(R"({"data": {"train": "mnist:${NIBBLE_NOT_SET}/x", "test": "b"},)" + network_part + "}"),
            "lab: FILE: data: train: environment variable NIBBLE_NOT_SET is not set (expected a path)");
}

TEST(Experiment, AVariantsNameCannotLeaveTheFolder) {
  for (const std::string name : {"../x", "..", ".", "", "metrics.csv", "results.json"})
    EXPECT_EQ(complaint("{" + data_part + "," + network_part + R"(, "quantize": [{"name": ")" + name + R"("}]})"),
              "lab: FILE: quantize[0]: name: '" + name +
                  "' (expected a name that can be a folder in the run's, beside its own files)");
}

TEST(Experiment, AnUnknownTopologyIsNamedWithTheNearestOne) {
  const auto network = [](const std::string& json) {
    return complaint("{" + data_part + R"(, "network": )" + json + "}");
  };
  EXPECT_EQ(
      network(R"({"topology": "mnist_cn"})"),
      "lab: FILE: network: topology: no 'mnist_cn' (did you mean 'mnist_cnn'?) (expected mnist_cnn, lenet, resnet8, "
      "resnet20, resnet32, resnet18, vgg9, vgg_small, mobilenet_v1, mobilenet_v2, mobilenet_3ddfa, ds_cnn, "
      "autoencoder, "
      "efficientnet_tiny, "
      "mobilenet_v3_tiny, detector_silu, detector_leaky, face_detector, text_detector, depth_network, "
      "controller)");
  EXPECT_EQ(network(R"({"topology": 8})"), "lab: FILE: network: topology: 8 (expected a string)");
  EXPECT_EQ(
      network(R"({"topology": "lenet", "widht": 2})"),
      "lab: FILE: network: no key 'widht' (did you mean 'width'?) (expected topology, width, resolution, classes)");
  EXPECT_EQ(network(R"({"topology": "lenet", "width": 2})"),
            "lab: FILE: network: width: 2 (expected none: lenet has only its own)");
  EXPECT_EQ(network(R"({"topology": "autoencoder", "classes": 2})"),
            "lab: FILE: network: classes: 2 (expected none: autoencoder has only its own)");
  EXPECT_EQ(network(R"({"topology": "mobilenet_v1", "width": 0})"),
            "lab: FILE: network: width: 0 (expected a number above 0, at most 16)");
  EXPECT_EQ(network(R"({"topology": "mobilenet_v1", "resolution": 0.5})"),
            "lab: FILE: network: resolution: 0.5 (expected a whole number from 1 to 65536)");
}
