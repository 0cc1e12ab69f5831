#pragma once
#include "verbs/call.hpp"
#include "verbs/verb.hpp"

/// The functions of the table's rows; what each does is its row's help (table.cpp).
namespace nibble::verbs {

Result show(const Call& call);
Result train(const Call& call);
Result lab(const Call& call);
Result lab_status(const Call& call);
Result lab_compare(const Call& call);
Result quantize(const Call& call);
Result integerize(const Call& call);
Result convert(const Call& call);
Result run(const Call& call);
Result check(const Call& call);
Result evaluate(const Call& call);
Result compare(const Call& call);
Result generate(const Call& call);
Result validate(const Call& call);
Result machines(const Call& call);
Result compile(const Call& call);
Result bench(const Call& call);
Result tune(const Call& call);
Result app_pack(const Call& call);
Result app_run(const Call& call);
Result app_check(const Call& call);
Result app_bench(const Call& call);
Result app_serve(const Call& call);
Result app_generate(const Call& call);

/// The table's rows of applications.
std::vector<Verb> application_verbs();

/// The dialects, for the help of convert.
std::string list_dialects();
/// The passes that a verb runs, in order, for its help.
std::string quantize_pipeline();
std::string integerize_pipeline();

}  // namespace nibble::verbs
