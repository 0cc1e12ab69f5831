#include <cstdlib>
#include <set>

#include "equal/runtime/runtime.hpp"
#include "equal/runtime/wild_networks.hpp"
#include "kernels/kernels.h"

/// A file decides nothing that is not checked: whatever a field says, the program is refused with a reason, or runs within
/// its own memory (the address sanitizer looks on).
namespace nibble::tests {
namespace {

/// Opens, and where that is granted runs, what the bytes say. Returns whether it was granted.
bool opens_and_runs(const std::vector<uint8_t>& bytes) {
  char message[256] = "";
  nibble_program* raw = nullptr;
  const nibble_status status = nibble_open_memory(bytes.data(), bytes.size(), nullptr, &raw, message, sizeof message);
  const ProgramPointer program(raw);
  EXPECT_EQ(status == NIBBLE_OK, raw != nullptr);
  if (raw == nullptr) {
    EXPECT_NE(message[0], 0) << "refused without a reason";
    return false;
  }
  if (nibble_arena_bytes(raw) > 1 << 20) return true;
  nibble_context* made = nullptr;
  // Scratch may be more than there is.
  if (nibble_context_create(raw, 1, &made) != NIBBLE_OK) return true;
  const ContextPointer context(made);
  for (size_t i = 0; i < nibble_inputs(raw); ++i) {
    nibble_port port;
    nibble_input(raw, i, &port);
    const std::vector<std::byte> zeros(port.bytes + 8);
    nibble_set(context.get(), i, zeros.data());
  }
  nibble_run(context.get());
  for (size_t i = 0; i < nibble_outputs(raw); ++i) {
    nibble_port port;
    nibble_output(raw, i, &port);
    std::vector<std::byte> bytes_of_it(port.bytes + 1);
    nibble_get(context.get(), i, bytes_of_it.data());
  }
  return true;
}

/// Small programs that have every kind of step between them.
std::vector<program::Program> small_programs() {
  std::vector<program::Program> programs;
  std::set<std::pair<int, std::string>> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const graph::Graph graph = any_network(seed);
    program::Program program;
    try {
      program = lower::lower(graph, options_to_try()[(seed + seed / 8) % 8]);
    } catch (const UserError&) {
      continue;
    }
    if (program.arena > 4096 || program.constants.size() > 8192 || program.steps.size() > 8) continue;
    bool another = false;
    for (const program::Step& step : program.steps)
      another =
          seen.insert({step.kind, step.op + step.requantisation + (step.rows > 0 ? " packed" : "")}).second || another;
    if (another) programs.push_back(std::move(program));
  }
  return programs;
}

std::vector<int64_t> extremes(int64_t of) {
  return {INT64_MIN,
          INT64_MIN / 2,
          INT32_MIN,
          -64,
          -1,
          0,
          1,
          2,
          3,
          7,
          16,
          63,
          64,
          255,
          65536,
          INT32_MAX,
          int64_t{1} << 32,
          int64_t{1} << 40,
          INT64_MAX,
          static_cast<int64_t>(static_cast<uint64_t>(of) + 1),
          static_cast<int64_t>(static_cast<uint64_t>(of) - 1),
          2 * (of % 1000000)};
}

TEST(HostilePrograms, AreRefusedOrRunWithinTheirMemoryWhateverOneFieldSays) {
  int granted = 0, refused = 0;
  std::set<int> kinds;
  Random random(3);
  const char* const all = std::getenv("NIBBLE_ALL_FIELDS");
  for (const program::Program& program : small_programs()) {
    ASSERT_TRUE(opens_and_runs(program::write(program)));
    const auto attempt = [&](const program::Program& changed) {
      // One in 24 of them; NIBBLE_ALL_FIELDS=1: all.
      if (all == nullptr && random.below(24) != 0) return;
      ++(opens_and_runs(program::write(changed)) ? granted : refused);
    };
    program::Program changed = program;
    for (size_t i = 0; i < program.steps.size(); ++i) {
      const program::Step& step = program.steps[i];
      program::Step& other = changed.steps[i];
      kinds.insert(step.kind);
      for (size_t field = 0; field < step.numbers.size(); ++field) {
        for (int64_t value : extremes(step.numbers[field])) other.numbers[field] = value, attempt(changed);
        other.numbers[field] = step.numbers[field];
      }
      for (size_t k = 0; k < step.in.size(); ++k) {
        for (int64_t value : extremes(step.in[k].offset)) other.in[k].offset = value / 4, attempt(changed);
        other.in[k].where = program::Place::Where::Nowhere, attempt(changed);
        other.in[k] = step.in[k];
      }
      for (int64_t value : extremes(step.out.offset)) other.out.offset = value / 4, attempt(changed);
      for (int64_t value : extremes(step.rows)) other.rows = static_cast<int32_t>(value), attempt(changed);
      other.rows = step.rows;
      for (program::Value& value : other.values)
        for (int32_t type = -1; type < 13; ++type) value.type = type, attempt(changed);
      other.values = step.values;
      other.in.clear(), attempt(changed);
      other.in.resize(4, {program::Place::Where::Arena, 0}), attempt(changed);
      other = step;
      for (int kind = -1; kind <= NIBBLE_KIND_COUNT; ++kind) other.kind = kind, attempt(changed);
      other = step;
    }
    for (auto* ports : {&changed.inputs, &changed.outputs})
      for (program::Port& port : *ports) {
        const program::Port whole = port;
        for (int64_t value : extremes(whole.value.place.offset)) port.value.place.offset = value / 4, attempt(changed);
        port = whole;
        for (size_t k = 0; k < whole.value.extents.size(); ++k)
          for (int64_t value : extremes(whole.value.extents[k])) {
            port.value.extents[k] = value, attempt(changed);
            port = whole, port.value.strides[k] = value, attempt(changed);
            port = whole;
          }
        for (int64_t value : extremes(whole.low)) port.low = value, attempt(changed);
        port = whole;
        for (int type = -1; type < 13; ++type) port.value.type = type, attempt(changed);
        port = whole;
      }
    for (int64_t value : extremes(program.arena)) {
      changed.arena = value, attempt(changed);
      changed.arena = program.arena, changed.scratch = value, attempt(changed);
      changed.scratch = program.scratch;
    }
  }
  EXPECT_GE(kinds.size(), 9U);
  EXPECT_GT(granted, 50);
  EXPECT_GT(refused, 200);
}

TEST(HostilePrograms, AreRefusedOrRunWhateverTheirBytesSay) {
  Random random(5);
  const std::vector<program::Program> programs = small_programs();
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> bytes = program::write(programs[random.below(programs.size())]);
    const uint64_t count = 1 + random.below(3);
    for (uint64_t i = 0; i < count; ++i) {
      const size_t at = random.below(bytes.size());
      const uint64_t kind = random.below(3);
      if (kind == 0) bytes[at] = static_cast<uint8_t>(random.bits());
      if (kind == 1) bytes[at] ^= static_cast<uint8_t>(1U << random.below(8));
      if (kind == 2) bytes[at] = random.below(2) == 0 ? 0xff : 0;
    }
    if (random.below(10) == 0) bytes.resize(random.below(bytes.size()));
    opens_and_runs(bytes);
  }
}

}  // namespace
}  // namespace nibble::tests
