#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/description.hpp"
#include "app/tasks.hpp"
#include "runtime/nibble.h"

namespace nibble::app {

struct RunOptions {
  std::string kernels;                ///< a kernel set's name; empty: NIBBLE_KERNELS, else the fastest
  std::vector<std::string> backends;  ///< who may take steps, in this order
};

struct Request {
  std::string_view bytes;  ///< a JPEG, PNG or BMP; a WAV; a .npy or a JSON list of numbers
  std::string place;       ///< what messages call it
  std::optional<nibble_rectangle> box{};
  bool drawn = false;
};

/// Where the time of one answer went, in order.
struct Stage {
  std::string_view name;  ///< decode, prepare, network, answer
  double seconds;
};

struct Reply {
  Json result;
  std::string input;                           ///< what the network was given, bytes; of a sound every window's
  std::map<std::string, std::string> outputs;  ///< and what each of its outputs gave
  std::vector<Stage> stages;
  std::string png;  ///< the picture with the answer drawn, where asked for
};

/// An opened bundle. Read only: many workers may use it at once.
class Application {
 public:
  /// Throws UserError where a part does not fit the others.
  Application(Parts parts, const std::string& place, const RunOptions& options = {});
  ~Application();
  Application(const Application&) = delete;

  const Description& description() const;
  const Parts& parts() const;
  const nibble_program* program() const;
  /// JSON Schema of an answer.
  Json result_schema() const;
  /// As C++ that links libnibble_rt alone: files by name. Throws UserError where `prefix` is no identifier.
  std::map<std::string, std::string> generated(const std::string& prefix) const;
  /// The file of this application with what its samples give today as their goldens.
  std::string packed() const;

 private:
  friend class Worker;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What one thread at a time runs an application with. Ends before the application does.
class Worker {
 public:
  Worker(const Application& application, int threads);
  ~Worker();

  /// Throws UserError "app: <place>: ..." on an input that is none.
  Reply run(const Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The golden of a reply (SHA-256 of the input and of each output, and the result), and the first thing in which another differs from it ("" where nothing does).
Json golden_of(const Reply& reply);
std::string difference_from(const Json& golden, const Reply& reply);

}  // namespace nibble::app
