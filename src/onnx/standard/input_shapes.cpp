#include "onnx/standard/input_shapes.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "onnx/file/container.hpp"

namespace nibble::onnx {

namespace {

/// Every output has a first extent of 0: no network that computes nothing is meant.
bool writes_empty_batches(const pb::GraphProto& graph) {
  return std::all_of(graph.output().begin(), graph.output().end(), [](const auto& output) {
    const auto& shape = output.type().tensor_type().shape();
    return shape.dim_size() > 0 && shape.dim(0).has_dim_value() && shape.dim(0).dim_value() == 0;
  });
}

/// What binds an open extent: the file's name of it, else the input's with the axis.
std::string name_of(const std::string& input, const pb::TensorShapeProto::Dimension& extent, size_t axis) {
  return extent.dim_param().empty() ? input + ":" + std::to_string(axis) : extent.dim_param();
}

}  // namespace

InputShapes::InputShapes(const pb::GraphProto& graph, const ReadOptions& options, std::string place)
    : options_(options), place_(std::move(place)), empty_is_open_(writes_empty_batches(graph)) {
  if (options_.batch != any && options_.batch < 1)
    fail("onnx", place_, "batch " + std::to_string(options_.batch), "at least 1");
  for (const auto& [name, number] : options_.extents)
    if (number < 1) fail("onnx", place_, "extent " + in_quotes(name) + " of " + std::to_string(number), "at least 1");
  check_names(graph);
}

void InputShapes::check_names(const pb::GraphProto& graph) const {
  std::set<std::string> names;
  for (const auto& input : graph.input()) {
    size_t axis = 0;
    for (const auto& extent : input.type().tensor_type().shape().dim()) {
      const bool open = !extent.has_dim_value() || extent.dim_value() < 0;
      if (open || !extent.dim_param().empty()) names.insert(name_of(input.name(), extent, axis));
      ++axis;
    }
  }
  for (const auto& [name, number] : options_.extents) {
    if (names.contains(name)) continue;
    std::string known;
    for (const std::string& each : names) known.append(known.empty() ? "" : ", ").append(each);
    fail("onnx", place_, "no extent " + in_quotes(name) + did_you_mean(name, names),
         known.empty() ? "none: the file leaves no extent of its inputs open" : known);
  }
}

Shape InputShapes::of(const std::string& input, const pb::TypeProto::Tensor& type) {
  const std::string where = place_ + ": input " + in_quotes(input);
  if (!type.has_shape()) fail("onnx", where, "no shape", "extents");
  constexpr int deepest = 32;
  if (type.shape().dim_size() > deepest)
    fail("onnx", where, std::to_string(type.shape().dim_size()) + " axes", "at most " + std::to_string(deepest));
  Shape shape;
  for (const auto& extent : type.shape().dim()) {
    const bool open = shape.empty() && empty_is_open_ && extent.dim_value() == 0;
    const bool fixed = extent.has_dim_value() && extent.dim_value() >= 0 && !open;
    if (extent.has_dim_value() && extent.dim_value() < -1)
      fail("onnx", where, "an extent of " + std::to_string(extent.dim_value()), "at least 0");
    if (fixed && shape.empty()) note_fixed_batch(input, extent.dim_value());
    shape.push_back(fixed ? extent.dim_value()
                          : bound(input, name_of(input, extent, shape.size()), shape.size(), where));
  }
  element_count(shape, 1);
  return shape;
}

void InputShapes::note_fixed_batch(const std::string& input, int64_t extent) {
  if (extent == options_.batch) batch_fits_ = true;
  if (extent == options_.batch || !fixed_by_.empty()) return;
  fixed_batch_ = extent;
  fixed_by_ = input;
}

/// What the data has there; `any` where it says nothing. A name is one number wherever it stands.
int64_t InputShapes::of_data(const std::string& input, const std::string& name, size_t axis, const std::string& where) {
  const auto known = by_data_.find(name);
  const auto given = options_.data.find(input);
  const int64_t extent = given != options_.data.end() && axis < given->second.size() ? given->second[axis] : any;
  if (known == by_data_.end()) {
    if (extent != any) by_data_.emplace(name, extent);
    return extent;
  }
  if (extent != any && extent != known->second)
    fail("onnx", where,
         "data of " + std::to_string(extent) + " along axis " + std::to_string(axis) + ", " + in_quotes(name),
         std::to_string(known->second) + ", which another axis of that name has");
  return known->second;
}

int64_t InputShapes::bound(const std::string& input, const std::string& name, size_t axis, const std::string& where) {
  const auto given = options_.extents.find(name);
  if (axis == 0) {
    batch_fits_ = true;
    if (given == options_.extents.end()) return options_.batch;
    if (options_.batch != any && options_.batch != given->second)
      fail("onnx", where,
           "a batch of " + std::to_string(options_.batch) + " and extent " + in_quotes(name) +
               ", which is the batch, of " + std::to_string(given->second),
           "one number");
  }
  if (given != options_.extents.end()) return given->second;
  if (const int64_t extent = of_data(input, name, axis, where); extent != any) return extent;
  fail("onnx", where, "axis " + std::to_string(axis) + " has no extent, only " + in_quotes(name),
       "a number on every axis but the first, the batch: bind it (--shape " + name + "=N)");
}

void InputShapes::check_batch() const {
  if (options_.batch != any && !batch_fits_ && !fixed_by_.empty())
    fail("onnx", place_, "a batch of " + std::to_string(options_.batch),
         std::to_string(fixed_batch_) + ", which the file fixes for input " + in_quotes(fixed_by_));
}

}  // namespace nibble::onnx
