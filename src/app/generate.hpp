#pragma once
#include <map>
#include <string>

#include "app/input.hpp"
#include "app/tasks.hpp"

namespace nibble::app {

/// What generated code is made from.
struct Source {
  const Description& description;
  const Levels& levels;
  const ImagePreparation* image;  ///< null: it reads numbers
  const Task& task;
  const std::string& program;  ///< bytes of the .nib
};

/// An application as C++17 and C99: PREFIX.hpp and .cpp, the network, the files of `processing`, a main that reads PPM or
/// numbers, CMakeLists.txt. Links libnibble_rt alone. Throws UserError where `prefix` is no identifier.
std::map<std::string, std::string> generate(const Source& source, const std::string& prefix);

/// What generated files are made with: words replaced by their values, in the words' order; a file of `processing`; how a
/// picture is placed, and the network's integers of its pixels under the name `levels`.
std::string filled(std::string_view text, const std::map<std::string, std::string>& words);
std::string processing_source(std::string_view name);
std::string image_tables(const ImagePreparation& image, const std::string& levels);

}  // namespace nibble::app
