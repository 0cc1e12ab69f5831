#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/file.hpp"
#include "base/random.hpp"
#include "onnx/onnx.hpp"

// Files that lie: each is an error that names the place, never a crash or an allocation of what was claimed.
namespace nibble {
namespace {

std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
std::string field(int number, const std::string& bytes) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string number(int field_number, int64_t value) {
  return varint(static_cast<uint64_t>(field_number) << 3) + varint(static_cast<uint64_t>(value));
}

// The format's own messages, by their field numbers (onnx.proto).
std::string dims(const Shape& shape) {
  std::string all;
  for (int64_t extent : shape) all += field(1, number(1, extent));
  return all;
}
std::string value_info(const std::string& name, const Shape& shape, int type = 1) {
  return field(1, name) + field(2, field(1, number(1, type) + field(2, dims(shape))));
}
std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                 const std::string& attributes = {}) {
  std::string bytes;
  for (const auto& input : inputs) bytes += field(1, input);
  for (const auto& output : outputs) bytes += field(2, output);
  return field(1, bytes + field(3, "n") + field(4, op) + attributes);
}
std::string integers(const std::string& name, const std::vector<int64_t>& values) {
  std::string bytes = field(1, name) + number(20, 7);
  for (int64_t value : values) bytes += number(8, value);
  return field(5, bytes);
}
std::string text(const std::string& name, const std::string& value) {
  return field(5, field(1, name) + number(20, 3) + field(4, value));
}
std::string tensor(const std::string& name, int type, const Shape& shape, const std::string& raw) {
  std::string bytes;
  for (int64_t extent : shape) bytes += number(1, extent);
  return field(5, bytes + number(2, type) + field(8, name) + field(9, raw));
}
std::string external(const std::string& name, const std::string& location, const std::string& offset) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return field(13, field(1, key) + field(2, value));
  };
  return field(5, number(1, 4) + number(2, 1) + field(8, name) + entry("location", location) + entry("offset", offset) +
                      number(14, 1));
}
std::string model(const std::string& graph, int64_t opset = 13) {
  return number(1, 8) + field(7, graph) + field(8, number(2, opset));
}
/// x [1, 2, 4, 4] -> the given nodes -> y
std::string around(const std::string& nodes, int64_t opset = 13) {
  return model(nodes + field(11, value_info("x", {1, 2, 4, 4})) + field(12, value_info("y", {1})), opset);
}

std::string message_of(const std::string& bytes, const std::filesystem::path& folder = {},
                       const std::string& dialect = {}) {
  try {
    onnx::read_bytes(bytes, "m.onnx", {.dialect = dialect}, folder);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

void expect_message(const std::string& bytes, std::string_view message) {
  const std::string found = message_of(bytes);
  EXPECT_NE(found.find(message), found.npos) << found;
}

TEST(HostileFile, ThatIsNotAModelIsSaidToBeNone) {
  EXPECT_EQ(message_of(""), "onnx: m.onnx: an empty file (expected an ONNX model)");
  EXPECT_EQ(message_of("not a model at all"),
            "onnx: m.onnx: not an ONNX model, or a damaged or truncated one (expected a serialised ModelProto)");
  expect_message(number(1, 8), "a model without a graph");
  expect_message(around(node("Relu", {"x"}, {"y"}), 99), "m.onnx: opset 99 (expected 1 to 25)");
}

TEST(HostileFile, WithAnUnknownOpNamesItsNodeAndTheNearest) {
  expect_message(
      around(node("Rellu", {"x"}, {"y"})),
      "m.onnx: node 'n' (Rellu): an op that is not supported (did you mean 'Relu'?) (expected one of Abs, Add");
}

TEST(HostileFile, WithAShapeItsBytesCannotFillIsRefusedBeforeAllocation) {
  const auto with = [](const Shape& shape, int type = 1) {
    return around(tensor("w", type, shape, "12345678") + node("Add", {"x", "w"}, {"y"}));
  };
  expect_message(with({int64_t{1} << 40}),
                 "initializer 'w': shape [1099511627776] (expected at most 8589934592 elements)");
  expect_message(with({int64_t{1} << 33}),
                 "initializer 'w': 8 bytes for FLOAT [8589934592] (expected 34359738368 bytes)");
  expect_message(with({int64_t{1} << 62, 4}), "expected at most 8589934592 elements");
  expect_message(with({-5}), "initializer 'w': an extent of -5 (expected at least 0)");
  expect_message(with({3}), "initializer 'w': 8 bytes for FLOAT [3] (expected 12 bytes)");
  expect_message(with({2}, 77), "initializer 'w': elements of type 77 (expected one of FLOAT");
  expect_message(with({2}, 8), "elements of STRING");
}

TEST(HostileFile, WhoseMetadataSaysAFractionForAnIntegerIsRefused) {
  const auto with = [](const std::string& version, const std::string& axis, const std::string& low) {
    const std::string grid = R"({"scale": [1], "axis": )" + axis + R"(, "zero_point": 0, "low": )" + low + "}";
    const std::string document = R"({"version": )" + version +
                                 R"(, "dialect": "native", "stage": "FP", "values": {"x": )" +
                                 R"({"type": "float32", "grid": )" + grid + "}}}";
    return around(node("Relu", {"x"}, {"y"})) + field(14, field(1, "nibble") + field(2, document));
  };
  expect_message(with("9.9e19", "0", "0"), "metadata 'nibble': [json.exception.type_error.302] 9.9e+19 is no integer");
  expect_message(with("1", "0", "18446744073709551615"), "18446744073709551615 is no integer of 64 bits");
  expect_message(with("1", "4294967296", "0"), "4294967296 is no integer of 32 bits (expected our own document)");
}

TEST(HostileFile, WhoseConstantsGiveWhatTheirTypeDoesNotHoldIsRefused) {
  const std::string bytes = tensor("a", 3, {1}, "\x64") + tensor("b", 3, {1}, "\x02");
  expect_message(around(bytes + node("Mul", {"a", "b"}, {"c"})), "node 'n' (Mul): element 200 (expected one of int8)");
  const std::string zero = tensor("o", 1, {1}, std::string(4, '\0'));
  expect_message(around(zero + node("Div", {"o", "o"}, {"c"})), "node 'n' (Div): gives NaN (expected numbers)");
  const std::string most(7, '\xff'), quarter(7, '\0');
  const std::string ends = tensor("from", 7, {}, quarter + '\x80') + tensor("to", 7, {}, most + '\x7f');
  expect_message(around(ends + tensor("by", 7, {}, quarter + '\x40') + node("Range", {"from", "to", "by"}, {"c"})),
                 "node 'n' (Range): arithmetic beyond 64 bits");
}

TEST(HostileFile, WhoseZeroPointsAreNoneIsRefused) {
  const std::string w = tensor("w", 3, {2, 2}, "abcd"), scales = tensor("s", 1, {2}, std::string(8, '?'));
  const auto with = [&](int type, const std::string& points) {
    return around(w + scales + tensor("z", type, {2}, points) + node("DequantizeLinear", {"w", "s", "z"}, {"y"}));
  };
  expect_message(with(1, "\xcd\xcc\x4c\x3e\xcd\xcc\x4c\x3e"), "zero point (input 2) is float32 [2] (expected a list");
  expect_message(with(7, std::string(7, '\0') + '\x80' + std::string(8, '\0')),
                 "zero points from -9223372036854775808 to 0 (expected those of INT8)");
  const auto product = [&](const std::string& matrix, int type, const std::string& points) {
    return around(tensor("x8", 3, {2, 2}, "abcd") + matrix + tensor("zx", 3, {}, "a") +
                  tensor("zw", type, {2}, points) + node("MatMulInteger", {"x8", "w", "zx", "zw"}, {"y"}));
  };
  expect_message(product(w, 6, std::string("\0\1\0\0\0\0\0\0", 8)),
                 "a zero point of the weights of 256 (expected one of 8 bits)");
  expect_message(product(tensor("w", 7, {2, 2}, std::string(32, 'w')), 3, "ab"),
                 "weights of int64 (expected int8 or uint8)");
}

TEST(HostileFile, WhoseQuantisedConstantIsNaNIsRefused) {
  const std::string nan = "\xff\xff\xff\x7f", one("\0\0\x80\x3f", 4), w = tensor("w", 3, {2, 2}, "abcd");
  const std::string said = ": NaN in the constant that it quantises (expected numbers)";
  const std::string reals = tensor("r", 1, {1}, nan) + tensor("s", 1, {}, one) + tensor("z", 3, {}, "a");
  const std::string quantised = reals + node("QuantizeLinear", {"r", "s", "z"}, {"q"});
  expect_message(around(w + quantised + node("MatMulInteger", {"w", "w"}, {"y"})), "node 'n' (QuantizeLinear)" + said);
  // Its levels are moved.
  expect_message(around(quantised + tensor("to", 7, {1}, "\1" + std::string(7, '\0')) +
                        node("Reshape", {"q", "to"}, {"m"}) + node("DequantizeLinear", {"m", "s", "z"}, {"y"})),
                 "node 'n' (Reshape)" + said);
  const std::string zero = tensor("o", 1, {}, std::string(4, '\0')), four = tensor("b", 1, {}, {"\0\0\x80\x40", 4});
  expect_message(around(reals + zero + four + node("Quant", {"r", "s", "o", "b"}, {"y"}, field(7, "onnx.brevitas"))),
                 "node 'n' (Quant)" + said);
}

TEST(HostileFile, WhoseIntegersArePaddedWithWhatIsNoLevelIsRefused) {
  const std::string scales = tensor("s", 1, {2}, std::string(8, '?')), points = tensor("z", 3, {2}, {"\0\0", 2});
  const auto pads = [&](const std::string& value) {
    return around(scales + points + node("QuantizeLinear", {"x", "s", "z"}, {"q"}) +
                      node("Pad", {"q"}, {"p"}, integers("pads", {0, 0, 1, 1, 0, 0, 1, 1}) + value) +
                      node("DequantizeLinear", {"p", "s", "z"}, {"y"}),
                  10);
  };
  const auto real = [](const std::string& bytes) {
    return field(5, field(1, "value") + number(20, 1) + varint(2 << 3 | 5) + bytes);
  };
  expect_message(pads(real({"\0\0\xa0\x40", 4})),
                 "node 'n' (Pad): pads with 5 what has a scale for each channel (expected its zero point, 0)");
  expect_message(pads(real({"\0\0\x96\x43", 4})),
                 "node 'n' (Pad): pads with 300 (expected one of the levels, -128 to 127)");
  EXPECT_EQ(message_of(pads("")), "");
}

TEST(HostileFile, WithBrokenWiringNamesTheValue) {
  expect_message(around(node("Relu", {"y"}, {"y"})), "node 'n' (Relu): waits for its own output");
  expect_message(around(node("Relu", {"q"}, {"y"})), "node 'n' (Relu): value 'q', which nothing writes");
  expect_message(around(node("Relu", {"x"}, {"x"})), "writes 'x', which has a writer (expected a new name)");
  expect_message(around(node("Relu", {"x"}, {"z"})), "output 'y': value 'y', which nothing writes");
  expect_message(around(node("Relu", {}, {"y"})), "node 'n' (Relu): 0 inputs (expected 1)");
  expect_message(around(node("Relu", {"x"}, {})), "node 'n' (Relu): no first output (expected a name)");
}

TEST(HostileFile, WhoseNodesLackInputsOrOutputsIsRefusedByEveryDialect) {
  for (const char* dialect : {"native", "quantlab", "nemo", "deeploy", "qdq", "qoperator"})
    for (const char* op :
         {"Relu", "Cast", "Floor", "Mul", "Div", "Clip", "Concat", "ReduceMean", "GlobalAveragePool"}) {
      const std::string blind = message_of(around(node(op, {}, {"y"})), {}, dialect);
      EXPECT_TRUE(blind.starts_with(std::string("onnx: m.onnx: node 'n' (") + op + "): ")) << dialect << ": " << blind;
      EXPECT_EQ(message_of(around(node(op, {"x"}, {})), {}, dialect),
                std::string("onnx: m.onnx: node 'n' (") + op + "): no first output (expected a name)")
          << dialect;
    }
  expect_message(around(node("Relu", {"x"}, {"y", "z"}, field(7, "nibble"))),
                 "node 'n' (Relu): 2 outputs (expected 1)");
}

TEST(HostileFile, WithOperandsOfAnotherKindNamesThem) {
  const auto with = [](const std::string& op, int type, const Shape& shape, const std::vector<std::string>& inputs) {
    const std::string raw(static_cast<size_t>(element_count(shape)) * 8, '\0');
    return around(
        tensor("i", type, shape, raw) + tensor("w", 11, {2, 2, 1, 1}, std::string(32, '\0')) + node(op, inputs, {"y"}),
        17);
  };
  expect_message(with("LayerNormalization", 7, {4}, {"x", "i"}), "input 1 of int64 (expected reals)");
  expect_message(with("Conv", 7, {2}, {"x", "w", "i"}), "input 2 of int64 (expected reals)");
}

TEST(HostileFile, WithAttributesOfTheWrongKindOrSizeNamesThem) {
  expect_message(around(node("MaxPool", {"x"}, {"y"}, text("kernel_shape", "2"))),
                 "attribute 'kernel_shape' is a string (expected integers)");
  expect_message(around(node("MaxPool", {"x"}, {"y"}, integers("kernel_shape", {2}))),
                 "attribute 'kernel_shape' has 1 numbers (expected 2)");
  expect_message(around(node("MaxPool", {"x"}, {"y"}, integers("kernel_shape", {2, INT64_MAX}))),
                 "attribute 'kernel_shape' holds 9223372036854775807");
  expect_message(around(node("MaxPool", {"x"}, {"y"}, integers("kernel_shape", {2, 2}) + integers("strides", {0, 1}))),
                 "attribute 'strides' holds 0");
  expect_message(around(node("MaxPool", {"x"}, {"y"}, integers("kernel_shape", {2, 2}) + text("auto_pad", "UP"))),
                 "attribute 'auto_pad' is 'UP'");
  expect_message(around(node("Transpose", {"x"}, {"y"}, integers("perm", {0, 1, 2, 9}))),
                 "attribute 'perm' is [0, 1, 2, 9] (expected each axis once)");
  expect_message(around(node("Relu", {"x"}, {"y"}, integers("axes", {1}))),
                 "attribute 'axes' at opset 13 (expected none)");
  expect_message(around(node("Squeeze", {"x"}, {"y"}, integers("axes", {1 << 20})), 11), "axis 1048576 of 4");
  expect_message(around(node("Split", {"x"}, {"y", "z"}, integers("split", {9, -7})), 11),
                 "parts [9, -7] (expected parts that fill 1)");
}

TEST(HostileFile, WithExternalDataOutsideItsFolderIsRefused) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "nibble_external";
  std::filesystem::create_directories(folder);
  write_file(folder / "data.bin", std::string(16, '\0'), "test");
  const auto message = [&](const std::string& location, const std::string& offset) {
    return message_of(around(external("w", location, offset) + node("Add", {"x", "w"}, {"y"})), folder);
  };
  EXPECT_EQ(message("data.bin", "0"), "");
  EXPECT_NE(
      message("../data.bin", "0").find("external data at '../data.bin' (expected a path inside the model's folder)"),
      std::string::npos);
  EXPECT_NE(message("/etc/passwd", "0").find("expected a path inside the model's folder"), std::string::npos);
  EXPECT_NE(message("none.bin", "0").find("external data file 'none.bin' is missing"), std::string::npos);
  EXPECT_NE(message("data.bin", "8").find("external data of 16 bytes at 8 in 'data.bin' of 16 bytes"),
            std::string::npos);
  EXPECT_NE(message("data.bin", "18446744073709551615").find("(expected 16 bytes inside the file)"), std::string::npos);
  EXPECT_NE(message("data.bin", "eight").find("external data with offset 'eight' (expected a whole number)"),
            std::string::npos);
}

TEST(HostileFile, CutOrChangedAnywhereIsReadOrRefusedButNeverCrashes) {
  const std::string weights = tensor("w", 1, {3, 2, 3, 3}, std::string(216, '\1'));
  const std::string whole = around(weights + node("Conv", {"x", "w"}, {"c"}, integers("pads", {1, 1, 1, 1})) +
                                   node("MaxPool", {"c"}, {"y"}, integers("kernel_shape", {2, 2})));
  ASSERT_EQ(message_of(whole), "");
  for (size_t length = 0; length + 1 < whole.size(); ++length) message_of(whole.substr(0, length));
  Random random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string changed = whole;
    for (int change = 0; change < 3; ++change) changed[random.below(changed.size())] = static_cast<char>(random.bits());
    message_of(changed);
  }
}

}  // namespace
}  // namespace nibble
