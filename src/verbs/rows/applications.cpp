#include <fmt/format.h>

#include "app/application.hpp"
#include "app/pack.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "lab/latency.hpp"
#include "lower/lower.hpp"
#include "verbs/programs.hpp"
#include "verbs/rows.hpp"
#include "verbs/rows/code_folder.hpp"
#include "verbs/tables/program_tables.hpp"

namespace nibble::verbs {
namespace {

namespace fs = std::filesystem;

app::RunOptions run_options(const Call& call) {
  if (!call.takes("kernels")) return {};
  return {call.text("kernels", ""), call.texts("backend")};
}

app::Application opened(const Call& call) {
  return {app::read_bundle(call.path("BUNDLE")), call.text("BUNDLE"), run_options(call)};
}

int threads_of(const Call& call) {
  return std::min(call.has("threads") ? call.threads() : 1, 64);
}

std::string as_text(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The program of a description's network: itself, or what an integer network is lowered to.
program::Program program_named(const Call& call, const fs::path& file) {
  if (is_program(file)) {
    if (call.has("machine"))
      fail("verbs", call.place("machine"), "for a program, which is laid out", "the integer network's ONNX file");
    return lab::read_program(file);
  }
  const graph::Graph graph = onnx::read(file);
  if (graph.stage != graph::Stage::ID)
    fail("verbs", file.string(), "a network of stage " + std::string(to_string(graph.stage)),
         "an integer network: 'nibble integerize' makes one");
  return lower::lower(graph, layout_for(call.text("machine", "host")));
}

Json sizes_of(const program::Program& program, size_t file_bytes) {
  int64_t operations = 0;
  for (const program::Step& step : program.steps) operations += step.operations;
  return {{"program_bytes", file_bytes}, {"arena_bytes", program.arena}, {"multiply_accumulates", operations}};
}

app::Request request_of(const Call& call, const std::string& bytes, const std::string& place) {
  app::Request request{bytes, place};
  if (call.has("box")) request.box = app::parse_box(call.text("box"), call.place("box"));
  return request;
}

/// A line or a few of an answer, for people.
std::string described(const Json& result) {
  std::string text;
  const auto line_of = [](const Json& item) {
    std::string line;
    for (const auto& [key, value] : item.items()) {
      if (key == "index" && item.contains("name")) continue;
      line += line.empty() ? "" : "  ";
      if (value.is_string())
        line += value.get<std::string>();
      else if (value.is_number_float())
        line += fmt::format("{} {:.4g}", key, value.get<double>());
      else
        line += key + " " + value.dump();
    }
    return line;
  };
  for (const auto& [key, value] : result.items()) {
    if (key == "runs") continue;
    const bool list = value.is_array() && !value.empty() && value[0].is_object();
    if (list) {
      for (const Json& item : value) text += line_of(item) + "\n";
    } else if (value.is_array() && value.size() > 4) {
      text += fmt::format("{} {}\n", value.size(), key);
    } else {
      text += value.is_object() ? key + ": " + line_of(value) + "\n" : key + ": " + value.dump() + "\n";
    }
  }
  return text;
}

}  // namespace

Result app_pack(const Call& call) {
  const fs::path file = call.path("APP.json");
  const fs::path folder = file.parent_path();
  Json description = read_json(file, "app");
  if (!description.is_object() || !description.contains("network") || !description["network"].is_string())
    fail("app", file.string() + ": network", description.is_object() ? "missing" : "no object", "a file's name");
  app::Parts parts = app::read_parts(description, folder, file.string());
  const program::Program program = program_named(call, folder / description["network"].get<std::string>());
  const std::string bytes = as_text(program::write(program));
  const std::string machine = call.text("machine", "host");
  description["targets"][machine] = sizes_of(program, bytes.size());
  description["network"] = "network.nib";
  parts.insert_or_assign("network.nib", bytes);
  parts.insert_or_assign("app.json", description.dump());
  const app::Application application(std::move(parts), file.string());
  const std::string packed = application.packed();
  write_file(call.path("output"), packed, "app");
  Result result;
  result.json = {{"application", call.text("output")},
                 {"bytes", packed.size()},
                 {"samples", application.description().samples.size()},
                 {"targets", description["targets"]}};
  result.text = fmt::format("wrote {}: {} bytes, {} of network, {} samples with their goldens\n", call.text("output"),
                            packed.size(), bytes.size(), application.description().samples.size());
  return result;
}

Result app_run(const Call& call) {
  const app::Application application = opened(call);
  app::Worker worker(application, threads_of(call));
  const std::vector<std::string> inputs = call.texts("INPUT");
  if (call.has("draw") && inputs.size() != 1)
    fail("verbs", call.place("draw"), std::to_string(inputs.size()) + " inputs", "one, whose picture is drawn on");
  Result result;
  result.json = Json::array();
  for (const std::string& input : inputs) {
    const std::string bytes = read_file(input, "app", size_t{1} << 30);
    app::Request request = request_of(call, bytes, input);
    request.drawn = call.has("draw");
    const app::Reply reply = worker.run(request);
    if (request.drawn) write_file(call.path("draw"), reply.png, "app");
    result.json.push_back({{"input", input}, {"result", reply.result}});
    result.text += (inputs.size() > 1 ? input + "\n" : "") + described(reply.result);
  }
  return result;
}

Result app_check(const Call& call) {
  const app::Application application = opened(call);
  app::Worker worker(application, threads_of(call));
  const auto& samples = application.description().samples;
  if (samples.empty()) fail("app", call.text("BUNDLE"), "no samples", "at least one, with its golden");
  Result result;
  result.text = describe_backends(application.program(), run_options(call).backends);
  result.json = {{"samples", Json::array()}, {"equal", true}};
  for (const app::SampleInput& sample : samples) {
    const app::Request request{app::part_named(application.parts(), sample.file, "samples"), sample.file, sample.box};
    const std::string difference = app::difference_from(sample.golden, worker.run(request));
    result.json["samples"].push_back({{"input", sample.file}, {"difference", difference}});
    result.text += sample.file + ": " + (difference.empty() ? "equal" : difference) + "\n";
    if (!difference.empty()) {
      result.exit_code = 1;
      result.json["equal"] = false;
    }
  }
  return result;
}

Result app_bench(const Call& call) {
  const app::Application application = opened(call);
  app::Worker worker(application, threads_of(call));
  const auto& samples = application.description().samples;
  if (samples.empty() && !call.has("input")) fail("app", call.text("BUNDLE"), "no samples", "--input FILE");
  const std::string bytes = call.has("input") ? read_file(call.path("input"), "app", size_t{1} << 30)
                                              : app::part_named(application.parts(), samples[0].file, "samples");
  app::Request request{bytes, call.text("input", samples.empty() ? "" : samples[0].file)};
  if (!call.has("input")) request.box = samples[0].box;
  const int64_t runs = call.integer("runs", 200, 1, 1000000);
  std::map<std::string_view, std::vector<double>> seconds;
  std::vector<double> whole;
  std::vector<app::Stage> stages = worker.run(request).stages;
  for (int64_t i = 0; i < runs; ++i) {
    whole.push_back(0);
    for (const app::Stage& stage : worker.run(request).stages) {
      seconds[stage.name].push_back(stage.seconds);
      whole.back() += stage.seconds;
    }
  }
  Result result;
  result.text = describe_backends(application.program(), run_options(call).backends);
  result.json = {{"runs", runs}, {"threads", threads_of(call)}, {"stages", Json::array()}};
  const auto add = [&](std::string_view name, std::vector<double> times) {
    const lab::Spread spread = lab::spread_of(std::move(times));
    result.text += fmt::format("{:<8} median {:.4f} ms, 5 % {:.4f}, 95 % {:.4f}\n", name, 1e3 * spread.median,
                               1e3 * spread.low, 1e3 * spread.high);
    return Json{{"median_ms", 1e3 * spread.median}, {"p5_ms", 1e3 * spread.low}, {"p95_ms", 1e3 * spread.high}};
  };
  for (const app::Stage& stage : stages) {
    Json entry = add(stage.name, seconds[stage.name]);
    entry["name"] = stage.name;
    result.json["stages"].push_back(std::move(entry));
  }
  result.json["whole"] = add("whole", std::move(whole));
  return result;
}

Result app_generate(const Call& call) {
  const app::Application application = opened(call);
  const fs::path folder = call.path("output");
  Result result;
  result.json = {{"files", Json::array()}};
  const auto files = application.generated(call.text("prefix", "app"));
  write_code(folder, files, "processing/fixed_sound.h", "nibble app generate");
  for (const auto& [name, text] : files) result.json["files"].push_back(name);
  result.text = fmt::format("wrote {} files to {}\n", result.json["files"].size(), folder.string());
  return result;
}

}  // namespace nibble::verbs
