#pragma once
#include <map>
#include <string>

#include "onnx/file/proto.hpp"
#include "onnx/onnx.hpp"

namespace nibble::onnx {

/// The shapes of a network's inputs: the file's extents, and for those that it leaves open the numbers of the options,
/// else those of the data. A batch of 0 from inputs to all outputs is an open one, as other tools take it.
class InputShapes {
 public:
  /// Throws UserError on a number below 1, and on a name that no input has.
  InputShapes(const pb::GraphProto& graph, const ReadOptions& options, std::string place);
  /// An open first axis that has no number is `any`. Throws UserError on any other, and where the batch has two.
  Shape of(const std::string& input, const pb::TypeProto::Tensor& type);
  /// To be called when all inputs are known. Throws UserError on a batch that the file fixes to another number.
  void check_batch() const;

 private:
  void check_names(const pb::GraphProto& graph) const;
  int64_t bound(const std::string& input, const std::string& name, size_t axis, const std::string& where);
  int64_t of_data(const std::string& input, const std::string& name, size_t axis, const std::string& where);
  void note_fixed_batch(const std::string& input, int64_t extent);

  const ReadOptions& options_;
  std::string place_;
  bool empty_is_open_;
  std::map<std::string, int64_t> by_data_;  ///< extents that the data gave, by the file's names
  bool batch_fits_ = false;                 ///< an input leaves its batch open, or has the options' number
  int64_t fixed_batch_ = any;               ///< the first that is not the options'
  std::string fixed_by_;                    ///< the input that has it
};

}  // namespace nibble::onnx
