#include "base/error.hpp"
#include "data/dataset.hpp"
#include "onnx/dialects.hpp"
#include "passes/policy.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

const Option dataset{.name = "data", .value = "SET:PATH[:SPLIT]", .help = data::dataset_forms(), .required = true};
const Option preprocess{
    .name = "preprocess",
    .value = "FILE.json",
    .help =
        "what is done to an image or a sound before the network sees it; else what the model carries; else "
        "pixels / 255"};
const Option limit{.name = "limit", .value = "N", .help = "only the first N examples"};
const Option engine{.name = "engine",
                    .value = "NAME",
                    .help =
                        "who executes: reference (the definition, slow), runtime (integers alone) or torch; else the "
                        "runtime for integers, torch where it loads",
                    .choices = {"reference", "runtime", "torch"}};
const Option from{.name = "from",
                  .value = "DIALECT",
                  .help = "the dialect of the file that is read (convert --help lists them); else recognised"};
const Option batch{.name = "batch", .value = "N", .help = "the batch, where the model leaves it open"};
const Option shape{
    .name = "shape",
    .value = "NAME=N",
    .help =
        "another extent of an input that the model leaves open, by its name, or INPUT:AXIS where it has none "
        "(A=1,B=2 too); else what the data have",
    .repeated = true};
const Option kernels{.name = "kernels",
                     .value = "SET",
                     .help = "the kernel set, where it has a kernel for a step (NIBBLE_KERNELS, else the fastest)"};
const Option backend{.name = "backend",
                     .value = "NAME",
                     .help =
                         "a library that may take steps whose integers stay the same: NAME.so of NIBBLE_BACKENDS or "
                         "of Nibble's own, or a path; asked in the order given; auto: those that 'nibble tune' chose",
                     .repeated = true};
const Option resume{.name = "resume", .value = "", .help = "continue the run in DIR where it stopped"};
const Option ranks{.name = "ranks",
                   .value = "N",
                   .help = "processes that train a network together, each with its part of every batch (1)"};

Verb reads_model(Verb verb) {
  verb.options.push_back(batch);
  verb.options.push_back(shape);
  return verb;
}

Option output(std::string value, std::string help) {
  return {.name = "output", .value = std::move(value), .help = std::move(help), .letter = 'o', .required = true};
}

Option folder(std::string help) {
  return {.name = "out", .value = "DIR", .help = std::move(help), .required = true};
}

Option optional(Option option, std::string help) {
  option.help = std::move(help);
  option.required = false;
  return option;
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (const onnx::Dialect& dialect : onnx::dialects()) names.emplace_back(dialect.name);
  return names;
}

Option choice(std::string name, std::vector<std::string> choices, std::string help) {
  return {.name = std::move(name), .value = "NAME", .help = std::move(help), .choices = std::move(choices)};
}

const Option strips{
    .name = "strips",
    .value = "auto|N",
    .help =
        "strips of rows into which the layers that need the most memory are cut: auto where that takes less of it "
        "and at most a twentieth more multiply-accumulates, 1 for none (auto)"};
const Option pack{.name = "pack",
                  .value = "WHEN",
                  .help =
                      "activations of at most 4 bits packed, unpacked some rows at a time: auto the fewest that make "
                      "the arena fit the machine, where it does not without (auto)",
                  .choices = {"auto", "always", "never"}};

Verb show_row() {
  return {"show",
          {{"MODEL", "an ONNX file at any stage, or a program (.nib)"}},
          {{.name = "memory",
            .value = "",
            .help = "the tensors that stand in memory instead: bits and bytes of each layer's input and output, all "
                    "that is live"},
           {.name = "machine",
            .value = "NAME",
            .help = "what an integer network takes on a machine instead: flash, RAM with its plan over time, cycles; "
                    "what does not fit and which bits to cut"},
           {.name = "svg", .value = "FILE", .help = "the plan as a drawing, beside --machine"},
           optional(strips, "beside --machine: as 'generate' cuts (auto)"),
           optional(pack, "beside --machine: as 'generate' packs (auto)"),
           from},
          "the layers as a table: shapes, parameters, multiply-accumulates, bytes; bits, scales, accumulator bounds",
          show};
}

Verb train_row() {
  return {"train",
          {{"EXPERIMENT.json", "the description of the experiment"}},
          {folder("where the model, metrics and checkpoints go"), resume, ranks},
          "trains a network as the description says, with quantisers where it asks for them; Ctrl-C stops it at a "
          "checkpoint",
          train};
}

Verb lab_row() {
  return {"lab",
          {{"EXPERIMENT.json", "the description of the experiment, or of a study: one with a design"}},
          {folder("where models, certificates, results.json and table.txt go"),
           resume,
           ranks,
           {.name = "plan", .value = "", .help = "a study's runs, what differs between them, and nothing is run"},
           {.name = "margin",
            .value = "POINTS",
            .help = "with --plan: what the study can tell and prove, and how many seeds or examples that margin takes"},
           {.name = "jobs", .value = "N", .help = "processes that take a study's runs (1)"},
           {.name = "slurm",
            .value = "FILE",
            .help = "a study's runs into the queue of a cluster, a task each; the file says what a task asks for"},
           {.name = "retry-failed", .value = "", .help = "a study's runs that failed are taken again"},
           {.name = "run", .value = "HASH", .help = "one run of a study, by what --plan calls it"}},
          "the whole experiment: trains, quantises, proves, prints the table; of a study, every run that is not done",
          lab};
}

Verb lab_status_row() {
  return {"lab status", {{"DIR", "a study's folder"}}, {}, "how far a study is: its runs, a line each", lab_status};
}

const Option margin{
    .name = "margin", .value = "POINTS", .help = "asks whether accuracies are equal within so many points of percent"};
const Option baseline{.name = "baseline",
                      .value = "NAME",
                      .help =
                          "what the others are compared with, as the table names it (the first), or float: each with "
                          "the float network that it was made of"};

Verb lab_compare_row() {
  return {"lab compare",
          {{"DIR", "a study's folder"}},
          {margin, baseline},
          "what a study's runs say: accuracies, differences by the test that the design calls for, effects",
          lab_compare};
}

Verb lab_export_row() {
  return {"lab export",
          {{"DIR", "a study's folder"}},
          {{.name = "csv",
            .value = "FILE",
            .help = "a row a run: levels, status, accuracies, bytes, times",
            .required = true},
           {.name = "epochs", .value = "FILE", .help = "a row an epoch of each run, too: losses, accuracies"}},
          "a study's results as tables; DIR/results.db has them, predictions and quantisers too, for SQL",
          lab_export};
}

Verb lab_report_row() {
  return {
      "lab report",
      {{"DIR", "a study's folder"}},
      {output("FILE", "the report"),
       {.name = "format",
        .value = "FORM",
        .help = "one self-contained page, or the same numbers as tables for a paper (html)",
        .choices = {"html", "markdown", "latex"}},
       margin,
       baseline},
      "what a study says, drawn: the answer first, effects, costs, training, classes, and where all of it comes from",
      lab_report};
}

Verb quantize_row() {
  return {
      "quantize",
      {{"MODEL", "a float network"}},
      {dataset,
       output("FQ.onnx", "the fake-quantised network"),
       preprocess,
       {.name = "samples", .value = "N", .help = "examples that the ranges are taken from (1000)"},
       {.name = "weights", .value = "BITS", .help = "1 to 16 (8)"},
       {.name = "activations", .value = "BITS", .help = "1 to 16 (8)"},
       {.name = "policy", .value = "FILE.json", .help = "per layer; the options here override its defaults"},
       {.name = "fit",
        .value = "BUDGETS",
        .help = "activations=400KB,weights=1MB (or one): cuts bits to 4 and 2 until each layer's input + output "
                "and all weights fit"},
       {.name = "policy-out", .value = "FILE.json", .help = "keeps the policy that was used, for --policy"},
       {.name = "range",
        .value = "RULE",
        .help = "of activations: measured (for each the best for what reads it), min_max, percentile=P, sigma=K, mse "
                "or kl (measured)"},
       {.name = "report",
        .value = "",
        .help = "prints the range that each layer got, and what ranges and rounding of weights gain"},
       choice("granularity", {"channel", "tensor"}, "a scale a channel or a tensor of weights (channel)"),
       choice("rounding", {"half_up", "floor", "half_even"}, "how reals become integers (half_up)"),
       choice("weight-rounding", {"measured", "nearest"},
              "what adds least to sums, if outputs gain, or each to its nearest level (measured)"),
       {.name = "symmetric-activations", .value = "", .help = "zero point 0 for activations of both signs"},
       {.name = "real-input",
        .value = "",
        .help = "leaves mean and std to whoever feeds the network, as other tools expect"},
       {.name = "no-bias-correction", .value = "", .help = "keeps biases though quantised layers lose their mean"},
       choice("batch-norm", {"fold", "integer", "threshold"},
              "into the weights before it, or kept for integerize: as integers, or in thresholds (fold)"),
       engine,
       {.name = "dump", .value = "DIR", .help = "the graph as text after every pass"}},
      "float to fake-quantised without training: puts quantisers on weights and activations, ranges from data",
      quantize,
      [] { return passes::describe_policy() + "\n" + quantize_pipeline(); }};
}

Verb integerize_row() {
  return {
      "integerize",
      {{"FQ.onnx", "a fake-quantised network"}},
      {output("ID.onnx", "the integer network"),
       choice("stop-at", {"qd"}, "keeps requantisations as exact real functions"),
       choice(
           "batch-norm", {"fold", "integer", "threshold"},
           "behind linear ops: in the requantisation, integer gains and shifts before it, or thresholds (as quantize "
           "was asked, else fold)"),
       {.name = "batch-norm-bits", .value = "N", .help = "of integer gains, 2 to 16 (the most of 8 to 16 that fit)"},
       {.name = "multiplier-bits", .value = "N", .help = "signed multiplier of a requantisation, 2 to 32 (32)"},
       {.name = "table-bits", .value = "N", .help = "functions of more than 2^N levels are interpolated, 2 to 16 (16)"},
       {.name = "shift-range", .value = "LOW:HIGH", .help = "shifts of a requantisation, within 0:62 (0:62)"},
       {.name = "product-bits",
        .value = "N",
        .help = "multiplier times accumulator plus addend, for every accumulator, 8 to 64 (64)"},
       {.name = "accumulator-bits",
        .value = "N[,NODE=N]",
        .help = "signed accumulators, 8 to 32, also for nodes by name or pattern (32)"},
       choice("thresholds", {"auto", "always", "never"},
              "in the place of multiply, add, shift: where two are enough or nothing else is exact (auto)"),
       choice("requantisation", {"exact", "nemo", "standard"},
              "solved for, NEMO's own choice for comparison, or solved for whole biases and float32 scales, which qdq "
              "and qoperator can say (exact)"),
       {.name = "certificate", .value = "FILE.json", .help = "what was proved of every channel"},
       {.name = "data",
        .value = "SET:PATH[:SPLIT]",
        .help = "what the loss from FQ to the integers is measured on (what quantize calibrated on)"},
       {.name = "samples", .value = "N", .help = "examples that the loss is measured on (16)"},
       preprocess,
       engine,
       {.name = "dump", .value = "DIR", .help = "the graph as text after every pass"}},
      "fake-quantised to integers alone, with a certificate for every requantisation",
      integerize,
      integerize_pipeline};
}

Verb convert_row() {
  return {"convert",
          {{"MODEL", "an ONNX file at any stage"}},
          {output("OUT.onnx", "the converted network"),
           {.name = "dialect",
            .value = "NAME",
            .help = "how it is written; listed below",
            .choices = dialect_names(),
            .required = true},
           from,
           choice("containers", {"byte", "four-bit", "exact"},
                  "qdq: 8 and 16 bits only; 4-bit types for weights; 2- and 4-bit types of what has these levels "
                  "(four-bit)"),
           {.name = "golden",
            .value = "SET:PATH[:SPLIT]",
            .help = "writes goldens beside OUT in the dialect's own files: inputs, every activation, outputs"},
           {.name = "samples", .value = "N", .help = "examples in the goldens (1, or the network's own batch)"},
           preprocess},
          "writes another dialect",
          convert,
          list_dialects};
}

Verb run_row() {
  return {
      "run",
      {{"MODEL", "an ONNX file at any stage, or a program (.nib)"}},
      {{.name = "input",
        .value = "FILE",
        .help = "IN.npz (arrays by input name), IN.npy, an image or a sound (.wav)",
        .required = true},
       optional(output("OUT.npz", ""), "keeps the outputs by name"),
       {.name = "expect", .value = "EXPECTED.npz", .help = "values by name; any difference: exit code 1"},
       {.name = "trace", .value = "DIR", .help = "keeps every tensor as DIR/NAME.npy"},
       optional(engine,
                "who executes: reference (the definition), runtime or torch (runtime for integers, else reference)"),
       backend,
       from,
       preprocess},
      "one inference",
      run};
}

Verb check_row() {
  return {
      "check",
      {{"DIR",
        "a golden folder of any dialect: network.onnx or the only *.onnx, inputs.npz with outputs.npz and "
        "activations.npz, or input.txt with out_layer<i>.txt and output.txt; or a folder of such folders"}},
      {optional(engine,
                "who executes: reference (the definition), runtime or torch (runtime for integers, else reference)"),
       backend, from},
      "runs a network on the inputs beside it and compares every recorded tensor; any difference: exit code 1",
      check};
}

Verb evaluate_row() {
  return {"evaluate",
          {{"MODEL", "an ONNX file at any stage, or a program (.nib)"}},
          {dataset, preprocess, limit, engine, backend},
          "accuracy, or the mean square error where targets are given, with its 95 % interval",
          evaluate};
}

Verb compare_row() {
  return {"compare",
          {{"A", "an ONNX file at any stage, or a program (.nib)"}, {"B", "another"}},
          {dataset, preprocess, limit, engine, backend},
          "runs both on the same data: differences per layer, decisions that flip, McNemar's test",
          compare};
}

Verb compile_row() {
  return {"compile",
          {{"ID.onnx", "an integer network"}},
          {optional(output("MODEL.nib", ""), "the program; without it only the table is printed"),
           {.name = "machine",
            .value = "NAME",
            .help = "what it is laid out for: a name of 'nibble machines', or a file (host: the CPU that lowers)"},
           kernels,
           optional(pack,
                    "activations of at most 4 bits packed: auto where the machine's memory is too small without "
                    "(auto)"),
           optional(backend,
                    "a library that may take steps whose integers stay the same: NAME.so of NIBBLE_BACKENDS or of "
                    "Nibble's own, or a path; asked in the order given; auto: as 'nibble tune' would choose among all, "
                    "measured here"),
           from},
          "lowers an integer network to a program: steps with their kernels and requantisation, arena, constants",
          compile};
}

Verb generate_row() {
  Option data = dataset;
  data.required = false;
  data.name = "golden";
  data.help = "examples for test/, in place of drawn ones: " + data::dataset_forms();
  return {
      "generate",
      {{"ID.onnx", "an integer network"}},
      {output("DIR", "C99 that is the network: a header, its code, weights, kernels, goldens, build files"),
       {.name = "machine", .value = "NAME", .help = "what it is for: a name of 'nibble machines', or a file (host)"},
       {.name = "prefix", .value = "NAME", .help = "of every name in the code (model)"},
       strips,
       pack,
       data,
       preprocess,
       {.name = "samples", .value = "N", .help = "goldens (2)"},
       {.name = "specialise",
        .value = "WHAT",
        .help = "what the build files ask of the compiler: -Os or -O3, in place of -O2",
        .choices = {"size", "speed"}},
       {.name = "inputs",
        .value = "HOW",
        .help = "read where the caller holds them, or copied into the arena first (copied)",
        .choices = {"copied", "referenced"}},
       {.name = "outputs",
        .value = "HOW",
        .help = "written where the caller holds them, or copied there from the arena (copied)",
        .choices = {"copied", "referenced"}},
       {.name = "memory",
        .value = "SECTION=BYTES",
        .help = "the linker's section for the constants that are read most often for their size"},
       {.name = "app",
        .value = "APP.json",
        .help =
            "with the code from a picture or a sound to an answer, by integers alone; or a bundle's (applications.md)"},
       {.name = "external",
        .value = "BYTES",
        .help = "weights stay outside: a function of the caller's fetches a tile of them at a time, of BYTES at most"},
       from},
      "writes a network as standalone C99 for a machine",
      generate};
}

Verb validate_row() {
  Option data = dataset;
  data.required = false;
  data.help = "its accuracy on examples, by the code compiled for this machine, instead: " + data::dataset_forms();
  return {"validate",
          {{"DIR", "what 'generate' wrote"}},
          {{.name = "on",
            .value = "WHERE",
            .help = "what it is built for and runs on, by the cross compiler and the emulator that are there (host)",
            .choices = {"host", "qemu-m4", "qemu-m7", "qemu-m55", "qemu-rv32"}},
           {.name = "optimise", .value = "LEVEL", .help = "of the compiler (2)", .choices = {"0", "1", "2", "3", "s"}},
           {.name = "sanitize",
            .value = "",
            .help = "on host, with the compiler's checks of addresses and undefined behaviour"},
           data,
           preprocess,
           limit},
          "builds generated code, runs its goldens and compares every layer with the definition; what each layer takes",
          validate};
}

Verb machines_row() {
  return {"machines", {}, {}, "the machines that code can be generated for", machines};
}

Verb bench_row() {
  return {"bench",
          {{"MODEL", "a program (.nib), or an integer network, which is lowered first"}},
          {{.name = "runs", .value = "N", .help = "measured runs (as many as a second holds)"},
           kernels,
           backend,
           {.name = "layers",
            .value = "",
            .help = "each step: kernel, time, multiply-accumulates a second, shares of this CPU's measured peak and "
                    "memory bandwidth"},
           from},
          "latency of one inference on drawn integers: median, 5th and 95th percentile",
          bench};
}

Verb tune_row() {
  return {
      "tune",
      {{"MODEL.nib", "a program"}},
      {optional(output("OUT.nib", ""), "the program with what was chosen; without it only the table is printed"),
       {.name = "runs", .value = "N", .help = "how often each runs (50)"},
       optional(backend,
                "a library that is measured beside the kernel sets: NAME.so of NIBBLE_BACKENDS or of Nibble's "
                "own, or a path; auto: every one that there is")},
      "measures every kernel set and back end on each step, here, and chooses the fastest of those that give the same "
      "integers",
      tune};
}

}  // namespace

const std::vector<Verb>& table() {
  static const std::vector<Verb> rows = [] {
    std::vector<Verb> all{reads_model(show_row()),
                          train_row(),
                          lab_row(),
                          lab_status_row(),
                          lab_compare_row(),
                          lab_export_row(),
                          lab_report_row(),
                          reads_model(quantize_row()),
                          reads_model(integerize_row()),
                          reads_model(convert_row()),
                          reads_model(run_row()),
                          reads_model(check_row()),
                          reads_model(evaluate_row()),
                          reads_model(compare_row()),
                          reads_model(compile_row()),
                          reads_model(bench_row()),
                          tune_row(),
                          reads_model(generate_row()),
                          validate_row(),
                          machines_row()};
    for (Verb& verb : application_verbs()) all.push_back(std::move(verb));
    return all;
  }();
  return rows;
}

const std::vector<Option>& common_options() {
  static const std::vector<Option> rows{
      {.name = "json", .value = "", .help = "one JSON document on stdout and nothing else"},
      {.name = "threads", .value = "N", .help = "1 to 1024 (as many as the machine runs at once)"},
      {.name = "seed", .value = "N", .help = "of everything random, in place of the experiment's own"},
      {.name = "quiet", .value = "", .help = "no progress on stderr"},
      {.name = "help", .value = "", .help = "this text", .letter = 'h'}};
  return rows;
}

const Verb& verb_named(std::string_view name) {
  std::vector<std::string_view> names;
  std::string known;
  for (const Verb& verb : table()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
    known.append(known.empty() ? "" : ", ").append(verb.name);
  }
  fail("verbs", "nibble", "no verb '" + std::string(name) + "'" + did_you_mean(name, names), known);
}

}  // namespace nibble::verbs
