#include <cstdio>

#include "app/server/serve.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {

Result app_serve(const Call& call) {
  const app::Application application(app::read_bundle(call.path("BUNDLE")), call.text("BUNDLE"),
                                     {call.text("kernels", ""), call.texts("backend")});
  app::ServeOptions options;
  options.host = call.text("host", options.host);
  options.port = static_cast<int>(call.integer("port", options.port, 0, 65535));
  options.workers = std::min(call.threads(), 64);
  options.waiting = static_cast<size_t>(call.integer("queue", 64, 0, 4096));
  options.connections = static_cast<int>(call.integer("connections", options.connections, 1, 512));
  options.body = static_cast<size_t>(call.integer("limit", int64_t{16} << 20, 1, int64_t{1} << 30));
  options.pixels = call.integer("pixels", options.pixels, 1, int64_t{1} << 28);
  options.seconds = static_cast<int>(call.integer("timeout", options.seconds, 1, 3600));
  const uint64_t answered = app::serve(application, options, [&](int port) {
    const bool in_six = options.host.find(':') != std::string::npos;
    const std::string host = in_six ? "[" + options.host + "]" : options.host;
    std::fprintf(stderr, "%s at http://%s:%d/\n", application.description().name.c_str(), host.c_str(), port);
  });
  Result result;
  result.json = {{"answered", answered}};
  result.text = std::to_string(answered) + " requests answered\n";
  return result;
}

}  // namespace nibble::verbs
