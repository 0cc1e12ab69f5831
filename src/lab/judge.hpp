#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "data/landmarks.hpp"
#include "lab/metrics.hpp"

namespace nibble::lab {

/// Collects a network's outputs in real units, batch after batch, into an Evaluation.
class Judge {
 public:
  /// `landmarks`: how targets that are landmarks follow from outputs; else null.
  explicit Judge(std::shared_ptr<const data::LandmarkModel> landmarks = {}) : landmarks_(std::move(landmarks)) {}

  /// outputs: [B, rest] row-major. A batch without labels and targets counts decisions only. Throws UserError naming
  /// the example on NaN among outputs or targets, and on a label that is none.
  void add(const std::vector<double>& outputs, const data::Batch& batch);
  Evaluation conclude();

 private:
  void refuse_nan(const std::vector<double>& numbers, int64_t rows, std::string_view what) const;
  void add_decisions(const std::vector<double>& scores, int64_t rows, const std::vector<int64_t>& labels);
  void add_squares(const std::vector<double>& outputs, const Tensor& target);
  void add_landmarks(const std::vector<double>& outputs, const Tensor& target);
  void conclude_errors();

  std::shared_ptr<const data::LandmarkModel> landmarks_;
  Evaluation evaluation_;
  int64_t labelled_ = 0, top1_ = 0, top5_ = 0, squared_ = 0;
  double squares_ = 0, fourth_ = 0;
};

}  // namespace nibble::lab
