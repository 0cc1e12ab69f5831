#include "app/tasks.hpp"
#include "verbs/rows.hpp"

namespace nibble::verbs {
namespace {

const Argument bundle{"BUNDLE", "an application: a .nibapp, or the folder that one was unpacked to"};
const Option kernels{.name = "kernels", .value = "SET", .help = "the kernel set (NIBBLE_KERNELS, else the fastest)"};
const Option backend{.name = "backend",
                     .value = "NAME",
                     .help = "a library that may take steps whose integers stay the same (runtime.md)",
                     .repeated = true};
const Option box{.name = "box", .value = "X,Y,W,H", .help = "the part of the picture that is looked at, in pixels"};

std::string list_tasks() {
  std::string text = "Tasks\n";
  for (const app::TaskRow& row : app::tasks()) {
    std::string name(row.name);
    name.resize(16, ' ');
    text += "  " + name + std::string(row.help) + "\n";
  }
  return text;
}

}  // namespace

std::vector<Verb> application_verbs() {
  return {
      {"app pack",
       {{"APP.json", "what the application is; the files that it names stand beside it"}},
       {{.name = "output",
         .value = "X.nibapp",
         .help = "one file: everything, with hashes and the samples' goldens",
         .letter = 'o',
         .required = true},
        {.name = "machine",
         .value = "NAME",
         .help = "what the network is laid out for, where APP.json names an integer network (host)"}},
       "makes an application of a network, its pre- and post-processing and samples",
       app_pack,
       list_tasks},
      {"app run",
       {bundle, {"INPUT", "a JPEG, PNG or BMP; a .npy or a JSON list of numbers; several", true}},
       {box, {.name = "draw", .value = "OUT.png", .help = "the picture with the answer drawn on it"}, kernels, backend},
       "what an application says of its inputs",
       app_run},
      {"app check",
       {bundle},
       {kernels, backend},
       "runs an application's samples: every byte of the network's input, of its outputs and of the answer",
       app_check},
      {"app bench",
       {bundle},
       {{.name = "input", .value = "FILE", .help = "what it is given (the first sample)"},
        {.name = "runs", .value = "N", .help = "measured runs (200)"},
        kernels,
        backend},
       "how long each stage of an application takes",
       app_bench},
      {"app serve",
       {bundle},
       {{.name = "port", .value = "N", .help = "where it listens (8080); 0: any port that is free, which is said"},
        {.name = "host", .value = "ADDRESS", .help = "who may ask: 127.0.0.1 (this machine alone), 0.0.0.0 (all)"},
        {.name = "queue", .value = "N", .help = "requests that may wait for one of the threads (64); more get 503"},
        {.name = "connections", .value = "N", .help = "connections that may be open (64); more get 503"},
        {.name = "limit", .value = "BYTES", .help = "the longest body (16777216)"},
        {.name = "pixels", .value = "N", .help = "the largest picture (33554432)"},
        {.name = "timeout", .value = "SECONDS", .help = "for a request to come, to wait, for its answer to go (10)"},
        kernels,
        backend},
       "answers over HTTP: POST / a file, get JSON; /health, /metrics, /schema, and a page at / to try it with",
       app_serve},
      {"app generate",
       {bundle},
       {{.name = "output",
         .value = "DIR",
         .help = "C++ that embeds everything and links libnibble_rt alone, with its build files",
         .letter = 'o',
         .required = true},
        {.name = "prefix", .value = "NAME", .help = "of its namespace and files (app)"}},
       "writes an application as C++ for a program that is built elsewhere",
       app_generate},
  };
}

}  // namespace nibble::verbs
