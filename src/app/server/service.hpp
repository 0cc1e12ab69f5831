#pragma once
#include <map>
#include <string>
#include <vector>

#include "app/server/desk.hpp"
#include "app/server/head.hpp"
#include "app/server/metrics.hpp"
#include "app/server/serve.hpp"

namespace nibble::app {

/// What the server answers, without how it comes and goes.
class Service {
 public:
  Service(const Application& application, const ServeOptions& options);

  /// The places that answer.
  static const std::vector<Route>& routes();
  /// Throws Refused 415 where a body of this type is none of the application's inputs.
  void check_type(const Head& head) const;

  struct Answer {
    std::string type, body;
  };
  /// POST /: of a file, with the query's words. Throws UserError, Refused where there is a better status than 400.
  Answer run(const std::string& file, const std::multimap<std::string, std::string>& query);
  static Answer page();
  Answer health() const;
  Answer schema() const;
  Answer metrics(uint64_t connections) const;

  Metrics& counted() { return counted_; }

 private:
  std::vector<std::string> types() const;
  Request request_of(const std::string& file, const std::multimap<std::string, std::string>& query) const;

  const Application& application_;
  const ServeOptions options_;
  Desk desk_;
  Metrics counted_;
};

/// {"error": message}, in a line.
std::string error_json(std::string_view message);

}  // namespace nibble::app
