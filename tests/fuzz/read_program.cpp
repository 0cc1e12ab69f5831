#include "read_program.hpp"

#include <vector>

#include "runtime/nibble.h"

namespace nibble::fuzz {
namespace {

/// Bytes of memory, and work, beyond which a program is opened and not run.
constexpr size_t largest_arena = 1 << 14;
constexpr int64_t most_operations = 1 << 22;

bool is_small(const nibble_program* program) {
  if (nibble_arena_bytes(program) > largest_arena) return false;
  int64_t operations = 0;
  for (size_t i = 0; i < nibble_steps(program); ++i) {
    nibble_step_info info;
    nibble_step(program, i, &info);
    if (info.items < 0 || info.items > most_operations) return false;
    operations += info.items;
  }
  return operations <= most_operations;
}

void run(const nibble_program* program) {
  nibble_context* context = nullptr;
  if (nibble_context_create(program, 1, &context) != NIBBLE_OK) return;
  nibble_port port;
  for (size_t i = 0; i < nibble_inputs(program); ++i) {
    nibble_input(program, i, &port);
    nibble_set(context, i, std::vector<char>(port.bytes + 1).data());
    nibble_set_reals(context, i, std::vector<float>(port.elements + 1).data());
  }
  nibble_run(context);
  for (size_t i = 0; i < nibble_outputs(program); ++i) {
    nibble_output(program, i, &port);
    nibble_get(context, i, std::vector<char>(port.bytes + 1).data());
    nibble_get_reals(context, i, std::vector<float>(port.elements + 1).data());
  }
  nibble_context_release(context);
}

}  // namespace

void read_program(std::string_view bytes) {
  nibble_program* program = nullptr;
  char message[256];
  if (nibble_open_memory(bytes.data(), bytes.size(), nullptr, &program, message, sizeof message) != NIBBLE_OK) return;
  if (is_small(program)) run(program);
  nibble_release(program);
}

}  // namespace nibble::fuzz
