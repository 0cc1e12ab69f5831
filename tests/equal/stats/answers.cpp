#include "equal/stats/answers.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "stats/bootstrap.hpp"
#include "stats/designs/anova.hpp"
#include "stats/designs/mixed_model.hpp"
#include "stats/designs/ranked_blocks.hpp"
#include "stats/effect_size.hpp"
#include "stats/multiplicity.hpp"
#include "stats/pairs/equivalence.hpp"
#include "stats/pairs/mcnemar.hpp"
#include "stats/pairs/means.hpp"
#include "stats/pairs/permutation.hpp"
#include "stats/pairs/proportions.hpp"
#include "stats/pairs/signed_rank.hpp"
#include "stats/power.hpp"
#include "stats/studentised_range.hpp"

namespace nibble::stats {
namespace {

using Reals = std::vector<double>;

double real(const Json& json) {
  return json == "inf" ? infinity : json.get<double>();
}

Reals reals(const Json& json) {
  Reals values;
  for (const Json& value : json) values.push_back(real(value));
  return values;
}

Json json(const ConfidenceInterval& interval) {
  return {interval.low, interval.high};
}

ConfidenceInterval margin_of(const Json& data) {
  return {data["margin"][0], data["margin"][1]};
}

Alternative alternative_of(const Json& data) {
  const std::string name = data["alternative"];
  return name == "less" ? Alternative::less : name == "greater" ? Alternative::greater : Alternative::two_sided;
}

// Pairs ---------------------------------------------------------------------------------------------------------------

Json mcnemar(const Json& data) {
  const int64_t b = data["b"];
  const int64_t c = data["c"];
  const ChiSquaredTest plain = mcnemar_chi_squared(b, c, false);
  const ChiSquaredTest corrected = mcnemar_chi_squared(b, c, true);
  return {{"exact", mcnemar_exact(b, c)},     {"mid_p", mcnemar_mid_p(b, c)},
          {"statistic", plain.statistic},     {"p", plain.p},
          {"corrected", corrected.statistic}, {"corrected_p", corrected.p}};
}

Json paired_shares(const Json& data) {
  const PairedTable table{data["table"][0], data["table"][1], data["table"][2], data["table"][3]};
  const double level = data["level"];
  Reals scores;
  for (double d : {-.3, -.005, .005, .2}) scores.push_back(tango_score(table, d));
  return {{"difference", table.difference()},
          {"standard_error", wald_paired_standard_error(table)},
          {"wald", json(wald_paired_difference(table, level))},
          {"newcombe", json(newcombe_paired_difference(table, level))},
          {"tango", json(tango_paired_difference(table, level))},
          {"scores", scores}};
}

Json share(const Json& data) {
  const int64_t k = data["k"];
  const int64_t n = data["n"];
  return {{"wilson", json(wilson(k, n))},
          {"clopper_pearson", json(clopper_pearson(k, n))},
          {"test", binomial_test(k, n, 0.75)}};
}

Json json(const ChiSquaredTest& test) {
  return {{"statistic", test.statistic}, {"df", test.df}, {"p", test.p}};
}

Json proportions(const Json& data) {
  return json(equal_proportions(data["k"].get<std::vector<int64_t>>(), data["n"].get<std::vector<int64_t>>()));
}

Json cochran(const Json& data) {
  return json(cochran_q(data["right"].get<std::vector<std::vector<uint8_t>>>()));
}

Json json(const TTest& test) {
  return {{"t", test.t},
          {"df", test.df},
          {"p", test.p},
          {"interval", json(test.interval)},
          {"standard_error", test.standard_error}};
}

template <TTest test(std::span<const double>, std::span<const double>, Alternative, double)>
Json t_test(const Json& data) {
  return json(test(reals(data["x"]), reals(data["y"]), alternative_of(data), data["level"]));
}

template <Equivalence test(std::span<const double>, std::span<const double>, ConfidenceInterval, double)>
Json tost(const Json& data) {
  const Equivalence e = test(reals(data["x"]), reals(data["y"]), margin_of(data), data["alpha"]);
  return {{"lower", e.lower},          {"upper", e.upper}, {"df", e.df}, {"p", e.p}, {"interval", json(e.interval)},
          {"equivalent", e.equivalent}};
}

Json corrected(const Json& data) {
  return json(corrected_resampled_t(reals(data["d"]), data["train"], data["test"]));
}

Json five_by_two(const Json& data) {
  const Reals first = reals(data["first"]);
  const Reals second = reals(data["second"]);
  const TTest t = five_by_two_t(first, second);
  const FTest f = five_by_two_f(first, second);
  return {{"t", t.t}, {"t_p", t.p}, {"f", f.f}, {"f_p", f.p}};
}

Json ranks(const Json& data) {
  SignedRankOptions options{alternative_of(data), data["zeros"] == "pratt" ? Zeros::pratt : Zeros::drop};
  const SignedRank exact = signed_rank(reals(data["x"]), reals(data["y"]), options);
  options.distribution = RankDistribution::normal;
  const SignedRank normal = signed_rank(reals(data["x"]), reals(data["y"]), options);
  return {{"v", exact.v}, {"used", exact.used}, {"exact", exact.p}, {"normal", normal.p}};
}

Json permutation(const Json& data) {
  const Permutation test = paired_permutation(reals(data["x"]), reals(data["y"]), {alternative_of(data)});
  return {{"estimate", test.estimate}, {"p", test.p}};
}

Json bca(const Json& data) {
  const Reals resampled = reals(data["resampled"]);
  const double level = data["level"];
  return {{"bca", json(bca_interval(data["estimate"], resampled, reals(data["jackknife"]), level))},
          {"percentile", json(percentile_interval(resampled, level))}};
}

// Many methods --------------------------------------------------------------------------------------------------------

Json blocks(const Json& data) {
  const auto values = data["values"].get<std::vector<Reals>>();
  const Friedman f = friedman(values);
  const FTest q = quade(values);
  Reals all;
  for (const RankDifference& pair : nemenyi(values)) all.push_back(pair.p);
  Reals control;
  for (const RankDifference& pair : ranks_against_control(values, 0)) control.push_back(pair.p);
  return {{"ranks", f.mean_ranks},
          {"corrected", f.corrected.statistic},
          {"corrected_p", f.corrected.p},
          {"uncorrected", f.uncorrected.statistic},
          {"f", f.iman_davenport.f},
          {"f_p", f.iman_davenport.p},
          {"nemenyi", all},
          {"control", control},
          {"quade", q.f},
          {"quade_p", q.p}};
}

Json range(const Json& data) {
  Reals upper;
  for (double q : reals(data["q"])) upper.push_back(studentised_range_upper(q, data["groups"], real(data["df"])));
  return {{"upper", upper}};
}

Json range_quantile(const Json& data) {
  return {{"q", studentised_range_quantile(data["upper"], data["groups"], real(data["df"]))}};
}

Json adjusted(const Json& data) {
  const Reals p = reals(data["p"]);
  return {{"holm", holm(p)},
          {"hochberg", hochberg(p)},
          {"bonferroni", bonferroni(p)},
          {"bh", benjamini_hochberg(p)},
          {"by", benjamini_yekutieli(p)}};
}

Json effects(const Json& data) {
  const Reals x = reals(data["x"]);
  return {{"d", cohen_d(x, reals(data["y"]))},
          {"g", hedges_g(x, reals(data["y"]))},
          {"paired", cohen_d_paired(x, reals(data["paired"]))},
          {"h", cohen_h(data["p1"], data["p2"])}};
}

// Power ---------------------------------------------------------------------------------------------------------------

PowerOptions power_options(const Json& data) {
  return {data["alpha"], data["sides"] == "one.sided" ? Sides::one : Sides::two,
          data["type"] == "paired" ? Samples::paired : Samples::two};
}

Json power_of_t(const Json& data) {
  return {{"power", t_power(data["n"], data["effect"], power_options(data))}};
}

Json size_of_t(const Json& data) {
  return {{"n", t_size_needed(data["effect"], data["power"], power_options(data))}};
}

Json power_of_shares(const Json& data) {
  return {{"power", shares_power(data["n"], data["p1"], data["p2"])},
          {"n", shares_size_needed(data["p1"], data["p2"], data["power"])}};
}

Json power_of_anova(const Json& data) {
  const int groups = data["groups"];
  return {{"power", anova_power(groups, data["n"], data["between"], data["within"])},
          {"n", anova_size_needed(groups, data["between"], data["within"], data["power"])}};
}

Json power_of_tost(const Json& data) {
  return {{"power", tost_power(data["n"], data["difference"], margin_of(data), data["alpha"])}};
}

Json examples(const Json& data) {
  const double disagreement = data["disagreement"];
  return {{"mcnemar", examples_needed(disagreement, data["difference"], data["power"])},
          {"tost", equivalence_examples_needed(disagreement, data["difference"], data["power"])}};
}

Json share_tost(const Json& data) {
  const RejectedCounts counts = share_tost_counts(data["n"], margin_of(data));
  Reals power;
  for (double p : reals(data["p"])) power.push_back(share_tost_power(data["n"], margin_of(data), p));
  return {{"counts", {counts.first, counts.last}}, {"power", power}};
}

// Designs -------------------------------------------------------------------------------------------------------------

Design design_of(const Json& data) {
  Design design;
  std::map<std::string, size_t> places;
  for (const auto& [name, levels] : data["factors"].items()) {
    places[name] = design.factors.size();
    design.factors.push_back(factor(name, levels.get<std::vector<std::string>>()));
  }
  for (const std::string label : data["terms"]) {
    Term term;
    std::istringstream parts(label);
    for (std::string part; std::getline(parts, part, ':');) term.push_back(places.at(part));
    std::sort(term.begin(), term.end());
    design.terms.push_back(term);
  }
  return design;
}

Json anova(const Json& data) {
  const std::map<std::string, SumsOfSquares> types = {{"sequential", SumsOfSquares::sequential},
                                                      {"hierarchical", SumsOfSquares::hierarchical},
                                                      {"marginal", SumsOfSquares::marginal}};
  const Anova table = analyse_variance(design_of(data), reals(data["outcomes"]), types.at(data["type"]));
  Json rows = Json::array();
  for (const AnovaRow& row : table.rows)
    rows.push_back({{"sum_of_squares", row.sum_of_squares},
                    {"df", row.df},
                    {"f", row.f},
                    {"p", row.p},
                    {"eta_squared", row.eta_squared},
                    {"partial_eta_squared", row.partial_eta_squared},
                    {"omega_squared", row.omega_squared},
                    {"partial_omega_squared", row.partial_omega_squared}});
  return {{"rows", rows}, {"residual", table.residual_sum_of_squares}, {"df", table.residual_df}};
}

Json tukey(const Json& data) {
  const Design design = design_of(data);
  size_t which = 0;
  while (design.factors[which].name != data["which"]) ++which;
  Json differences = Json::array();
  for (const LevelDifference& d : tukey_hsd(design, reals(data["outcomes"]), which))
    differences.push_back(
        {{"estimate", d.estimate}, {"standard_error", d.standard_error}, {"p", d.p}, {"low", d.low}, {"high", d.high}});
  return {{"differences", differences}};
}

Json mixed_model(const Json& data) {
  const Factor group = factor("group", data["group"].get<std::vector<std::string>>());
  const Likelihood likelihood = data["method"] == "REML" ? Likelihood::reml : Likelihood::ml;
  const MixedModel model = fit_mixed_model(design_of(data), group, reals(data["outcomes"]), likelihood);
  Json terms = Json::array();
  for (const FixedTerm& term : model.terms)
    terms.push_back({{"f", term.test.f}, {"df1", term.test.df1}, {"df2", term.test.df2}, {"p", term.test.p}});
  return {{"mean", model.mean},
          {"standard_error", model.standard_error},
          {"group_deviation", model.group_deviation},
          {"residual_deviation", model.residual_deviation},
          {"criterion", model.criterion},
          {"group_p", model.group_p},
          {"terms", terms}};
}

const std::map<std::string, Json (*)(const Json&)>& functions() {
  static const std::map<std::string, Json (*)(const Json&)> all = {{"mcnemar", mcnemar},
                                                                   {"paired_shares", paired_shares},
                                                                   {"share", share},
                                                                   {"equal_proportions", proportions},
                                                                   {"cochran_q", cochran},
                                                                   {"paired_t", t_test<paired_t>},
                                                                   {"welch_t", t_test<welch_t>},
                                                                   {"pooled_t", t_test<pooled_t>},
                                                                   {"tost_paired", tost<tost_paired>},
                                                                   {"tost_log", tost<tost_paired>},
                                                                   {"tost_welch", tost<tost_welch>},
                                                                   {"tost_pooled", tost<tost_pooled>},
                                                                   {"corrected_resampled_t", corrected},
                                                                   {"five_by_two", five_by_two},
                                                                   {"signed_rank", ranks},
                                                                   {"permutation", permutation},
                                                                   {"bca", bca},
                                                                   {"blocks", blocks},
                                                                   {"range", range},
                                                                   {"range_quantile", range_quantile},
                                                                   {"adjusted", adjusted},
                                                                   {"effects", effects},
                                                                   {"t_power", power_of_t},
                                                                   {"t_size", size_of_t},
                                                                   {"shares_power", power_of_shares},
                                                                   {"anova_power", power_of_anova},
                                                                   {"tost_power", power_of_tost},
                                                                   {"examples", examples},
                                                                   {"share_tost", share_tost},
                                                                   {"anova", anova},
                                                                   {"tukey", tukey},
                                                                   {"mixed_model", mixed_model}};
  return all;
}

}  // namespace

Json answer(const std::string& function, const Json& data) {
  return functions().at(function)(data);
}

}  // namespace nibble::stats
