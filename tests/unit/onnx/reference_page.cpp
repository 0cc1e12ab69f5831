#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.hpp"
#include "onnx/onnx.hpp"

namespace nibble {
namespace {

TEST(ReferencePage, OfOnnxIsUpToDate) {
  const std::filesystem::path file = std::filesystem::path(NIBBLE_SOURCE) / "docs" / "reference" / "onnx.md";
  if (std::getenv("NIBBLE_BLESS")) write_file(file, onnx::reference_page(), "test");
  EXPECT_EQ(read_file(file, "test"), onnx::reference_page()) << "run this test with NIBBLE_BLESS=1";
}

}  // namespace
}  // namespace nibble
