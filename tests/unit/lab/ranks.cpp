#include <gtest/gtest.h>

#include <map>

#include "base/error.hpp"
#include "lab/ranks/environment.hpp"

namespace nibble::lab {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<train::RankPlace> place_of(int ranks, const Variables& variables) {
  return place_in_environment(ranks, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string said(int ranks, const Variables& variables) {
  try {
    place_of(ranks, variables);
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing";
}

Variables without(Variables variables, const char* name) {
  variables.erase(name);
  return variables;
}
Variables with(Variables variables, const char* name, const char* value) {
  variables[name] = value;
  return variables;
}

const Variables by_hand = {{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node7"}, {"MASTER_PORT", "2950"}};
const Variables slurm = {{"SLURM_STEP_ID", "0"},
                         {"SLURM_PROCID", "3"},
                         {"SLURM_NTASKS", "4"},
                         {"SLURM_NODELIST", "rack1-node[03-05,7],other"},
                         {"SLURM_JOB_ID", "120"}};

TEST(RankPlaces, AreWhatTheEnvironmentSays) {
  const auto place = place_of(2, by_hand);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->count, 2);
  EXPECT_EQ(place->address, "node7");
  EXPECT_EQ(place->port, 2950);
}

TEST(RankPlaces, AreSlurmsInAStepOfSeveralTasks) {
  const auto place = place_of(4, slurm);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 3);
  EXPECT_EQ(place->address, "rack1-node03");
  EXPECT_EQ(place->port, 16620);
  EXPECT_EQ(place_of(4, with(slurm, "MASTER_PORT", "4711"))->port, 4711);
  EXPECT_EQ(place_of(4, with(slurm, "SLURM_NODELIST", "localhost"))->address, "localhost");
  EXPECT_EQ(place_of(4, with(slurm, "SLURM_NODELIST", "a[1-2]b[7,9]"))->address, "a1b7");
}

TEST(RankPlaces, AreNoneOfAProcessThatIsAloneOrThatAJobsScriptStarts) {
  EXPECT_FALSE(place_of(2, {}));
  EXPECT_FALSE(place_of(1, with(by_hand, "WORLD_SIZE", "9")));
  EXPECT_FALSE(place_of(4, without(slurm, "SLURM_STEP_ID")));
  EXPECT_FALSE(place_of(4, with(slurm, "SLURM_NTASKS", "1")));
}

TEST(RankPlaces, ThatAreHalfSaidAreRefused) {
  const std::string all = " (expected all of RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT)";
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
    EXPECT_EQ(said(2, without(by_hand, name)),
              "lab: " + std::string(name) + ": it is not set, but others of its kind are" + all);
  EXPECT_EQ(said(2, {{"MASTER_PORT", "2950"}}), "lab: WORLD_SIZE: it is not set, but others of its kind are" + all);
  for (const char* name : {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST", "SLURM_JOB_ID"})
    EXPECT_NE(said(4, without(slurm, name)).find(std::string(name) + ": it is not set"), std::string::npos) << name;
}

TEST(RankPlaces, OfAnotherNumberOrNoneAreRefused) {
  EXPECT_EQ(said(3, by_hand), "lab: WORLD_SIZE: 2 (expected 3, as many as there are ranks)");
  EXPECT_EQ(said(2, slurm), "lab: SLURM_NTASKS: 4 (expected 2, as many as there are ranks)");
  EXPECT_EQ(said(2, with(by_hand, "RANK", "2")), "lab: RANK: '2' (expected a whole number from 0 to 1)");
  EXPECT_EQ(said(2, with(by_hand, "RANK", "-1")), "lab: RANK: '-1' (expected a whole number from 0 to 1)");
  EXPECT_EQ(said(2, with(by_hand, "RANK", "")), "lab: RANK: '' (expected a whole number from 0 to 1)");
  EXPECT_EQ(said(2, with(by_hand, "MASTER_PORT", "x")),
            "lab: MASTER_PORT: 'x' (expected a whole number from 1 to 65535)");
}

}  // namespace
}  // namespace nibble::lab
