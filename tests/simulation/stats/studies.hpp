#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace nibble::stats {

/// What simulated studies of a known truth came to: how often something happened beside how often it must.
class Studies {
 public:
  /// So many studies a claim: NIBBLE_STUDIES, or `short_form`.
  explicit Studies(int64_t short_form);

  /// `happens` (a study from its own stream of random numbers) happens with probability `truth`, exactly where
  /// `allowance` is 0; it is what approximations are granted.
  void claim(const std::string& name, double truth, const std::function<bool(Random&)>& happens, double allowance = 0);
  /// The mean of `value` over studies is at most `truth`, in [0, 1], and `truth` itself where exact.
  void claim_mean(const std::string& name, double truth, const std::function<double(Random&)>& value);

  /// Prints the table and expects every rate within its interval: binomial, 95 % for the claims of all tables together
  /// (Bonferroni).
  void judge() const;

 private:
  struct Row {
    std::string name;
    double truth, seen, error, allowance;
  };
  int64_t studies_;
  std::vector<Row> rows_;
};

/// `count` normal values.
std::vector<double> normals(Random& random, size_t count, double mean = 0, double deviation = 1);

}  // namespace nibble::stats
