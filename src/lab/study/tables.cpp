#include "lab/study/execute.hpp"

namespace nibble::lab {

Json run_json(const Design& design, const StudyRun& run) {
  Json levels = Json::object();
  for (size_t i = 0; i < run.levels.size(); ++i) levels[design.factors[i].name] = run.levels[i];
  return {{"hash", run.hash}, {"float", run.float_hash}, {"seed", run.seed}, {"levels", levels}};
}

Json plan_json(const Study& study) {
  Json json = {{"name", study.name},
               {"kind", study.design.kind},
               {"excluded", study.design.excluded},
               {"aliases", study.design.aliases},
               {"factors", Json::array()},
               {"runs", Json::array()}};
  for (const Factor& factor : study.design.factors) {
    Json levels = Json::array();
    for (const Factor::Level& level : factor.levels) levels.push_back(level.name);
    json["factors"].push_back({{"factor", factor.name}, {"levels", levels}});
  }
  for (const StudyRun& run : study.runs) {
    json["runs"].push_back(run_json(study.design, run));
  }
  return json;
}

Json states_json(const Study& study, const std::vector<RunState>& states) {
  Json json = plan_json(study);
  for (size_t i = 0; i < states.size(); ++i) {
    Json& run = json["runs"][i];
    run["status"] = to_string(states[i].status);
    if (states[i].status == RunStatus::Done) {
      run[states[i].is_error ? "error" : "accuracy"] = states[i].value;
      run["seconds"] = states[i].seconds;
    }
    if (states[i].status == RunStatus::Failed) run["reason"] = states[i].reason;
  }
  return json;
}

}  // namespace nibble::lab
