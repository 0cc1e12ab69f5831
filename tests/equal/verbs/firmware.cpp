#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.hpp"
#include "text/verbs/models.hpp"
#include "text/verbs/script.hpp"

/// Generated code in a user's firmware: strict compilers, C++, two networks that share an arena, frameworks of boards.
namespace nibble::tests {
namespace {

namespace fs = std::filesystem;

class Firmware : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("nibble_firmware_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write_models(folder_);
    say("$N quantize tiny.onnx --data npz:examples.npz -o a.onnx --quiet && $N integerize a.onnx -o a_id.onnx --quiet");
    say("$N quantize tokens.onnx --data npz:ids.npz -o b.onnx --quiet && $N integerize b.onnx -o b_id.onnx --quiet");
    say("$N generate a_id.onnx -o tiny --prefix tiny --machine cortex-m4");
    say("$N generate b_id.onnx -o words --prefix words --machine cortex-m4");
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Runs the command, which succeeds; what it says.
  std::string say(const std::string& command) {
    const Step step = run("N=" NIBBLE_BINARY "\nS=" NIBBLE_SOURCE "\n" + command, folder_);
    std::string said;
    for (const auto* lines : {&step.output, &step.errors})
      for (const std::string& line : *lines) said += line + "\n";
    EXPECT_EQ(step.exit_code, 0) << command << "\n" << said;
    return said;
  }
  bool there(const std::string& tool) { return run("command -v " + tool, folder_).exit_code == 0; }
  /// The objects' frames are within what the headers state.
  void expect_stack(const std::string& compiler) {
    for (const std::string name : {"tiny", "words"}) {
      // The run calls a kernel; that at most two of its own functions, one within another, and as many that kernels share.
      const std::string top = "awk '{print $(NF-1)}' | sort -rn | head -", sum = " | awk '{s += $1} END {print s + 0}'";
      const std::string o = name + "/objects/";
      const std::string kernels =
          "for f in $(ls " + o + "*.su | grep -v '/" + name + "\\|/reference.su\\|/wide.su'); do ";
      std::istringstream said(say("(cat " + o + name + ".su | " + top + "1; (" + kernels + "cat $f | " + top + "3" +
                                  sum + "; done) | sort -rn | head -1; cat " + o + "reference.su " + o + "wide.su | " +
                                  top + "2)" + sum));
      int64_t frames = 0;
      said >> frames;
      const std::string header = read_file(folder_ / name / (name + ".h"), "tests"), key = "_STACK_BYTES ";
      ASSERT_NE(header.find(key), std::string::npos);
      EXPECT_LE(frames, std::stoll(header.substr(header.find(key) + key.size()))) << compiler << " " << name;
      EXPECT_GT(frames, 100);
      EXPECT_EQ(say("cat " + o + "*.su | grep -c dynamic || true"), "0\n") << "no frame of variable length";
    }
  }
  void write(const std::string& name, const std::string& text) { write_file(folder_ / name, text, "tests"); }

  fs::path folder_;
};

/// Builds each network's objects with the compiler: in the folder NAME/objects.
std::string compiled(const std::string& compiler) {
  return "for n in tiny words; do (cd $n && rm -rf objects && mkdir objects && for f in *.c $(find kernels -name "
         "'*.c'); do " +
         compiler +
         " -std=c99 -Wall -Wextra -Wconversion -Werror -ffp-contract=off -I. -c $f -o objects/$(basename $f .c).o || "
         "exit 1; done) || exit 1; done";
}

TEST_F(Firmware, CompilesWithoutAWarningAndTwoNetworksShareAnArena) {
  write("two.c", R"(#include <stdio.h>
#include <string.h>
#include "tiny/test/golden.h"
#include "words/test/golden.h"
static union { tiny_arena tiny; words_arena words; } arena;
static tiny_classifier tiny_out;
static words_classifier words_out;
int main(void) {
  int wrong = 0;
  for (int i = 0; i < 2; ++i) {
    memset(&arena, 0x5a, sizeof arena);
    wrong |= tiny_run(&tiny_golden_image[i], &tiny_out, &arena.tiny) || memcmp(&tiny_out, &tiny_golden_classifier[i], sizeof tiny_out);
    wrong |= words_run(&words_golden_ids[i], &words_out, &arena.words) || memcmp(&words_out, &words_golden_classifier[i], sizeof words_out);
  }
  return wrong;
}
)");
  if (there("clang")) say(compiled("clang -fsyntax-only"));
  const std::string checks = " -O0 -fsanitize=address,undefined -fno-sanitize-recover=all ";
  say(compiled("gcc" + checks));
  say("gcc -std=c99 -I." + checks + "two.c tiny/objects/*.o words/objects/*.o -lm -o two && ./two");
}

// One build for what follows: it costs more than all that is asked of it.
TEST_F(Firmware, IsIncludedByCxxBySketchesAndByZephyrAndKeepsItsNamesAndItsStack) {
  write("user.cpp", R"(#include "tiny/tiny.h"
#include "words/words.h"
static tiny_arena arena;
int main() {
  tiny_image image{};
  tiny_classifier scores{};
  return tiny_init(&arena) == 0 && tiny_run(&image, &scores, &arena) == 0 ? 0 : 1;
}
)");
  say(compiled("gcc -O2 -fstack-usage"));
  say("g++ -std=c++17 -Wall -Wextra -Werror -I. user.cpp tiny/objects/*.o words/objects/*.o -lm -o user && ./user");
  for (const std::string name : {"tiny", "words"})
    EXPECT_EQ(say("nm -g --defined-only " + name + "/objects/*.o | awk 'NF == 3 && $3 !~ /^" + name + "_/ {print $3}'"),
              "");
  say("g++ -std=c++17 -Wall -Wextra -Werror -I. -I$S/tests/embedded/stubs -x c++ "
      "$S/examples/microcontroller/arduino/tiny/tiny.ino -x none $S/tests/embedded/stubs/arduino_main.cpp "
      "tiny/objects/*.o "
      "-lm -o sketch && ./sketch");
  say("gcc -std=c11 -Wall -Wextra -Werror -I. -Itiny -I$S/tests/embedded/stubs "
      "$S/examples/microcontroller/zephyr/src/main.c tiny/objects/*.o -lm -o zephyr && ./zephyr | grep -q class");
  expect_stack("gcc");
  if (!there("arm-none-eabi-gcc")) return;
  say(compiled("arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O3 -fstack-usage"));
  expect_stack("arm-none-eabi-gcc");
}

}  // namespace
}  // namespace nibble::tests
