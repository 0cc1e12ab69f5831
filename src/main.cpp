#include <csignal>

#include "verbs/command_line.hpp"

int main(int count, char** words) {
  // A file-size limit is then an error of write(2), which has a message, instead of a silent death.
  std::signal(SIGXFSZ, SIG_IGN);
  return nibble::verbs::command_line({words + 1, words + count});
}
