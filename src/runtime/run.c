#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels/packed/packed.h"
#include "runtime/loaded.h"
#include "runtime/threads.h"

struct nibble_context {
  const nibble_program* program;
  nibble_threads* threads;
  int thread_count;
  uint8_t *arena, *scratch;
  size_t scratch_bytes; /* of a thread */
  int32_t* sums;        /* of a step that a back end took */
  size_t libraries;     /* that the program had when this was made */
  nibble_observer observer;
  void* user;
  double* seconds;
};

/* What an observer may copy from. */
typedef struct seen_inside {
  const nibble_value* value;
  const uint8_t* from;
} seen_inside;

/* Work below which a second thread costs more than it brings, in multiply-accumulates and four times the bytes moved; of
 * sets that multiply 64 bytes and more at once, in eighths of multiply-accumulates, and weights once. */
static const int64_t worth_a_thread = 60000, worth_a_thread_of_wide = 250000;

static void say(char* message, size_t size, const char* what, const char* which) {
  if (message != NULL && size > 0) snprintf(message, size, "%s%s%s", which, *which ? ": " : "", what);
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

static const nibble_kernel_set* set_named(const char* name) {
  for (int i = 0; nibble_kernel_sets[i] != NULL; ++i)
    if (strcmp(nibble_kernel_sets[i]->name, name) == 0) return nibble_kernel_sets[i];
  return NULL;
}

const char* nibble_kernel_set_name(size_t index) {
  for (int i = 0; nibble_kernel_sets[i] != NULL; ++i)
    if (nibble_kernel_sets[i]->runs_here() && index-- == 0) return nibble_kernel_sets[i]->name;
  return NULL;
}

static int64_t weight_bytes(const nibble_loaded_step* step) {
  const nibble_conv* p = step->parameters;
  int64_t weights = 0;
  if (step->kind != NIBBLE_KIND_CONV) return 0;
  weights = (int64_t)p->out_channels * (p->in_channels / p->groups);
  for (int k = 0; k < 3; ++k) weights *= p->kernel[k];
  return weights * (p->w_format == NIBBLE_BLOCKED ? 1 : nibble_size_of(p->w_type));
}

static int64_t bytes_touched(const nibble_loaded_step* step) {
  int64_t bytes = weight_bytes(step);
  for (size_t i = 0; i < step->value_count; ++i) {
    int64_t elements = 1;
    for (int k = 0; k < step->values[i].rank; ++k) elements *= step->values[i].extents[k];
    bytes += elements * nibble_bits_of(step->values[i].type) / 8;
  }
  if (step->kind == NIBBLE_KIND_CONV) {
    const nibble_conv* p = step->parameters;
    int64_t inputs = (int64_t)p->batch * p->in_channels;
    for (int k = 0; k < 3; ++k) inputs *= p->in[k];
    bytes += inputs * nibble_bits_of(p->x_type) / 8;
  }
  return bytes;
}

/* The set's kernel for the step; of one with packed operands, for each of its parts. */
static nibble_kernel kernel_of(const nibble_kernel_set* set, const nibble_loaded_step* step, const char** name) {
  nibble_kernel kernel = NULL;
  int32_t rows = 0;
  if (step->rows == 0) return set->find(step->kind, step->parameters, name);
  rows = nibble_rows(step->kind, step->parameters);
  for (int32_t first = 0; first < rows; first += step->rows) {
    nibble_part_step part;
    nibble_kernel found = NULL;
    nibble_part_of(step->kind, step->parameters, first, rows - first < step->rows ? rows - first : step->rows, &part);
    found = set->find(step->kind, &part, name);
    if (found == NULL || (kernel != NULL && found != kernel)) return NULL;
    kernel = found;
  }
  return kernel;
}

/* The kernel of the set that the file chose for the step, where it runs here and takes it; of the first set, from `forced`
 * on, where one is forced or nothing was chosen. */
static void choose_kernel(nibble_loaded_step* step, const nibble_kernel_set* forced) {
  int begun = forced == NULL;
  if (forced == NULL && step->chosen != NULL && !step->chosen_backend) {
    const nibble_kernel_set* own = set_named(step->chosen);
    step->kernel = own != NULL && own->runs_here() ? kernel_of(own, step, &step->kernel_name) : NULL;
    if (step->kernel != NULL) {
      step->set_name = own->name;
      return;
    }
  }
  for (int i = 0; nibble_kernel_sets[i] != NULL; ++i) {
    const nibble_kernel_set* set = nibble_kernel_sets[i];
    begun = begun || set == forced;
    if (!begun || !set->runs_here()) continue;
    step->kernel = kernel_of(set, step, &step->kernel_name);
    step->set_name = set->name;
    if (step->kernel != NULL) return;
  }
}

/* Of the first set, from `forced` on, that has one. */
static nibble_finisher choose_finisher(const nibble_kernel_set* forced) {
  int begun = forced == NULL;
  for (int i = 0; nibble_kernel_sets[i] != NULL; ++i) {
    const nibble_kernel_set* set = nibble_kernel_sets[i];
    begun = begun || set == forced;
    if (begun && set->runs_here() && set->finish != NULL) return set->finish;
  }
  return NULL;
}

static int is_worth_a_thread(const nibble_loaded_step* step) {
  const int wide = strcmp(step->set_name, "amx") == 0 || strcmp(step->set_name, "avx512vnni") == 0;
  const int64_t bytes = (int64_t)step->bytes;
  if (!wide) return step->operations + 4 * bytes >= worth_a_thread;
  return step->operations / 8 + 4 * bytes - 3 * weight_bytes(step) >= worth_a_thread_of_wide;
}

static nibble_status finish_loading(nibble_program* program, const char* kernels, char* message, size_t size) {
  const char* asked = kernels != NULL ? kernels : getenv("NIBBLE_KERNELS");
  const nibble_kernel_set* forced = asked == NULL || *asked == 0 ? NULL : set_named(asked);
  nibble_status status = NIBBLE_OK;
  if (asked != NULL && *asked != 0 && (forced == NULL || !forced->runs_here())) {
    say(message, size, forced == NULL ? "no kernel set of this name" : "a kernel set that this CPU does not run",
        asked);
    return NIBBLE_BAD_ARGUMENT;
  }
  status = nibble_parse(program, message, size);
  if (status == NIBBLE_OK) status = nibble_verify(program, message, size);
  program->finisher = choose_finisher(forced);
  for (size_t i = 0; i < program->step_count && status == NIBBLE_OK; ++i) {
    nibble_loaded_step* step = &program->steps[i];
    choose_kernel(step, forced);
    step->items = nibble_items(step->kind, step->parameters);
    step->bytes = (size_t)bytes_touched(step);
    step->shared = is_worth_a_thread(step);
  }
  return status;
}

static nibble_status loaded(nibble_program* program, const char* kernels, nibble_program** result, char* message,
                            size_t size) {
  const nibble_status status = finish_loading(program, kernels, message, size);
  if (status == NIBBLE_OK)
    *result = program;
  else
    nibble_release(program);
  return status;
}

nibble_status nibble_open(const char* path, const char* kernels, nibble_program** result, char* message, size_t size) {
  struct stat about;
  nibble_program* program = NULL;
  void* file = NULL;
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  *result = NULL;
  if (descriptor < 0 || fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    say(message, size, "cannot be opened as a file", path);
    if (descriptor >= 0) close(descriptor);
    return NIBBLE_NO_FILE;
  }
  if (about.st_size == 0) {
    say(message, size, "an empty file (expected a .nib file)", path);
    close(descriptor);
    return NIBBLE_BAD_PROGRAM;
  }
  file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  close(descriptor);
  if (file == MAP_FAILED) {
    say(message, size, "cannot be mapped", path);
    return NIBBLE_NO_FILE;
  }
  program = calloc(1, sizeof *program);
  if (program == NULL) {
    munmap(file, (size_t)about.st_size);
    return NIBBLE_NO_MEMORY;
  }
  program->file = file;
  program->file_bytes = (size_t)about.st_size;
  program->mapped = 1;
  return loaded(program, kernels, result, message, size);
}

nibble_status nibble_open_memory(const void* bytes, size_t count, const char* kernels, nibble_program** result,
                                 char* message, size_t size) {
  nibble_program* program = calloc(1, sizeof *program);
  *result = NULL;
  if (program == NULL) return NIBBLE_NO_MEMORY;
  program->file = aligned_alloc(64, (count + 127) / 64 * 64);
  program->file_bytes = count;
  if (program->file == NULL) {
    free(program);
    return NIBBLE_NO_MEMORY;
  }
  memcpy(program->file, bytes, count);
  return loaded(program, kernels, result, message, size);
}

void nibble_release(nibble_program* program) {
  if (program == NULL) return;
  if (program->leave_backends != NULL) program->leave_backends(program);
  if (program->mapped)
    munmap(program->file, program->file_bytes);
  else
    free(program->file);
  free(program->pool);
  free(program);
}

/* ---- what a program says ---------------------------------------------------------------------------------------- */

const char* nibble_program_name(const nibble_program* program) {
  return program->name;
}

const char* nibble_metadata(const nibble_program* program, const char* key) {
  for (size_t i = 0; i < program->metadata_count; ++i)
    if (strcmp(program->metadata[2 * i], key) == 0) return program->metadata[2 * i + 1];
  return NULL;
}

static int64_t count_of(const nibble_value* value) {
  int64_t count = 1;
  for (int k = 0; k < value->rank; ++k) count *= value->extents[k];
  return count;
}

static nibble_port port_of(const nibble_loaded_port* from) {
  nibble_port port = {from->value.name, from->value.type, from->value.rank, from->value.extents, 0,         0,
                      from->scale,      from->scales,     from->axis,       from->zero_point,    from->low, from->high};
  port.elements = (size_t)count_of(&from->value);
  port.bytes = port.elements * (size_t)nibble_size_of(from->value.type);
  return port;
}

size_t nibble_inputs(const nibble_program* program) {
  return program->input_count;
}
size_t nibble_outputs(const nibble_program* program) {
  return program->output_count;
}
nibble_status nibble_input(const nibble_program* program, size_t index, nibble_port* port) {
  if (index >= program->input_count) return NIBBLE_BAD_ARGUMENT;
  *port = port_of(&program->inputs[index]);
  return NIBBLE_OK;
}
nibble_status nibble_output(const nibble_program* program, size_t index, nibble_port* port) {
  if (index >= program->output_count) return NIBBLE_BAD_ARGUMENT;
  *port = port_of(&program->outputs[index]);
  return NIBBLE_OK;
}
size_t nibble_steps(const nibble_program* program) {
  return program->step_count;
}
nibble_status nibble_step(const nibble_program* program, size_t index, nibble_step_info* info) {
  if (index >= program->step_count) return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_loaded_step* step = &program->steps[index];
    const nibble_step_info of = {step->name,       step->op,    step->kernel_name, step->set_name, step->requantisation,
                                 step->operations, step->items, step->bytes,       step->why};
    *info = of;
  }
  return NIBBLE_OK;
}
size_t nibble_arena_bytes(const nibble_program* program) {
  return (size_t)program->arena;
}

/* ---- contexts --------------------------------------------------------------------------------------------------- */

nibble_status nibble_context_create(const nibble_program* program, int threads, nibble_context** result) {
  nibble_context* context = NULL;
  *result = NULL;
  if (threads < 1 || threads > 64) return NIBBLE_BAD_ARGUMENT;
  context = calloc(1, sizeof *context);
  if (context == NULL) return NIBBLE_NO_MEMORY;
  context->program = program;
  context->thread_count = threads;
  context->arena = aligned_alloc(64, (size_t)(program->arena + 127) / 64 * 64);
  context->scratch_bytes = (size_t)(program->scratch + 127) / 64 * 64;
  if (context->scratch_bytes < program->taken_scratch) context->scratch_bytes = program->taken_scratch;
  context->scratch = aligned_alloc(64, context->scratch_bytes * (size_t)threads);
  context->sums = aligned_alloc(64, program->taken_sums + 64);
  context->libraries = program->library_count;
  context->threads = nibble_threads_create(threads);
  if (context->arena == NULL || context->scratch == NULL || context->sums == NULL || context->threads == NULL) {
    nibble_context_release(context);
    return NIBBLE_NO_MEMORY;
  }
  /* What lies between tensors is read, and ignored. */
  memset(context->arena, 0, (size_t)(program->arena + 127) / 64 * 64);
  *result = context;
  return NIBBLE_OK;
}

void nibble_context_release(nibble_context* context) {
  if (context == NULL) return;
  nibble_threads_release(context->threads);
  free(context->arena);
  free(context->scratch);
  free(context->sums);
  free(context);
}

/* Walks a tensor in row-major order: the offset of each element in turn. */
typedef struct cursor {
  const nibble_value* value;
  int64_t at[32], offset;
} cursor;

static cursor begin_of(const nibble_value* value) {
  cursor c;
  memset(&c, 0, sizeof c);
  c.value = value;
  return c;
}

/* The next along the first `axes` axes. */
static void advance_along(cursor* c, int axes) {
  for (int k = axes - 1; k >= 0; --k) {
    c->offset += c->value->strides[k];
    if (++c->at[k] < c->value->extents[k]) return;
    c->offset -= c->at[k] * c->value->strides[k];
    c->at[k] = 0;
  }
}

static void advance(cursor* c) {
  advance_along(c, c->value->rank);
}

static uint8_t* address_of(nibble_context* context, const nibble_value* value) {
  return (value->constant ? (uint8_t*)(uintptr_t)context->program->constants : context->arena) + value->offset;
}

/* Elements of `size` bytes, `to_step` and `from_step` elements apart. */
#define NIBBLE_COPY_ROW(SIZE) \
  for (int64_t i = 0; i < count; ++i) memcpy(to + i * to_step * (SIZE), from + i * from_step * (SIZE), SIZE);
static void copy_row(uint8_t* to, int64_t to_step, const uint8_t* from, int64_t from_step, int64_t count,
                     int64_t size) {
  if (to_step == 1 && from_step == 1) {
    memcpy(to, from, (size_t)(count * size));
    return;
  }
  switch (size) {
    case 1: NIBBLE_COPY_ROW(1) break;
    case 2: NIBBLE_COPY_ROW(2) break;
    case 4: NIBBLE_COPY_ROW(4) break;
    default: NIBBLE_COPY_ROW(8)
  }
}

typedef enum direction { INTO_TENSOR, OUT_OF_TENSOR } direction;

/* Packed elements to bytes, in row-major order. */
static void copy_packed(const nibble_value* value, const uint8_t* base, uint8_t* data) {
  const int64_t count = count_of(value);
  cursor c = begin_of(value);
  for (int64_t i = 0; i < count; ++i, advance(&c)) data[i] = (uint8_t)nibble_load_packed(base, value->type, c.offset);
}

/* Between row-major `data` and the tensor at `base`, row by row of its last axis. */
static void copy_tensor(const nibble_value* value, uint8_t* base, uint8_t* data, direction way) {
  const int outer = value->rank > 0 ? value->rank - 1 : 0;
  const int64_t size = nibble_size_of(nibble_in_tile(value->type));
  const int64_t width = value->rank > 0 ? value->extents[outer] : 1, step = value->rank > 0 ? value->strides[outer] : 1;
  const int64_t rows = width == 0 ? 0 : count_of(value) / width;
  cursor c = begin_of(value);
  if (nibble_is_packed(value->type)) {
    copy_packed(value, base, data);
    return;
  }
  for (int64_t row = 0; row < rows; ++row, data += width * size, advance_along(&c, outer)) {
    uint8_t* at = base + c.offset * size;
    if (way == INTO_TENSOR)
      copy_row(at, step, data, 1, width, size);
    else
      copy_row(data, 1, at, step, width, size);
  }
}

/* Every integer is one that the input takes. */
static int in_range(const nibble_loaded_port* port, const void* data, int64_t count) {
  const int type = port->value.type;
  if (type == NIBBLE_F64 || (type == NIBBLE_U8 && port->low <= 0 && port->high >= UINT8_MAX) ||
      (type == NIBBLE_I8 && port->low <= INT8_MIN && port->high >= INT8_MAX))
    return 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t q = nibble_load(data, type, i);
    if (q < port->low || q > port->high) return 0;
  }
  return 1;
}

/* No bytes, where the tensor has elements. */
static int lacks(const void* data, const nibble_value* value) {
  return data == NULL && count_of(value) != 0;
}

nibble_status nibble_set(nibble_context* context, size_t index, const void* data) {
  const nibble_program* program = context->program;
  if (index >= program->input_count || lacks(data, &program->inputs[index].value)) return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_loaded_port* port = &program->inputs[index];
    if (!in_range(port, data, count_of(&port->value))) return NIBBLE_BAD_INPUT;
    copy_tensor(&port->value, address_of(context, &port->value), (uint8_t*)(uintptr_t)data, INTO_TENSOR);
  }
  return NIBBLE_OK;
}

static double rounded(double x, int rounding) {
  return rounding == 0 ? floor(x) : rounding == 1 ? floor(x + 0.5) : nearbyint(x);
}

static double scale_at(const nibble_loaded_port* port, const cursor* c) {
  return port->scale[port->axis < 0 || port->scales == 1 ? 0 : c->at[port->axis]];
}

nibble_status nibble_set_reals(nibble_context* context, size_t index, const float* data) {
  const nibble_program* program = context->program;
  if (index >= program->input_count || lacks(data, &program->inputs[index].value)) return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_loaded_port* port = &program->inputs[index];
    const int64_t count = count_of(&port->value);
    uint8_t* to = address_of(context, &port->value);
    cursor c = begin_of(&port->value);
    for (int64_t i = 0; i < count; ++i, advance(&c)) {
      const double x = data[i];
      double q = x;
      if (isnan(x)) return NIBBLE_BAD_INPUT;
      if (port->value.type == NIBBLE_F64) {
        ((double*)to)[c.offset] = x;
        continue;
      }
      if (port->scales > 0)
        q = rounded(x / scale_at(port, &c), port->rounding) + (double)port->zero_point;
      else if (x != floor(x) || x < (double)port->low || x > (double)port->high)
        return NIBBLE_BAD_INPUT;
      q = q < (double)port->low ? (double)port->low : q > (double)port->high ? (double)port->high : q;
      nibble_store(to, port->value.type, c.offset, (int64_t)q);
    }
  }
  return NIBBLE_OK;
}

nibble_status nibble_get(nibble_context* context, size_t index, void* data) {
  if (index >= context->program->output_count || lacks(data, &context->program->outputs[index].value))
    return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_value* value = &context->program->outputs[index].value;
    copy_tensor(value, address_of(context, value), data, OUT_OF_TENSOR);
  }
  return NIBBLE_OK;
}

nibble_status nibble_get_reals(nibble_context* context, size_t index, float* data) {
  if (index >= context->program->output_count || lacks(data, &context->program->outputs[index].value))
    return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_loaded_port* port = &context->program->outputs[index];
    const uint8_t* from = address_of(context, &port->value);
    const int64_t count = count_of(&port->value);
    cursor c = begin_of(&port->value);
    for (int64_t i = 0; i < count; ++i, advance(&c)) {
      if (port->value.type == NIBBLE_F64) {
        data[i] = (float)((const double*)from)[c.offset];
        continue;
      }
      const double q = (double)nibble_load(from, port->value.type, c.offset);
      data[i] = (float)(port->scales > 0 ? scale_at(port, &c) * (q - (double)port->zero_point) : q);
    }
  }
  return NIBBLE_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

typedef struct share_of_step {
  nibble_context* context;
  const nibble_loaded_step* step;
  int fault; /* of any share */
} share_of_step;

static const void* operand(nibble_context* context, int64_t place) {
  if (place < 0) return NULL;
  return (place % 2 != 0 ? context->program->constants : context->arena) + place / 2;
}

static nibble_call call_of(nibble_context* context, const nibble_loaded_step* step) {
  nibble_call call = {{NULL}, context->arena + step->out / 2, context->scratch, 0, step->items};
  for (int i = 0; i < NIBBLE_MAX_OPERANDS; ++i) call.in[i] = operand(context, step->in[i]);
  return call;
}

static void run_share(void* of, int share, int shares) {
  share_of_step* job = of;
  const nibble_loaded_step* step = job->step;
  nibble_call call = call_of(job->context, step);
  int fault = 0;
  call.scratch = job->context->scratch + (size_t)share * job->context->scratch_bytes;
  call.begin = step->items * share / shares;
  call.end = step->items * (share + 1) / shares;
  if (call.begin == call.end) return;
  if (step->rows == 0)
    fault = step->kernel(step->parameters, &call);
  else
    fault = (step->kind == NIBBLE_KIND_CONV ? nibble_conv_packed : nibble_pool_packed)(
        step->parameters, &call, step->kernel, step->rows, step->tiles);
  if (fault != 0) __atomic_store_n(&job->fault, fault, __ATOMIC_RELAXED);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show(nibble_context* context, size_t index) {
  const nibble_loaded_step* step = &context->program->steps[index];
  for (size_t i = 0; i < step->value_count; ++i) {
    const nibble_value* value = &step->values[i];
    nibble_seen seen = {index, {0}, NULL};
    const seen_inside inside = {value, address_of(context, value)};
    seen.port.name = value->name;
    seen.port.type = nibble_in_tile(value->type);
    seen.port.rank = value->rank;
    seen.port.shape = value->extents;
    seen.port.elements = (size_t)count_of(value);
    seen.port.bytes = seen.port.elements * (size_t)nibble_size_of(seen.port.type);
    seen.inside = &inside;
    context->observer(context->user, &seen);
  }
}

void nibble_copy_seen(const nibble_seen* seen, void* data) {
  const seen_inside* inside = seen->inside;
  copy_tensor(inside->value, (uint8_t*)(uintptr_t)inside->from, data, OUT_OF_TENSOR);
}

static int run_step(nibble_context* context, const nibble_loaded_step* step) {
  const int together = context->thread_count > 1 && step->shared;
  share_of_step job = {context, step, 0};
  if (step->backend != NULL) {
    const nibble_taken with = {call_of(context, step), context->program->finisher, together ? context->threads : NULL,
                               context->scratch,       context->scratch_bytes,     context->sums};
    return nibble_run_taken(step, &with);
  }
  if (together)
    nibble_threads_run(context->threads, run_share, &job);
  else
    run_share(&job, 0, 1);
  return job.fault;
}

nibble_status nibble_run(nibble_context* context) {
  const nibble_program* program = context->program;
  double before = context->seconds != NULL ? now() : 0;
  if (context->libraries != program->library_count) return NIBBLE_BAD_ARGUMENT;
  for (size_t i = 0; i < program->step_count; ++i) {
    const int fault = run_step(context, &program->steps[i]);
    if (fault != 0) return fault == NIBBLE_BACKEND_NO_MEMORY ? NIBBLE_NO_MEMORY : NIBBLE_FAULT;
    if (context->seconds != NULL) {
      const double after = now();
      context->seconds[i] = after - before;
      before = after;
    }
    if (context->observer != NULL) show(context, i);
  }
  return NIBBLE_OK;
}

void nibble_observe(nibble_context* context, nibble_observer observer, void* user) {
  context->observer = observer;
  context->user = user;
}

void nibble_time(nibble_context* context, double* seconds) {
  context->seconds = seconds;
}
