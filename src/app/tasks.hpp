#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/canvas.hpp"
#include "app/description.hpp"
#include "program/program.hpp"

namespace nibble::app {

/// One output of the network: reals, row by row in the network's order of axes.
struct Output {
  std::string name;
  Shape shape;
  std::vector<float> reals;
};

/// What a task answers from: one run of the network.
struct Seen {
  std::vector<Output> outputs;
  std::vector<float> input;  ///< the numbers that it was given; of a picture, what the network's integers stand for
  nibble_placement placement{};
  int64_t height = 0, width = 0;  ///< of the picture
  int64_t side = 0;               ///< height of the input, pixels
  double begin = 0, end = 0;      ///< of a sound, the window's in seconds

  /// A place in the network's input as one of the picture.
  double picture_x(double x) const;
  double picture_y(double y) const;
};

/// A task as C++ for generated code (generate.hpp), in namespace scope and in a function where `windows` is a vector of
/// {begin, end, input, reals of each output}, `reals` those of the first, `at` the picture's placement, and picture_x,
/// picture_y as of Seen.
struct TaskCode {
  std::string includes;     ///< headers of `processing`
  std::string declaration;  ///< of struct Answer
  std::string constants;
  std::string body;  ///< fills `answer`
  std::string json;  ///< appends `answer` to `text`
};

/// From the network's numbers to an answer. May be called from several threads at once.
class Task {
 public:
  virtual ~Task() = default;
  /// An object of the task's `result_schema`; every number in it is the same on every machine. `windows`: of a sound in
  /// order, else the one input.
  virtual Json answer(const std::vector<Seen>& windows) const = 0;
  /// Shows an answer on the picture that it is about.
  virtual void draw(Canvas& canvas, const Seen& seen, const Json& answer) const = 0;
  virtual TaskCode code() const = 0;
};

/// A network's border, as tasks are checked against it when they are opened.
using Ports = std::vector<program::Port>;

struct TaskRow {
  std::string_view name;
  std::string_view help;
  std::string_view inputs;  ///< of image, sound, numbers: what it answers of
  bool reads_input;         ///< answers of what the network was given too
  /// Throws UserError "app: <place>: ..." where the outputs, the options or a part do not fit.
  std::unique_ptr<Task> (*open)(const Description&, const Parts&, const Ports& outputs, const std::string& place);
  Json (*result_schema)();
  Json (*output_schema)();
};

const std::vector<TaskRow>& tasks();
/// Throws UserError with the nearest name.
const TaskRow& task_named(std::string_view name, const std::string& place);

/// What app.json may say, for people and tools: JSON Schema, draft 2020-12.
Json description_schema();

}  // namespace nibble::app
