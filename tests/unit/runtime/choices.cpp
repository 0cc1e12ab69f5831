#include "base/error.hpp"
#include "equal/runtime/runtime.hpp"
#include "equal/runtime/wild_networks.hpp"

// What `tune` chose for each step, in the file and when it is loaded.
namespace nibble::tests {
namespace {

program::Program chosen(const program::Runner& runner) {
  program::Program program = lower::lower(random_integer_network(2, Style::Deployable));
  program.choices = {"a machine", std::vector<program::Runner>(program.steps.size(), runner)};
  return program;
}

std::vector<std::string> sets_of(const std::vector<uint8_t>& bytes, const char* kernels = nullptr) {
  const ProgramPointer program = opened(bytes, kernels);
  std::vector<std::string> sets;
  for (size_t i = 0; i < nibble_steps(program.get()); ++i) {
    nibble_step_info info;
    nibble_step(program.get(), i, &info);
    sets.emplace_back(info.set);
  }
  return sets;
}

std::string refusal_of(const std::vector<uint8_t>& bytes) {
  char message[256] = "";
  nibble_program* program = nullptr;
  EXPECT_EQ(nibble_open_memory(bytes.data(), bytes.size(), nullptr, &program, message, sizeof message),
            NIBBLE_BAD_PROGRAM);
  return message;
}

TEST(Choices, ComeBackFromTheFile) {
  program::Program program = chosen({"neon", false});
  program.choices->of.front() = {"acl", true};
  program.choices->of.back() = {};
  EXPECT_EQ(program::read(program::write(program), "x.nib").choices, program.choices);
  program.choices.reset();
  EXPECT_EQ(program::read(program::write(program), "x.nib").choices, std::nullopt);
}

TEST(Choices, OfAKernelSetAreHonouredWhereItRunsHere) {
  const std::vector<uint8_t> bytes = program::write(chosen({"reference", false}));
  const std::vector<std::string> sets = sets_of(bytes);
  EXPECT_EQ(sets, std::vector<std::string>(sets.size(), "reference"));
}

TEST(Choices, OfWhatIsNotHereArePassedOver) {
  program::Program plain = chosen({});
  plain.choices.reset();
  const std::vector<std::string> sets = sets_of(program::write(plain));
  EXPECT_EQ(sets_of(program::write(chosen({"a set of another machine", false}))), sets);
  EXPECT_EQ(sets_of(program::write(chosen({"a library", true}))), sets);
}

TEST(Choices, YieldToAKernelSetThatIsAskedFor) {
  program::Program plain = chosen({});
  plain.choices.reset();
  for (const char* set : kernel_sets())
    EXPECT_EQ(sets_of(program::write(chosen({"reference", false})), set), sets_of(program::write(plain), set)) << set;
}

TEST(Choices, OfOtherStepsAreRefusedByBothReaders) {
  program::Program program = chosen({"reference", false});
  program.choices->of.pop_back();
  const std::vector<uint8_t> bytes = program::write(program);
  EXPECT_EQ(refusal_of(bytes), "choices of other steps");
  try {
    program::read(bytes, "x.nib");
    FAIL() << "read";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "program: x.nib: choices of other steps (expected a whole .nib file)");
  }
}

}  // namespace
}  // namespace nibble::tests
