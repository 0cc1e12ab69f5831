#pragma once
#include <memory>
#include <string>
#include <vector>

#include "train/api.hpp"

namespace nibble::lab {

/// The ranks of an experiment whose rank 0 is this process.
class Team {
 public:
  /// Where `place` is not given, the others are started here: `command` (nibble and its words) with the environment that
  /// tells each which it is. Throws UserError where they cannot be started, or rank 0 cannot listen.
  Team(const train::Api& api, int ranks, const std::optional<train::RankPlace>& place,
       std::vector<std::string> command);
  /// The others end, those that were started here before this returns.
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  train::Ranks* ranks() const { return ranks_.get(); }

 private:
  void start(int rank, int port);
  /// train::RankEnded, of those that were started here.
  std::string ended(int rank);

  std::vector<std::string> command_;
  std::vector<int> processes_;     ///< by rank; 0: none of this process'
  std::vector<std::string> ends_;  ///< by rank: how its process has ended
  std::unique_ptr<train::Ranks> ranks_;
};

}  // namespace nibble::lab
