#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "app/application.hpp"

namespace nibble::app {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                    ///< 0: any that is free
  int workers = 1;                    ///< requests that run at once, each on a thread of its own
  size_t waiting = 64;                ///< requests that wait for a worker
  int connections = 64;               ///< open at once
  size_t body = size_t{16} << 20;     ///< bytes
  int64_t pixels = int64_t{1} << 25;  ///< of a picture
  int seconds = 10;                   ///< for a whole request to come, to wait, and for its answer to be taken
};

/// Answers requests over HTTP/1.1 until SIGINT or SIGTERM, which the process's threads that began before this call must
/// leave to it; answers that are being made are still given. `listening` is called with the port. Returns how many
/// requests were answered. Throws UserError where the address cannot be listened at. docs/guide/serving.md.
uint64_t serve(const Application& application, const ServeOptions& options,
               const std::function<void(int port)>& listening);

}  // namespace nibble::app
