#include <cmath>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "data/landmarks.hpp"
#include "lab/judge.hpp"
#include "stats/bootstrap.hpp"

namespace nibble::lab {
namespace {

/// Of a statistic over examples: whole groups are drawn where there are two and more, else examples.
stats::ConfidenceInterval interval_over(const Evaluation& evaluation, const stats::Statistic& statistic) {
  const std::vector<int64_t>& groups = evaluation.groups;
  const size_t examples = evaluation.errors.size();
  if (std::set<int64_t>(groups.begin(), groups.end()).size() > 1)
    return stats::grouped_bootstrap(groups, statistic).interval;
  if (examples > 1) return stats::bootstrap(examples, statistic).interval;
  const size_t only = 0;
  return {statistic({&only, 1}), statistic({&only, 1})};
}

}  // namespace

void Judge::add_squares(const std::vector<double>& outputs, const Tensor& target) {
  const std::vector<double> wanted = target.to_reals();
  if (wanted.size() != outputs.size())
    fail("lab", "targets", std::to_string(wanted.size()) + " values a batch",
         "the network's " + std::to_string(outputs.size()));
  const size_t each = wanted.size() / static_cast<size_t>(target.shape().front());
  double sum = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double square = (outputs[i] - wanted[i]) * (outputs[i] - wanted[i]);
    sum += square;
    fourth_ += square * square;
    ++squared_;
    if ((i + 1) % each != 0) continue;
    squares_ += sum;
    evaluation_.errors.push_back(sum / static_cast<double>(each));
    sum = 0;
  }
}

void Judge::add_landmarks(const std::vector<double>& outputs, const Tensor& target) {
  const std::vector<double> truth = target.to_reals();
  const auto examples = static_cast<size_t>(target.shape().front());
  const size_t each = outputs.size() / examples, points = truth.size() / examples;
  const size_t wanted = landmarks_->is_identity() ? points : landmarks_->parameters();
  if (each != wanted)
    fail("lab", "landmarks", std::to_string(each) + " outputs an example",
         std::to_string(wanted) + (landmarks_->is_identity() ? ": the points, which landmarks:DIR:BASIS would compute"
                                                             : ", the face model's parameters"));
  for (size_t i = 0; i < examples; ++i)
    evaluation_.errors.push_back(data::normalised_mean_error(
        data::landmarks_of(*landmarks_, {outputs.data() + i * each, each}), {truth.data() + i * points, points}));
}

void Judge::conclude_errors() {
  const std::vector<double>& errors = evaluation_.errors;
  if (landmarks_) {
    evaluation_.metric = "nme";
    evaluation_.value = std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
    evaluation_.interval = interval_over(evaluation_, stats::mean_of(errors));
    return;
  }
  const auto n = static_cast<double>(squared_);
  evaluation_.metric = "mean_square";
  evaluation_.value = squares_ / n;
  const double half = 1.96 * std::sqrt(std::max(0.0, fourth_ / n - evaluation_.value * evaluation_.value) / n);
  evaluation_.interval = {evaluation_.value - half, evaluation_.value + half};
}

RelativeError relative_error(const Evaluation& a, const Evaluation& b) {
  ensure(a.errors.size() == b.errors.size(), "errors are compared on the same examples");
  const auto more = [&](std::span<const size_t> rows) {
    double of_a = 0, of_b = 0;
    for (size_t row : rows) of_a += a.errors[row], of_b += b.errors[row];
    return of_b == 0 ? 0 : of_a / of_b - 1;
  };
  std::vector<size_t> all(a.errors.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return {more(all), interval_over(a, more)};
}

}  // namespace nibble::lab
