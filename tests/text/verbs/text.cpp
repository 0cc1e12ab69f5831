#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.hpp"
#include "text/verbs/models.hpp"
#include "text/verbs/script.hpp"

namespace nibble::tests {
namespace {

namespace fs = std::filesystem;

const fs::path torch_module = fs::path(NIBBLE_BINARY).parent_path() / "libnibble_torch.so";

/// Every text test, and every page of the guide.
std::vector<fs::path> scripts() {
  std::vector<fs::path> files;
  for (const char* folder : {"tests/text", "tests/text/torch", "tests/error/verbs", "docs/guide"})
    for (const auto& entry : fs::directory_iterator(fs::path(NIBBLE_SOURCE) / folder))
      if (entry.path().extension() == ".test" || entry.path().extension() == ".md") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string name_of(const testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.parent_path().filename().string() + "_" + info.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

/// The lines found, those that the old patterns match as they were.
std::vector<std::string> blessed(const std::vector<std::string>& patterns, const std::vector<std::string>& found) {
  std::vector<std::string> lines = found;
  for (size_t i = 0; i < lines.size() && i < patterns.size(); ++i)
    if (matches(patterns[i], lines[i])) lines[i] = patterns[i];
  return lines;
}

void expect_lines(const std::vector<std::string>& patterns, const std::vector<std::string>& found,
                  const std::string& of) {
  for (size_t i = 0; i < std::max(patterns.size(), found.size()); ++i) {
    const std::string pattern = i < patterns.size() ? patterns[i] : "(nothing)";
    const std::string line = i < found.size() ? found[i] : "(nothing)";
    EXPECT_TRUE(i < patterns.size() && i < found.size() && matches(pattern, line))
        << of << " line " << i + 1 << "\n  found    " << line << "\n  expected " << pattern;
  }
}

class Text : public testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("nibble_text_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write_models(folder_);
    const bool torch = GetParam().parent_path().filename() == "torch";
    if (torch && !fs::exists(torch_module)) GTEST_SKIP() << "built without libtorch";
    ::setenv("NIBBLE_TORCH_MODULE", torch ? torch_module.c_str() : "/nowhere/libnibble_torch.so", 1);
    ::setenv("NIBBLE_SOURCE", NIBBLE_SOURCE, 1);
    const std::string path = fs::path(NIBBLE_BINARY).parent_path().string() + ":/usr/bin:/bin";
    ::setenv("PATH", path.c_str(), 1);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_P(Text, SaysWhatTheFileSays) {
  Script script = read_script(GetParam());
  const bool bless = std::getenv("NIBBLE_BLESS") != nullptr;
  ASSERT_FALSE(script.pieces.empty()) << GetParam() << " has no commands";
  for (Script::Piece& piece : script.pieces) {
    Step& step = piece.step;
    const Step found = run(step.command, folder_);
    if (bless) {
      step = {step.command, blessed(step.output, found.output), blessed(step.errors, found.errors), found.exit_code};
      continue;
    }
    SCOPED_TRACE(script.prompt + step.command);
    expect_lines(step.output, found.output, "stdout");
    expect_lines(step.errors, found.errors, "stderr");
    EXPECT_EQ(found.exit_code, step.exit_code);
  }
  if (bless) write_file(GetParam(), text_of(script), "tests");
}

INSTANTIATE_TEST_SUITE_P(Verbs, Text, testing::ValuesIn(scripts()), name_of);

TEST(TextScript, AWildcardStandsForAnythingWithinALine) {
  EXPECT_TRUE(matches("took <*> s", "took 1.25 s"));
  EXPECT_TRUE(matches("<*>", ""));
  EXPECT_TRUE(matches("a <*> b <*>", "a x b y b z"));
  EXPECT_FALSE(matches("took <*> s", "took 1.25 ms, more"));
  EXPECT_FALSE(matches("took <*> s", "takes 1 s"));
}

}  // namespace
}  // namespace nibble::tests
