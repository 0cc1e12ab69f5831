#pragma once
#include <vector>

#include "lab/metrics.hpp"

namespace nibble::lab {

/// Collects a network's outputs in real units, batch after batch, into an Evaluation.
class Judge {
 public:
  /// outputs: [B, rest] row-major. A batch without labels and targets counts decisions only.
  void add(const std::vector<double>& outputs, const data::Batch& batch);
  Evaluation conclude();

 private:
  void add_decisions(const std::vector<double>& scores, int64_t rows, const std::vector<int64_t>& labels);
  void add_squares(const std::vector<double>& outputs, int64_t rows, const Tensor& target);

  Evaluation evaluation_;
  int64_t labelled_ = 0, top1_ = 0, top5_ = 0, squared_ = 0;
  double squares_ = 0, fourth_ = 0;
};

}  // namespace nibble::lab
