#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "scratch.hpp"

// Networks of the kinds that people bring, ../shared/field, through the binary. Skipped where they do not lie there.
namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

const fs::path field = fs::path(NIBBLE_SOURCE) / "../shared/field";

/// The exit code of nibble with these words.
int nibble(const std::string& words) {
  const std::string command = std::string(NIBBLE_BINARY) + " " + words + " > /dev/null 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string of(const std::string& name) {
  return (field / name).string();
}

TEST(OtherTools, FoldersOfOtherToolsHaveEveryRecordedTensor) {
  if (!fs::exists(field)) GTEST_SKIP() << "no ../shared/field";
  for (const char* row : {"nemo_div", "nemo_tail", "deeploy_gemm", "spelled", "frames"})
    EXPECT_EQ(nibble("check " + of(row)), 0) << row;
}

TEST(OtherTools, NetworksGiveTheirExpectedValues) {
  if (!fs::exists(field)) GTEST_SKIP() << "no ../shared/field";
  for (const char* name : {"dynamic/dense", "dynamic/classify", "batchshape/product", "batchshape/tokens",
                           "batchshape/flatten", "batchshape/zero", "inputs/one", "inputs/two", "linearonly/gemm",
                           "names/output", "qopborder/reals", "foreign/quant"}) {
    const std::string file = of(name);
    EXPECT_EQ(nibble("run " + file + ".onnx --input " + file + ".inputs.npz --expect " + file + ".expected.npz"), 0)
        << name;
  }
  for (const char* name : {"linearonly/plain", "linearonly/residual"})
    EXPECT_EQ(nibble("run " + of(name) + ".onnx --input " + of("linearonly/inputs.npz") + " --expect " + of(name) +
                     ".expected.npz"),
              0)
        << name;
}

TEST(OtherTools, NetworksAreQuantisedAndIntegerized) {
  if (!fs::exists(field)) GTEST_SKIP() << "no ../shared/field";
  const std::pair<const char*, const char*> rows[] = {{"dynamic/dense.onnx", "dynamic/calib.npz"},
                                                      {"dynamic/classify.onnx", "dynamic/calib.npz"},
                                                      {"batchshape/product.onnx", "batchshape/calib.npz"},
                                                      {"batchshape/tokens.onnx", "batchshape/calib.npz"},
                                                      {"batchshape/flatten.onnx", "batchshape/calib.npz"},
                                                      {"batchshape/zero.onnx", "batchshape/zero.calib.npz"},
                                                      {"inputs/one.onnx", "inputs/one.calib.npz"},
                                                      {"inputs/two.onnx", "inputs/calib.npz"},
                                                      {"linearonly/plain.onnx", "linearonly/calib.npz"},
                                                      {"linearonly/residual.onnx", "linearonly/calib.npz"},
                                                      {"linearonly/gemm.onnx", "linearonly/gemm.calib.npz"},
                                                      {"spelled/conv/network.onnx", "spelled/conv.calib.npz"},
                                                      {"spelled/linear/network.onnx", "spelled/linear.calib.npz"},
                                                      {"foreign/quant.onnx", "foreign/calib.npz"},
                                                      {"qopborder/mean.onnx", "qopborder/calib.npz"}};
  const std::string fake = tests::scratch("fq.onnx").string(), integer = tests::scratch("id.onnx").string();
  for (const auto& [model, data] : rows) {
    SCOPED_TRACE(model);
    EXPECT_EQ(nibble("quantize " + of(model) + " --data npz:" + of(data) + " -o " + fake), 0);
    EXPECT_EQ(nibble("integerize " + fake + " -o " + integer), 0);
    EXPECT_EQ(nibble("compare " + fake + " " + integer + " --data npz:" + of(data)), 0);
  }
}

TEST(OtherTools, AMeanBeforeTheOutputIsSaidByTheStandard) {
  if (!fs::exists(field)) GTEST_SKIP() << "no ../shared/field";
  const std::string fake = tests::scratch("fq.onnx").string(), integer = tests::scratch("id.onnx").string();
  const std::string data = " --data npz:" + of("qopborder/calib.npz");
  EXPECT_EQ(nibble("quantize " + of("qopborder/mean.onnx") + data + " -o " + fake), 0);
  EXPECT_EQ(nibble("integerize " + fake + " --requantisation standard -o " + integer), 0);
  for (const char* dialect : {"qoperator", "qdq", "qonnx"}) {
    const std::string file = tests::scratch(std::string(dialect) + ".onnx").string();
    EXPECT_EQ(nibble("convert " + integer + " --dialect " + dialect + " -o " + file), 0) << dialect;
    EXPECT_EQ(nibble("compare " + integer + " " + file + data), 0) << dialect;
  }
}

}  // namespace
}  // namespace nibble::verbs
