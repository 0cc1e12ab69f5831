#pragma once
#include <map>
#include <string>
#include <vector>

#include "app/bundle.hpp"
#include "program/program.hpp"

namespace nibble::app {

/// The network's generated code that an application's stands beside: names in C (codegen/generate.hpp).
struct NetworkCode {
  const program::Program& program;
  std::string prefix;
  std::vector<std::string> inputs, outputs;  ///< PREFIX_<name> is the type
};

/// PREFIX_app.h and .c, and what they include.
struct ApplicationCode {
  std::map<std::string, std::string> files;
  std::string about;  ///< for people: what they take, and how near they are to the application in reals
};

/// From a picture or a sound to an answer by integers alone, nothing allocated. `parts` hold app.json and what it names,
/// without the network. Throws UserError "app: <place>: ..." where a part does not fit, or the task has no integer form.
ApplicationCode generate_c(const Parts& parts, const NetworkCode& network, const std::string& place);

}  // namespace nibble::app
