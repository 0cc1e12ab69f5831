// models FOLDER: what the text tests work on, for tests that are scripts.
#include "text/verbs/models.hpp"

int main(int count, char** words) {
  if (count != 2) return 2;
  nibble::tests::write_models(words[1]);
}
