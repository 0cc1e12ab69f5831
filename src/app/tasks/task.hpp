#pragma once
#include "app/tasks.hpp"

/// What rows of the table of tasks share, and the functions that they are made of.
namespace nibble::app {

std::unique_ptr<Task> open_classification(const Description&, const Parts&, const Ports&, const std::string& place);
std::unique_ptr<Task> open_detection(const Description&, const Parts&, const Ports&, const std::string& place);
std::unique_ptr<Task> open_segmentation(const Description&, const Parts&, const Ports&, const std::string& place);
std::unique_ptr<Task> open_landmarks(const Description&, const Parts&, const Ports&, const std::string& place);
std::unique_ptr<Task> open_keywords(const Description&, const Parts&, const Ports&, const std::string& place);
std::unique_ptr<Task> open_anomaly(const Description&, const Parts&, const Ports&, const std::string& place);

/// The output of that name, or the only one; throws UserError naming the key.
size_t output_named(const Ports& outputs, const Json& name, const std::string& place);
/// Throws UserError where there are class names, and not `count` of them.
void check_classes(const Description& app, int64_t count, const std::string& place);
std::string class_name(const std::vector<std::string>& classes, int64_t index);
/// An array of a part (.npy, or NAME.npz with the array's name), in float32.
Tensor array_of(const Parts& parts, const std::string& part, const std::string& array, const std::string& place);

/// "NAME 87 %", of a share of 1.
std::string label_of(const std::string& name, double share);

/// class_names and how many are `named`, for generated code.
std::string names_of(const std::vector<std::string>& classes);

/// A real as C++ says it, to the bit; a text in quotes; a list of such.
std::string literal(double value);
std::string literals(const float* values, size_t count);
std::string literals(const double* values, size_t count);
std::string literals(const std::vector<std::string>& texts);

/// For schemas.
Json number_schema(std::string_view about);
Json list_of(Json items);
Json object_of(Json properties);

}  // namespace nibble::app
