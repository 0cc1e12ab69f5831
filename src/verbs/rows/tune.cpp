#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/tuning.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/tables/columns.hpp"
#include "verbs/tables/tuning_tables.hpp"

namespace nibble::verbs {
namespace {

std::string microseconds(double seconds) {
  return seconds < 0 ? "-" : fmt::format("{:.2f}", 1e6 * seconds);
}

std::string describe(const program::Program& program, const lab::Tuning& tuning) {
  std::vector<Column> titles{{"step", Side::Right}, {"name"}, {"op"}};
  for (const program::Runner& runner : tuning.runners) titles.push_back({runner.name + " us", Side::Right});
  titles.push_back({"chosen"});
  Columns columns(std::move(titles));
  std::string refused;
  for (size_t i = 0; i < tuning.steps.size(); ++i) {
    const lab::TunedStep& step = tuning.steps[i];
    std::vector<std::string> cells{std::to_string(i), program.steps[i].name, program.steps[i].op};
    for (const double seconds : step.seconds) cells.push_back(microseconds(seconds));
    cells.push_back(tuning.choices.of[i].name);
    columns.add(std::move(cells));
    for (const std::string& name : step.refused)
      refused += fmt::format("  {} {}: {} gives other integers\n", i, program.steps[i].name, name);
  }
  return columns.text() + "\n" + refused;
}

Json step_json(const program::Step& of, const lab::Tuning& tuning, size_t i) {
  Json json = {{"name", of.name}, {"op", of.op}, {"chosen", tuning.choices.of[i].name}, {"us", Json::object()}};
  for (size_t who = 0; who < tuning.runners.size(); ++who)
    if (tuning.steps[i].seconds[who] >= 0) json["us"][tuning.runners[who].name] = 1e6 * tuning.steps[i].seconds[who];
  json["refused"] = tuning.steps[i].refused;
  return json;
}

}  // namespace

Result tune(const Call& call) {
  const std::filesystem::path file = call.path("MODEL.nib");
  program::Program program = lab::read_program(file);
  const lab::LoadedProgram checked(file, {});
  const lab::Tuning tuning = lab::tune(program, {.threads = call.threads(),
                                                 .rounds = call.integer("runs", 50, 1, 1000000),
                                                 .seed = call.seed().value_or(0),
                                                 .backends = call.texts("backend")});
  program.choices = tuning.choices;
  Result result;
  if (call.has("output")) {
    const std::vector<uint8_t> bytes = program::write(program);
    write_file(call.path("output"), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
               "verbs");
    result.json["model"] = call.text("output");
  }
  result.json.update(tuned_json(tuning));
  result.json["threads"] = checked.threads();
  result.json["steps"] = Json::array();
  for (size_t i = 0; i < program.steps.size(); ++i)
    result.json["steps"].push_back(step_json(program.steps[i], tuning, i));
  result.text = describe(program, tuning) + describe_tuned(tuning);
  if (call.has("output")) result.text += fmt::format("wrote {}\n", call.text("output"));
  return result;
}

}  // namespace nibble::verbs
