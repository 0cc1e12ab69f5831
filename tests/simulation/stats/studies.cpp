#include "simulation/stats/studies.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "stats/distributions.hpp"

namespace nibble::stats {
namespace {

constexpr double claims_of_all_tables = 51;

}  // namespace

Studies::Studies(int64_t short_form) : studies_(short_form) {
  if (const char* count = std::getenv("NIBBLE_STUDIES")) studies_ = std::max(int64_t{100}, int64_t{std::atoll(count)});
}

void Studies::claim(const std::string& name, double truth, const std::function<bool(Random&)>& happens,
                    double allowance) {
  const Random random(rows_.size() + 1);
  int64_t count = 0;
  for (int64_t i = 0; i < studies_; ++i) {
    Random own = random.fork(static_cast<uint64_t>(i));
    count += happens(own);
  }
  const auto n = static_cast<double>(studies_);
  rows_.push_back({name, truth, static_cast<double>(count) / n, std::sqrt(truth * (1 - truth) / n), allowance});
}

void Studies::claim_mean(const std::string& name, double truth, const std::function<double(Random&)>& value) {
  const Random random(rows_.size() + 1);
  double sum = 0;
  double squares = 0;
  for (int64_t i = 0; i < studies_; ++i) {
    Random own = random.fork(static_cast<uint64_t>(i));
    const double x = value(own);
    sum += x;
    squares += x * x;
  }
  const auto n = static_cast<double>(studies_);
  rows_.push_back({name, truth, sum / n, std::sqrt((squares / n - sum * sum / n / n) / n), 0});
}

void Studies::judge() const {
  const double z = -normal_quantile(0.05 / (2 * claims_of_all_tables));
  std::printf("%lld studies a claim\n%-52s %8s %8s %8s %9s\n", static_cast<long long>(studies_), "claim", "truth",
              "seen", "within", "granted");
  for (const Row& row : rows_) {
    std::printf("%-52s %8.4f %8.4f %8.4f %9.3f\n", row.name.c_str(), row.truth, row.seen, z * row.error, row.allowance);
    EXPECT_LE(std::abs(row.seen - row.truth), z * row.error + row.allowance) << row.name;
  }
}

std::vector<double> normals(Random& random, size_t count, double mean, double deviation) {
  std::vector<double> values(count);
  for (double& value : values) value = mean + deviation * random.normal();
  return values;
}

}  // namespace nibble::stats
