#pragma once
#include <string>
#include <vector>

namespace nibble::verbs {

/// The command line: runs the verb that `words` name, prints its result on stdout or one line on stderr, and returns
/// the exit code (0 done, 1 a check failed, 2 the user's mistake, 3 ours).
int command_line(const std::vector<std::string>& words);

}  // namespace nibble::verbs
