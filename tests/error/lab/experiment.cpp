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
            "lab: FILE: quantize[0]: samples: \"all\" (expected a whole number, at least 0)");
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
  EXPECT_EQ(complaint("{" + data_part + "," + network_part + R"(, "quantize": [{"name": "../x"}]})"),
            "lab: FILE: quantize[0]: name: '../x' (expected a name that can be a folder)");
}

TEST(Experiment, AnUnknownTopologyIsNamedWithTheNearestOne) {
  try {
    lab::topology("mnist_cn", 1);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "lab: topology: no 'mnist_cn' (did you mean 'mnist_cnn'?) (expected mnist_cnn)");
  }
}
