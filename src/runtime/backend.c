#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/loaded.h"

/* Where an installed binary is, and where the library was to be installed. */
#ifndef NIBBLE_BACKENDS_FROM_BINARY
#define NIBBLE_BACKENDS_FROM_BINARY "../lib/nibble/backends"
#endif
#ifndef NIBBLE_INSTALLED_BACKENDS
#define NIBBLE_INSTALLED_BACKENDS "/usr/local/lib/nibble/backends"
#endif

/* Libraries that a program's steps were given to. */
typedef struct nibble_library {
  void* opened;
  const nibble_backend* backend;
  struct nibble_library* next;
} nibble_library;

typedef struct words {
  char* to;
  size_t size;
} words;

static void say(words message, const char* what, const char* which) {
  if (message.to != NULL && message.size > 0)
    snprintf(message.to, message.size, "%s%s%s", what, *which ? ": " : "", which);
}

/* ---- where libraries are ---------------------------------------------------------------------------------------- */

/* The index-th folder to look in; 0 where there are no more. */
static int folder_at(size_t index, char* folder, size_t size) {
  const char* named = getenv("NIBBLE_BACKENDS");
  if (named != NULL && *named != 0) {
    for (; index > 0 && *named != 0; --index) {
      named += strcspn(named, ":");
      named += *named == ':';
    }
    return *named != 0 && snprintf(folder, size, "%.*s", (int)strcspn(named, ":"), named) < (int)size;
  }
  if (index == 2) return snprintf(folder, size, "%s", NIBBLE_INSTALLED_BACKENDS) < (int)size;
  if (index < 2) {
    char here[PATH_MAX] = "";
    const ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    char* slash = NULL;
    if (length > 0) here[length] = 0;
    slash = strrchr(here, '/');
    if (slash != NULL) *slash = 0;
    return snprintf(folder, size, "%s/%s", here, index == 0 ? "backends" : NIBBLE_BACKENDS_FROM_BINARY) < (int)size;
  }
  return 0;
}

static int find_file(const char* name, char* path, size_t size) {
  char folder[PATH_MAX];
  if (strchr(name, '/') != NULL) return snprintf(path, size, "%s", name) < (int)size;
  for (size_t i = 0; folder_at(i, folder, sizeof folder); ++i)
    if (snprintf(path, size, "%s/%s.so", folder, name) < (int)size && access(path, R_OK) == 0) return 1;
  return 0;
}

#define NAMES 32
#define NAME_BYTES 32

/* Names of the files NAME.so there, behind those that are held: as many as fit. */
static int add_names(const char* folder, char (*names)[NAME_BYTES], int count) {
  DIR* opened = opendir(folder);
  const struct dirent* entry = NULL;
  if (opened == NULL) return count;
  while (count < NAMES && (entry = readdir(opened)) != NULL) {
    const size_t length = strlen(entry->d_name);
    if (length <= 3 || length - 3 >= NAME_BYTES || strcmp(entry->d_name + length - 3, ".so") != 0) continue;
    memcpy(names[count], entry->d_name, length - 3);
    names[count++][length - 3] = 0;
  }
  closedir(opened);
  return count;
}

static int by_name(const void* a, const void* b) {
  return strcmp(a, b);
}

typedef struct libraries {
  int count;
  char names[NAMES][NAME_BYTES];
} libraries;

/* Those that there are, by name, each once. */
static void find_libraries(libraries* found) {
  char folder[PATH_MAX];
  int all = 0;
  found->count = 0;
  for (size_t i = 0; folder_at(i, folder, sizeof folder); ++i) all = add_names(folder, found->names, all);
  qsort(found->names, (size_t)all, NAME_BYTES, by_name);
  for (int i = 0; i < all; ++i)
    if (i == 0 || strcmp(found->names[i], found->names[found->count - 1]) != 0)
      memmove(found->names[found->count++], found->names[i], NAME_BYTES);
}

int nibble_backend_name(size_t index, char* name, size_t size) {
  libraries found;
  find_libraries(&found);
  return index < (size_t)found.count && snprintf(name, size, "%s", found.names[index]) < (int)size;
}

static void say_what_there_is(words message) {
  char list[NAMES * (NAME_BYTES + 2)] = "none", text[sizeof list + 64];
  libraries found;
  find_libraries(&found);
  for (int i = 0, at = 0; i < found.count; ++i)
    at += snprintf(list + at, sizeof list - (size_t)at, "%s%s", i > 0 ? ", " : "", found.names[i]);
  snprintf(text, sizeof text, "no library of this name (there %s %s)", found.count > 1 ? "are" : "is", list);
  say(message, text, "");
}

/* ---- opening one ------------------------------------------------------------------------------------------------ */

/* What is wrong with a library, or NULL. */
static const char* fault_of(const nibble_backend* backend) {
  if (backend == NULL) return "it hands out no back end";
  if (backend->version != NIBBLE_BACKEND_VERSION) return "it is for another version of nibble_backend.h";
  if (backend->layout != NIBBLE_BACKEND_LAYOUT) return "it was built with other structs of kernels.h";
  if (backend->name == NULL || *backend->name == 0) return "it has no name";
  if (backend->takes == NULL || backend->prepare == NULL || backend->run == NULL || backend->release == NULL)
    return "it lacks a function";
  return NULL;
}

typedef const nibble_backend* (*nibble_entry)(void);

static nibble_status open_library(const char* name, nibble_library* library, words message) {
  char path[PATH_MAX];
  const char* wrong = "it exports no " NIBBLE_BACKEND_ENTRY;
  nibble_entry entry = NULL;
  if (!find_file(name, path, sizeof path)) {
    say_what_there_is(message);
    return NIBBLE_BAD_ARGUMENT;
  }
  /* Once opened it stays: threads and their destructors outlive a program (OpenMP's). */
  library->opened = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library->opened == NULL) {
    const char* why = dlerror();
    say(message, "it cannot be loaded", why == NULL ? path : why);
    return NIBBLE_BAD_ARGUMENT;
  }
  /* ISO C has no cast from a pointer to an object to one to a function. */
  *(void**)(&entry) = dlsym(library->opened, NIBBLE_BACKEND_ENTRY);
  if (entry != NULL) {
    library->backend = entry();
    wrong = fault_of(library->backend);
  }
  if (wrong == NULL) return NIBBLE_OK;
  say(message, path, wrong);
  dlclose(library->opened);
  return NIBBLE_BAD_ARGUMENT;
}

/* ---- giving it steps -------------------------------------------------------------------------------------------- */

static int has_sums(const nibble_loaded_step* step) {
  const nibble_conv* conv = step->parameters;
  switch (step->kind) {
    case NIBBLE_KIND_CONV:
    case NIBBLE_KIND_CONV_TRANSPOSE: return conv->acc_type == NIBBLE_I32;
    case NIBBLE_KIND_MATMUL: return ((const nibble_matmul*)step->parameters)->acc_type == NIBBLE_I32;
    default: return 0;
  }
}

/* Why what was prepared cannot be run, or NULL. */
static const char* refusal_of(const nibble_loaded_step* step) {
  const nibble_backend_prepared* p = &step->prepared;
  if (p->gives != NIBBLE_BACKEND_SUMS && p->gives != NIBBLE_BACKEND_OUTPUT)
    return "it gives neither sums nor the output";
  if (p->gives == NIBBLE_BACKEND_SUMS && !has_sums(step)) return "sums of 32 bits, where the step has none";
  if (p->gives == NIBBLE_BACKEND_SUMS && nibble_sums(step->kind, step->parameters, 0, step->items) < 0)
    return "more sums than memory holds";
  if (p->grain < 0 || nibble_taken_scratch(step) < 0) return "it asks for more memory than there is";
  return NULL;
}

static void widen(size_t* bytes, int64_t to) {
  if ((int64_t)*bytes < to) *bytes = (size_t)to;
}

static void offer(nibble_program* program, nibble_loaded_step* step, const nibble_backend* backend) {
  const nibble_backend_step about = {step->kind, step->name, step->op, step->parameters, step->items};
  const char* wrong = NULL;
  char why[NIBBLE_REASON - 32] = "";
  memset(&step->prepared, 0, sizeof step->prepared);
  if (step->rows > 0) {
    snprintf(step->why, sizeof step->why, "%.24s: packed activations", backend->name);
    return;
  }
  if (!backend->takes(&about, why, sizeof why) || !backend->prepare(&about, &step->prepared, why, sizeof why)) {
    snprintf(step->why, sizeof step->why, "%.24s: %s", backend->name, *why ? why : "no reason given");
    return;
  }
  step->prepared.kernel[sizeof step->prepared.kernel - 1] = 0;
  wrong = refusal_of(step);
  if (wrong != NULL) {
    backend->release(step->prepared.handle);
    snprintf(step->why, sizeof step->why, "%.24s: %s", backend->name, wrong);
    return;
  }
  step->backend = backend;
  step->kernel_name = step->prepared.kernel;
  step->set_name = backend->name;
  step->why[0] = 0;
  widen(&program->taken_sums, nibble_taken_sums(step));
  widen(&program->taken_scratch, nibble_taken_scratch(step));
}

static void leave(nibble_program* program) {
  for (size_t i = 0; i < program->step_count; ++i)
    if (program->steps[i].backend != NULL) program->steps[i].backend->release(program->steps[i].prepared.handle);
  while (program->libraries != NULL) {
    nibble_library* library = program->libraries;
    program->libraries = library->next;
    dlclose(library->opened);
    free(library);
  }
}

static nibble_status use(nibble_program* program, const char* name, const unsigned char* chosen, words to) {
  nibble_library* library = calloc(1, sizeof *library);
  nibble_status status = NIBBLE_OK;
  if (library == NULL) return NIBBLE_NO_MEMORY;
  status = open_library(name, library, to);
  if (status != NIBBLE_OK) {
    free(library);
    return status;
  }
  library->next = program->libraries;
  program->libraries = library;
  program->leave_backends = leave;
  ++program->library_count;
  for (size_t i = 0; i < program->step_count; ++i)
    if (program->steps[i].backend == NULL && (chosen == NULL || chosen[i] != 0))
      offer(program, &program->steps[i], library->backend);
  return NIBBLE_OK;
}

static int chose_backend(const nibble_loaded_step* step, const char* name) {
  return step->chosen != NULL && step->chosen_backend && strcmp(step->chosen, name) == 0;
}

/* Gives a back end the steps that the file chose it for. One that is not to be had leaves them to kernels. */
static nibble_status use_where_chosen(nibble_program* program, const char* name, unsigned char* chosen) {
  char why[NIBBLE_REASON / 2] = "";
  const words to = {why, sizeof why};
  nibble_status status = NIBBLE_OK;
  for (size_t i = 0; i < program->step_count; ++i) chosen[i] = (unsigned char)chose_backend(&program->steps[i], name);
  status = use(program, name, chosen, to);
  for (size_t i = 0; i < program->step_count && status == NIBBLE_BAD_ARGUMENT; ++i)
    if (chosen[i]) snprintf(program->steps[i].why, NIBBLE_REASON, "%.24s: %s", name, why);
  return status == NIBBLE_BAD_ARGUMENT ? NIBBLE_OK : status;
}

static nibble_status use_chosen(nibble_program* program) {
  unsigned char* chosen = calloc(program->step_count + 1, 1);
  nibble_status status = chosen == NULL ? NIBBLE_NO_MEMORY : NIBBLE_OK;
  for (size_t i = 0; i < program->step_count && status == NIBBLE_OK; ++i) {
    const nibble_loaded_step* step = &program->steps[i];
    int is_first = step->chosen != NULL && step->chosen_backend;
    for (size_t k = 0; k < i && is_first; ++k) is_first = !chose_backend(&program->steps[k], step->chosen);
    if (is_first) status = use_where_chosen(program, step->chosen, chosen);
  }
  free(chosen);
  return status;
}

nibble_status nibble_use_backend(nibble_program* program, const char* name, const unsigned char* chosen, char* message,
                                 size_t size) {
  const words to = {message, size};
  return strcmp(name, "auto") == 0 ? use_chosen(program) : use(program, name, chosen, to);
}
