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

}  // namespace nibble::app
