#include "app/application.hpp"

#include <chrono>
#include <new>

#include "app/generate.hpp"
#include "app/input.hpp"
#include "base/error.hpp"
#include "data/formats/wav.hpp"

namespace nibble::app {
namespace {

struct Release {
  void operator()(nibble_program* program) const { nibble_release(program); }
  void operator()(nibble_context* context) const { nibble_context_release(context); }
};
using OpenedProgram = std::unique_ptr<nibble_program, Release>;

OpenedProgram open_program(const std::string& bytes, const std::string& place, const RunOptions& options) {
  char message[512] = "";
  nibble_program* program = nullptr;
  const char* kernels = options.kernels.empty() ? nullptr : options.kernels.c_str();
  const nibble_status status =
      nibble_open_memory(bytes.data(), bytes.size(), kernels, &program, message, sizeof message);
  if (status == NIBBLE_NO_MEMORY) throw std::bad_alloc();
  if (status != NIBBLE_OK) fail("app", place, message, "a program of 'nibble compile', and a kernel set of this CPU");
  OpenedProgram opened(program);
  for (const std::string& backend : options.backends)
    if (nibble_use_backend(program, backend.c_str(), nullptr, message, sizeof message) != NIBBLE_OK)
      fail("app", "back end '" + backend + "'", message);
  return opened;
}

std::string_view kind_name(Kind kind) {
  return kind == Kind::Image ? "image" : kind == Kind::Sound ? "sound" : "numbers";
}

program::Program read_network(const Parts& parts, const Description& app, const std::string& place) {
  const std::string& bytes = part_named(parts, app.network, place + ": network");
  return program::read({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, app.network);
}

}  // namespace

struct Application::Impl {
  Parts parts;
  Description description;
  OpenedProgram program;
  Ports outputs;
  std::optional<Levels> levels;
  std::optional<ImagePreparation> image;
  std::optional<data::SoundFeatures> sound;
  std::unique_ptr<Task> task;
  bool reads_input = false;

  Impl(Parts given, const std::string& place, const RunOptions& options)
      : parts(std::move(given)), description(describe(parts, place)) {
    program::Program read = read_network(parts, description, place);
    if (read.inputs.size() != 1)
      fail("app", place + ": network", std::to_string(read.inputs.size()) + " inputs", "one");
    program = open_program(parts.find(description.network)->second, place + ": network", options);
    outputs = std::move(read.outputs);
    levels.emplace(read.inputs[0], place + ": network");
    if (description.kind == Kind::Image) image.emplace(image_preparation(description, read.metadata, *levels, place));
    if (description.kind == Kind::Sound) {
      const Shape heard = description.sound.shape();
      if (element_count(heard) != static_cast<int64_t>(levels->elements()))
        fail("app", place + ": input: sound", "features " + to_string(heard),
             "the network's input, " + to_string(levels->shape()));
      sound.emplace(description.sound);
    }
    const TaskRow& row = task_named(description.task, place);
    const std::string_view kind = kind_name(description.kind);
    if (row.inputs.find(kind) == row.inputs.npos)
      fail("app", place + ": input", std::string(kind) + ", for " + description.task, std::string(row.inputs));
    task = row.open(description, parts, outputs, place);
    reads_input = row.reads_input;
    if (reads_input && !rebuilds())
      fail("app", place + ": network", "no output of the input's size", "one that reconstructs it");
  }

  bool rebuilds() const {
    for (const program::Port& port : outputs)
      if (element_count(port.value.extents) == static_cast<int64_t>(levels->elements())) return true;
    return false;
  }
};

Application::Application(Parts parts, const std::string& place, const RunOptions& options)
    : impl_(std::make_unique<Impl>(std::move(parts), place, options)) {}
Application::~Application() = default;

const Description& Application::description() const {
  return impl_->description;
}
const Parts& Application::parts() const {
  return impl_->parts;
}
const nibble_program* Application::program() const {
  return impl_->program.get();
}
Json Application::result_schema() const {
  return task_named(impl_->description.task, "app").result_schema();
}

struct Worker::Impl {
  const Application::Impl& app;
  std::unique_ptr<nibble_context, Release> context;
  ImagePreparation::Room room{};
  std::string levels{}, bytes{};
  std::chrono::steady_clock::time_point since{};

  void begin() { since = std::chrono::steady_clock::now(); }
  void end(Reply& reply, std::string_view stage) {
    const auto now = std::chrono::steady_clock::now();
    reply.stages.push_back({stage, std::chrono::duration<double>(now - since).count()});
    since = now;
  }

  /// The input's integers into `levels`; a picture is given back, for drawing.
  std::optional<Tensor> prepare(const Request& request, Seen& seen, Reply& reply) {
    std::optional<Tensor> picture;
    if (app.image) {
      picture = decode_picture(request.bytes, request.place);
      end(reply, "decode");
      seen.placement = (*app.image)(*picture, request.box, room, levels);
      seen.height = picture->shape()[0];
      seen.width = picture->shape()[1];
      seen.side = app.image->height();
      if (app.reads_input) seen.input = app.levels->reals(levels);
    } else {
      seen.input = decode_numbers(request.bytes, request.place);
      end(reply, "decode");
      app.levels->quantise(seen.input, levels, request.place);
    }
    end(reply, "prepare");
    return picture;
  }

  /// A window of a sound, zeros behind its end.
  void hear(const data::Sound& sound, int64_t first, Seen& seen, const std::string& place) {
    const auto rate = static_cast<double>(sound.rate);
    const int64_t length = app.description.sound.samples;
    const auto count = static_cast<int64_t>(sound.samples.size());
    seen.begin = static_cast<double>(first) / rate;
    seen.end = static_cast<double>(first + length) / rate;
    const std::span<const float> window(sound.samples.data() + first,
                                        static_cast<size_t>(std::min(length, count - first)));
    const Tensor features = (*app.sound)(window, sound.rate, place);
    seen.input.assign(features.as<float>().begin(), features.as<float>().end());
    app.levels->quantise(seen.input, levels, place);
  }

  /// Every window of a sound, through the network.
  void listen(const Request& request, std::vector<Seen>& windows, Reply& reply) {
    const data::Sound sound = data::parse_wav(request.bytes, request.place);
    end(reply, "decode");
    double preparing = 0, running = 0;
    const int64_t count = static_cast<int64_t>(sound.samples.size()), length = app.description.sound.samples;
    windows.clear();
    for (int64_t first = 0; first == 0 || first + length <= count; first += app.description.hop) {
      Reply part;
      Seen& seen = windows.emplace_back();
      hear(sound, first, seen, request.place);
      end(part, "prepare");
      run_network();
      end(part, "network");
      read_outputs(seen, reply);
      preparing += part.stages[0].seconds;
      running += part.stages[1].seconds;
    }
    reply.stages.push_back({"prepare", preparing});
    reply.stages.push_back({"network", running});
  }

  void run_network() {
    const nibble_status set = nibble_set(context.get(), 0, levels.data());
    const nibble_status ran = set == NIBBLE_OK ? nibble_run(context.get()) : set;
    if (ran == NIBBLE_FAULT) fail("app", "network", "it divides by zero, or reads beyond a table, on this input");
    ensure(ran == NIBBLE_OK, "a network takes the integers of its input");
  }

  void read_outputs(Seen& seen, Reply& reply) {
    reply.input += levels;
    for (size_t i = 0; i < app.outputs.size(); ++i) {
      const program::Port& port = app.outputs[i];
      Output output{port.value.name, port.value.extents, {}};
      nibble_port size{};
      nibble_output(app.program.get(), i, &size);
      output.reals.resize(size.elements);
      bytes.resize(size.bytes);
      ensure(nibble_get_reals(context.get(), i, output.reals.data()) == NIBBLE_OK &&
                 nibble_get(context.get(), i, bytes.data()) == NIBBLE_OK,
             "a network's outputs can be read");
      reply.outputs[output.name] += bytes;
      seen.outputs.push_back(std::move(output));
    }
  }
};

Worker::Worker(const Application& application, int threads) {
  nibble_context* context = nullptr;
  if (nibble_context_create(application.program(), threads, &context) != NIBBLE_OK) throw std::bad_alloc();
  impl_ = std::unique_ptr<Impl>(new Impl{*application.impl_, std::unique_ptr<nibble_context, Release>(context)});
}
Worker::~Worker() = default;

Reply Worker::run(const Request& request) {
  Impl& worker = *impl_;
  Reply reply;
  std::vector<Seen> windows(1);
  std::optional<Tensor> picture;
  if (!worker.app.image && (request.box || request.drawn))
    fail("app", request.box ? "box" : "draw", "an input without pixels", "a picture");
  worker.begin();
  if (worker.app.sound) {
    worker.listen(request, windows, reply);
  } else {
    picture = worker.prepare(request, windows[0], reply);
    worker.run_network();
    worker.end(reply, "network");
    worker.read_outputs(windows[0], reply);
  }
  reply.result = worker.app.task->answer(windows);
  worker.end(reply, "answer");
  if (request.drawn) {
    Canvas canvas(*picture);
    worker.app.task->draw(canvas, windows[0], reply.result);
    reply.png = canvas.png();
  }
  return reply;
}

Json golden_of(const Reply& reply) {
  Json outputs = Json::object();
  for (const auto& [name, bytes] : reply.outputs) outputs[name] = sha256(bytes);
  return {{"input", sha256(reply.input)}, {"outputs", std::move(outputs)}, {"result", reply.result}};
}

std::string difference_from(const Json& golden, const Reply& reply) {
  const Json found = golden_of(reply);
  if (golden == found) return "";
  if (!golden.is_object() || golden.value("input", Json()) != found["input"])
    return "the network's input differs: the picture is decoded or prepared otherwise";
  for (const auto& [name, hash] : found["outputs"].items())
    if (!golden.value("outputs", Json::object()).is_object() ||
        golden.value("outputs", Json::object()).value(name, Json()) != hash)
      return "output '" + name + "' of the network differs";
  return "the integers are the same, and the answer differs";
}

std::map<std::string, std::string> Application::generated(const std::string& prefix) const {
  const Impl& app = *impl_;
  return generate({app.description, *app.levels, app.image ? &*app.image : nullptr, *app.task,
                   app.parts.find(app.description.network)->second},
                  prefix);
}

std::string Application::packed() const {
  Worker worker(*this, 1);
  Parts parts = impl_->parts;
  Json app = impl_->description.whole;
  Json samples = Json::array();
  for (const SampleInput& sample : impl_->description.samples) {
    const Request request{part_named(parts, sample.file, "samples"), sample.file, sample.box};
    Json entry = {{"input", sample.file}};
    if (sample.box) entry["box"] = {sample.box->left, sample.box->top, sample.box->width, sample.box->height};
    entry["golden"] = golden_of(worker.run(request));
    samples.push_back(std::move(entry));
  }
  app["samples"] = std::move(samples);
  parts.insert_or_assign("app.json", app.dump());
  parts.insert_or_assign("schema.json",
                         Json{{"application", description_schema()}, {"result", result_schema()}}.dump(2));
  return bundle_bytes(std::move(parts), impl_->description.name);
}

}  // namespace nibble::app
