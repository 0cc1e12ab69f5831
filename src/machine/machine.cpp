#include "machine/machine.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/embedded.hpp"
#include "base/error.hpp"

/// machines/*.json
const std::vector<nibble::Embedded>& nibble_machine_files();

namespace nibble::machine {
namespace {

std::vector<std::string> texts(const Section& section, std::string_view key) {
  const Json& list = section.part(key);
  if (!list.is_array()) section.refuse(key, "a list of names");
  std::vector<std::string> result;
  for (const Json& each : list) {
    if (!each.is_string()) section.refuse(key, "a list of names");
    result.push_back(each.get<std::string>());
  }
  return result;
}

Memory memory_from_json(const Json& json, const std::string& place) {
  const Section section(json, "machine", place, {"name", "bytes", "holds", "bytes_per_cycle"});
  Memory memory;
  memory.name = section.text("name");
  section.whole("bytes", memory.bytes, 1, int64_t{1} << 40);
  if (!section.has("bytes")) section.refuse("bytes", "how many there are");
  memory.holds = texts(section, "holds");
  for (const std::string& what : memory.holds)
    if (what != "code" && what != "constants" && what != "activations" && what != "stack")
      section.refuse("holds", "of code, constants, activations and stack");
  section.real("bytes_per_cycle", memory.bytes_per_cycle, Section::above_zero, Section::largest);
  return memory;
}

/// Only JSON, in the order of names.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  if (error) fail("machine", folder.string(), error.message(), "a folder of machines, as NIBBLE_MACHINES says");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

bool Memory::may_hold(std::string_view what) const {
  return std::find(holds.begin(), holds.end(), what) != holds.end();
}

int64_t Machine::bytes_for(std::string_view what) const {
  if (memories.empty()) return -1;
  int64_t bytes = 0;
  for (const Memory& memory : memories)
    if (memory.may_hold(what)) bytes += memory.bytes;
  return bytes;
}

int64_t Machine::largest_for(std::string_view what) const {
  if (memories.empty()) return -1;
  int64_t bytes = 0;
  for (const Memory& memory : memories)
    if (memory.may_hold(what)) bytes = std::max(bytes, memory.bytes);
  return bytes;
}

Machine machine_from_json(const Json& json, const std::string& place) {
  const Section section(json, "machine", place,
                        {"name", "description", "instruction_set", "kernels", "activations", "memories", "alignment",
                         "clock_hz", "compiler", "cost"});
  Machine machine;
  machine.name = section.text("name");
  machine.description = section.has("description") ? section.text("description") : "";
  machine.instruction_set = section.text("instruction_set");
  machine.kernels = texts(section, "kernels");
  if (section.has("activations")) machine.activations = section.text("activations");
  if (!machine.activations.empty() && machine.activations != "signed" && machine.activations != "unsigned")
    section.refuse("activations", "signed or unsigned");
  if (!section.part("memories").is_array()) section.refuse("memories", "a list");
  for (const Json& memory : section.part("memories"))
    machine.memories.push_back(memory_from_json(memory, place + ": memories"));
  int64_t alignment = machine.alignment;
  section.whole("alignment", alignment, 1, 4096);
  if ((alignment & (alignment - 1)) != 0) section.refuse("alignment", "a power of two");
  machine.alignment = static_cast<int>(alignment);
  section.real("clock_hz", machine.clock_hz, Section::above_zero, Section::largest);
  if (section.has("compiler")) {
    const Section compiler = section.section("compiler", {"command", "flags"});
    machine.compiler = compiler.text("command");
    machine.flags = compiler.text("flags");
  }
  if (section.has("cost")) {
    const Section cost = section.section("cost", {"multiply_accumulate", "byte_moved", "requantisation"});
    cost.real("multiply_accumulate", machine.cost.multiply_accumulate, 0, Section::largest);
    cost.real("byte_moved", machine.cost.byte_moved, 0, Section::largest);
    cost.real("requantisation", machine.cost.requantisation, 0, Section::largest);
  }
  return machine;
}

std::vector<Machine> machines() {
  std::vector<Machine> all;
  const auto add = [&](Machine machine) {
    std::erase_if(all, [&](const Machine& other) { return other.name == machine.name; });
    all.push_back(std::move(machine));
  };
  for (const Embedded& file : nibble_machine_files())
    add(machine_from_json(parse_json(file.text, "machine", std::string(file.name)), std::string(file.name)));
  if (const char* folder = std::getenv("NIBBLE_MACHINES"); folder != nullptr && *folder != 0)
    for (const auto& file : files_of(folder)) add(machine_from_json(read_json(file, "machine"), file.string()));
  std::sort(all.begin(), all.end(), [](const Machine& a, const Machine& b) { return a.name < b.name; });
  return all;
}

Machine machine_named(const std::string& name) {
  if (name.ends_with(".json")) return machine_from_json(read_json(name, "machine"), name);
  std::vector<std::string> names;
  for (const Machine& machine : machines()) {
    if (machine.name == name) return machine;
    names.push_back(machine.name);
  }
  fail("machine", "'" + name + "'", "no machine of that name" + did_you_mean(name, names),
       "one that 'nibble machines' lists, or a file that ends in .json");
}

}  // namespace nibble::machine
