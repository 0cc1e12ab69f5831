#include "app/server/service.hpp"

#include <algorithm>

#include "app/server/refused.hpp"
#include "base/embedded.hpp"
#include "data/formats/orientation.hpp"

const std::vector<nibble::Embedded>& nibble_app_page();

namespace nibble::app {
namespace {

constexpr const char* json = "application/json";

/// What any body may be called; without a name, or as a form's fields, is how curl sends a file that nothing is said of.
constexpr std::string_view any_type[] = {"application/octet-stream", "multipart/form-data",
                                         "application/x-www-form-urlencoded", ""};

}  // namespace

std::string error_json(std::string_view message) {
  return "{\"error\": " + json_string(message) + "}\n";
}

Service::Service(const Application& application, const ServeOptions& options)
    : application_(application), options_(options), desk_(application, options.workers, options.waiting) {}

const std::vector<Route>& Service::routes() {
  static const std::vector<Route> rows{
      {"/", "GET, HEAD, POST"}, {"/health", "GET, HEAD"}, {"/metrics", "GET, HEAD"}, {"/schema", "GET, HEAD"}};
  return rows;
}

/// Those of the application's own kind of input; all that begin so where one ends with a star.
std::vector<std::string> Service::types() const {
  switch (application_.description().kind) {
    case Kind::Image: return {"image/*"};
    case Kind::Sound: return {"audio/*"};
    case Kind::Numbers: return {json, "application/x-npy"};
  }
  return {};
}

void Service::check_type(const Head& head) const {
  if (head.method != "POST" || std::find(std::begin(any_type), std::end(any_type), head.type) != std::end(any_type))
    return;
  std::string expected;
  for (const std::string& type : types()) {
    if (head.type == type || (type.ends_with('*') && head.type.starts_with(type.substr(0, type.size() - 1)))) return;
    expected += type + ", ";
  }
  refuse(415, "Content-Type " + json_string(head.type.substr(0, 60)),
         expected + std::string(any_type[0]) + " or " + std::string(any_type[1]));
}

Service::Answer Service::page() {
  return {"text/html; charset=utf-8", std::string(nibble_app_page().front().text)};
}

Service::Answer Service::health() const {
  return {json, Json{{"status", "ok"}, {"application", application_.description().name}}.dump() + "\n"};
}

Service::Answer Service::metrics(uint64_t connections) const {
  return {"text/plain; version=0.0.4; charset=utf-8",
          counted_.text({{"workers", "Requests that run at once.", desk_.workers()},
                         {"requests_running", "Requests that run now.", desk_.running()},
                         {"requests_waiting", "Requests that wait for a worker.", desk_.waiting()},
                         {"connections", "Connections that are open.", connections}})};
}

Service::Answer Service::schema() const {
  const Description& app = application_.description();
  Json request = {{"types", types()}, {"most_bytes", options_.body}};
  request["types"].insert(request["types"].end(), {any_type[0], any_type[1]});
  if (app.kind == Kind::Image) request["most_pixels"] = options_.pixels;
  const Json whole = {{"application", app.name},
                      {"task", app.task},
                      {"request", std::move(request)},
                      {"result", application_.result_schema()},
                      {"description", description_schema()}};
  return {json, whole.dump(2) + "\n"};
}

Request Service::request_of(const std::string& file, const std::multimap<std::string, std::string>& query) const {
  Request request{file, "body"};
  for (const auto& [name, value] : query) {
    if (name == "box")
      request.box = parse_box(value, "box");
    else if (name == "draw" && (value == "0" || value == "1"))
      request.drawn = value == "1";
    else
      refuse(400, "query " + json_string(name.substr(0, 40) + "=" + value.substr(0, 40)), "box=x,y,w,h or draw=1");
  }
  return request;
}

Service::Answer Service::run(const std::string& file, const std::multimap<std::string, std::string>& query) {
  const Request request = request_of(file, query);
  if (application_.description().kind == Kind::Image)
    if (const int64_t pixels = data::pixels_of(file); pixels > options_.pixels)
      refuse(413, "a picture of " + std::to_string(pixels) + " pixels", "at most " + std::to_string(options_.pixels));
  const Desk::Lent worker = desk_.take(std::chrono::steady_clock::now() + std::chrono::seconds(options_.seconds));
  if (!worker)
    refuse(503, "no thread is free for it, and " + std::to_string(desk_.waiting()) + " requests wait",
           "the same again in a second");
  Reply reply = worker->run(request);
  counted_.count(reply.stages);
  if (request.drawn) return {"image/png", std::move(reply.png)};
  return {json, reply.result.dump() + "\n"};
}

}  // namespace nibble::app
