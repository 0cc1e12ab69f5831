#include "lab/tuning.hpp"

#include <set>

#include "base/error.hpp"
#include "equal/lab/backend_modules.hpp"
#include "equal/onnx/random_integer_networks.hpp"
#include "lab/loaded_program.hpp"
#include "lower/lower.hpp"

// A program that was measured gives the integers that it gave before, by whoever was fastest.
namespace nibble::tests {
namespace {

program::Program a_program(uint64_t seed) {
  return lower::lower(random_integer_network(seed, Style::Deployable));
}

lab::TuneOptions with(std::vector<std::string> backends) {
  lab::TuneOptions options;
  options.rounds = 3;
  options.backends = std::move(backends);
  return options;
}

TEST(Tune, ChoosesForEveryStepTheFastestOfThoseThatTakeIt) {
  const BackendFolders folders;
  const program::Program program = a_program(2);
  const lab::Tuning tuning = lab::tune(program, with({"reference"}));
  ASSERT_EQ(tuning.steps.size(), program.steps.size());
  ASSERT_EQ(tuning.choices.of.size(), program.steps.size());
  for (size_t i = 0; i < tuning.steps.size(); ++i) {
    const lab::TunedStep& step = tuning.steps[i];
    ASSERT_EQ(step.seconds.size(), tuning.runners.size());
    EXPECT_TRUE(step.refused.empty());
    EXPECT_EQ(tuning.choices.of[i], tuning.runners[step.chosen]);
    ASSERT_GE(step.seconds[step.chosen], 0);
    for (const double seconds : step.seconds) {
      if (seconds >= 0) {
        EXPECT_LE(step.seconds[step.chosen], seconds / 0.97);
      }
    }
  }
}

TEST(Tune, ChoosesNobodyWhoseIntegersAreOthers) {
  const BackendFolders folders;
  const lab::Tuning tuning = lab::tune(a_program(2), with({"wrong"}));
  EXPECT_EQ(tuning.steps.front().refused, std::vector<std::string>{"wrong"});
  for (size_t i = 0; i < tuning.steps.size(); ++i) EXPECT_NE(tuning.choices.of[i].name, "wrong") << i;
}

TEST(Tune, RefusesABackEndThatIsNotThere) {
  const BackendFolders folders;
  EXPECT_THROW(lab::tune(a_program(2), with({"nave"})), UserError);
}

TEST(Tune, AutoMeasuresEveryLibraryThatIsThereAndSaysWhichAreNone) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "auto_backends";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const std::string name : {"whole", "reference", "wrong", "shy", "no_entry", "nameless", "other_version"})
    std::filesystem::create_symlink(test_backends() / (name + ".so"), folder / (name + ".so"));
  const BackendFolders folders(folder.string());
  const lab::Tuning tuning = lab::tune(a_program(2), with({"auto"}));
  std::set<std::string> measured, passed_over;
  for (const program::Runner& runner : tuning.runners)
    if (runner.backend) measured.insert(runner.name);
  for (const std::string& why : tuning.passed_over)
    passed_over.insert(why.substr(0, why.find(": ", std::string("runtime: back end '").size())));
  for (const std::string name : {"whole", "reference", "wrong", "shy"}) EXPECT_TRUE(measured.contains(name)) << name;
  for (const std::string name : {"no_entry", "nameless", "other_version"}) {
    EXPECT_FALSE(measured.contains(name)) << name;
    EXPECT_TRUE(passed_over.contains("runtime: back end '" + name + "'")) << name;
  }
  for (const program::Runner& chosen : tuning.choices.of) EXPECT_NE(chosen.name, "wrong");
}

TEST(Tune, AutoWithoutLibrariesMeasuresKernelsAlone) {
  const BackendFolders none("/nowhere");
  const lab::Tuning tuning = lab::tune(a_program(2), with({"auto"}));
  EXPECT_TRUE(tuning.passed_over.empty());
  for (const program::Runner& runner : tuning.runners) EXPECT_FALSE(runner.backend) << runner.name;
}

/// Who runs each step of a program whose every step was chosen for one runner.
std::vector<std::string> sets_of(const program::Runner& runner, const std::vector<std::string>& backends) {
  program::Program program = a_program(2);
  program.choices = {"a machine", std::vector<program::Runner>(program.steps.size(), runner)};
  lab::RuntimeOptions options;
  options.backends = backends;
  const lab::LoadedProgram loaded(program::write(program), options);
  std::vector<std::string> sets;
  for (size_t i = 0; i < nibble_steps(loaded.program()); ++i) {
    nibble_step_info info;
    nibble_step(loaded.program(), i, &info);
    sets.push_back(std::string(info.set) + (*info.why != 0 ? ", not " : "") + info.why);
  }
  return sets;
}

TEST(Tune, ABackEndThatWasChosenIsLoadedWhenAskedForByAuto) {
  const BackendFolders folders;
  const std::vector<std::string> plain = sets_of({}, {});
  EXPECT_EQ(sets_of({"reference", true}, {}), plain);
  const std::vector<std::string> sets = sets_of({"whole", true}, {"auto"});
  EXPECT_EQ(sets.front(), "whole");
  for (const std::string& set : sets_of({"missing", true}, {"auto"}))
    EXPECT_NE(set.find(", not missing: no library of this name"), std::string::npos) << set;
}

}  // namespace
}  // namespace nibble::tests
