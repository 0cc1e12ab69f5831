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
  const nibble_program* program;
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

/* Where it stands among these. */
static const nibble_kernel_set* const* set_named(const nibble_kernel_set* const* set, const char* name) {
  for (; *set != NULL; ++set)
    if (strcmp((*set)->name, name) == 0) return set;
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

/* The kernel of the set that the file chose for the step, where none is forced; where that does not run here or does not
 * take the step, of the first one that does. */
static const nibble_kernel_set* choose_kernel(const nibble_program* program, nibble_loaded_step* step, int forced) {
  const nibble_kernel_set* const* set = program->sets;
  if (!forced && step->chosen != NULL && !step->chosen_backend) {
    set = set_named(program->sets, step->chosen);
    step->kernel = set != NULL ? kernel_of(*set, step, &step->kernel_name) : NULL;
    if (step->kernel != NULL) return *set;
    set = program->sets;
  }
  while ((step->kernel = kernel_of(*set, step, &step->kernel_name)) == NULL) ++set;
  return *set;
}

static nibble_finisher choose_finisher(const nibble_program* program) {
  for (const nibble_kernel_set* const* set = program->sets; *set != NULL; ++set)
    if ((*set)->finish != NULL) return (*set)->finish;
  return NULL;
}

static int is_worth_a_thread(const nibble_kernel_set* set, const nibble_loaded_step* step) {
  const int64_t bytes = (int64_t)step->bytes;
  if (!set->wide) return step->operations + 4 * bytes >= worth_a_thread;
  return step->operations / 8 + 4 * bytes - 3 * weight_bytes(step) >= worth_a_thread_of_wide;
}

static nibble_status finish_loading(nibble_program* program, const char* kernels, char* message, size_t size) {
  const char* asked = kernels != NULL ? kernels : getenv("NIBBLE_KERNELS");
  const int forced = asked != NULL && *asked != 0;
  const nibble_kernel_set* const* from = forced ? set_named(nibble_kernel_sets, asked) : nibble_kernel_sets;
  nibble_status status = NIBBLE_OK;
  if (from == NULL || (forced && !(*from)->runs_here())) {
    say(message, size, from == NULL ? "no kernel set of this name" : "a kernel set that this CPU does not run", asked);
    return NIBBLE_BAD_ARGUMENT;
  }
  /* Asked once: a virtual machine takes 20 us to say what a CPU has. */
  for (size_t sets = 0; *from != NULL; ++from)
    if ((*from)->runs_here()) program->sets[sets++] = *from;
  status = nibble_parse(program, message, size);
  if (status == NIBBLE_OK) status = nibble_verify(program, message, size);
  program->finisher = choose_finisher(program);
  for (size_t i = 0; i < program->step_count && status == NIBBLE_OK; ++i) {
    nibble_loaded_step* step = &program->steps[i];
    const nibble_kernel_set* set = choose_kernel(program, step, forced);
    step->set_name = set->name;
    step->items = nibble_items(step->kind, step->parameters);
    step->bytes = (size_t)bytes_touched(step);
    step->shared = is_worth_a_thread(set, step);
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
static void advance(cursor* c, int axes) {
  for (int k = axes - 1; k >= 0; --k) {
    c->offset += c->value->strides[k];
    if (++c->at[k] < c->value->extents[k]) return;
    c->offset -= c->at[k] * c->value->strides[k];
    c->at[k] = 0;
  }
}

static uint8_t* address_of(nibble_context* context, const nibble_value* value) {
  return (value->constant ? (uint8_t*)(uintptr_t)context->program->constants : context->arena) + value->offset;
}

typedef enum direction { INTO_TENSOR, OUT_OF_TENSOR } direction;

/* Packed elements to bytes, in row-major order. */
static void copy_packed(const nibble_value* value, const uint8_t* base, uint8_t* data) {
  const int64_t count = count_of(value);
  cursor c = begin_of(value);
  for (int64_t i = 0; i < count; ++i, advance(&c, value->rank))
    data[i] = (uint8_t)nibble_load_packed(base, value->type, c.offset);
}

/* Axis `from` becomes axis `to`, with the extent given. */
static void set_axis(nibble_move* p, int to, int from, int32_t extent) {
  p->x_stride[to] = p->x_stride[from], p->y_stride[to] = p->y_stride[from], p->extent[to] = extent;
}

/* The axes of a move, those far apart in its target first: a kernel goes along its last ones. Axes that go on where the
 * next one ends, in both tensors, become one. */
static void order_axes(nibble_move* p) {
  int last = 0;
  for (int k = 1; k < p->rank; ++k)
    for (int i = k; i > 0 && p->y_stride[i - 1] < p->y_stride[i]; --i) {
      const int64_t y = p->y_stride[i], x = p->x_stride[i];
      const int32_t extent = p->extent[i];
      set_axis(p, i, i - 1, p->extent[i - 1]);
      p->y_stride[i - 1] = y, p->x_stride[i - 1] = x, p->extent[i - 1] = extent;
    }
  for (int k = 1; k < p->rank; ++k) {
    const int64_t together = (int64_t)p->extent[last] * p->extent[k];
    if (p->x_stride[last] == p->x_stride[k] * p->extent[k] && p->y_stride[last] == p->y_stride[k] * p->extent[k] &&
        together <= INT32_MAX)
      set_axis(p, last, k, (int32_t)together);
    else
      set_axis(p, ++last, k, p->extent[k]);
  }
  if (p->rank > 0) p->rank = last + 1;
}

/* Between row-major `data` and the tensor at `base`: a move like those of a program. */
static void copy_tensor(const nibble_program* program, const nibble_value* value, uint8_t* base, uint8_t* data,
                        direction way) {
  const int type = nibble_in_tile(value->type);
  const char* name = NULL;
  nibble_kernel kernel = NULL;
  nibble_call call;
  nibble_move p;
  if (nibble_is_packed(value->type)) {
    copy_packed(value, base, data);
    return;
  }
  if (value->rank > NIBBLE_MAX_RANK) {
    const int64_t count = count_of(value), size = nibble_size_of(type);
    cursor c = begin_of(value);
    for (int64_t i = 0; i < count; ++i, advance(&c, value->rank)) {
      uint8_t *at = base + c.offset * size, *row_major = data + i * size;
      memcpy(way == INTO_TENSOR ? at : row_major, way == INTO_TENSOR ? row_major : at, (size_t)size);
    }
    return;
  }
  memset(&p, 0, sizeof p);
  memset(&call, 0, sizeof call);
  p.x_type = p.y_type = type;
  p.rank = value->rank;
  call.end = 1;
  for (int k = value->rank - 1; k >= 0; --k) {
    p.extent[k] = (int32_t)value->extents[k];
    (way == INTO_TENSOR ? p.x_stride : p.y_stride)[k] = call.end;
    (way == INTO_TENSOR ? p.y_stride : p.x_stride)[k] = value->strides[k];
    call.end *= value->extents[k];
  }
  order_axes(&p);
  call.in[0] = way == INTO_TENSOR ? data : base;
  call.out = way == INTO_TENSOR ? base : data;
  for (const nibble_kernel_set* const* set = program->sets; kernel == NULL; ++set)
    kernel = (*set)->find(NIBBLE_KIND_MOVE, &p, &name);
  kernel(&p, &call);
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
    copy_tensor(program, &port->value, address_of(context, &port->value), (uint8_t*)(uintptr_t)data, INTO_TENSOR);
  }
  return NIBBLE_OK;
}

static double scale_at(const nibble_loaded_port* port, const cursor* c) {
  return port->scale[port->axis < 0 || port->scales == 1 ? 0 : c->at[port->axis]];
}

/* Row by row of the last axis, or element by element where that has scales of its own. */
static nibble_status set_levels(const nibble_loaded_port* port, uint8_t* to, const float* data) {
  const nibble_value* value = &port->value;
  const int64_t count = count_of(value);
  const int last = value->rank - 1, apart = port->scales > 1 && port->axis == last;
  const int64_t width = last < 0 || apart ? 1 : value->extents[last], step = last < 0 ? 0 : value->strides[last];
  cursor c = begin_of(value);
  for (int64_t row = 0; row < count; row += width, advance(&c, last + apart)) {
    const double scale = port->scales > 0 ? scale_at(port, &c) : 1;
    if (nibble_set_levels(port, scale, data + row, width, to, c.offset, step)) return NIBBLE_BAD_INPUT;
  }
  return NIBBLE_OK;
}

nibble_status nibble_set_reals(nibble_context* context, size_t index, const float* data) {
  const nibble_program* program = context->program;
  if (index >= program->input_count || lacks(data, &program->inputs[index].value)) return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_loaded_port* port = &program->inputs[index];
    const int64_t count = count_of(&port->value);
    uint8_t* to = address_of(context, &port->value);
    cursor c = begin_of(&port->value);
    if (port->value.type != NIBBLE_F64) return set_levels(port, to, data);
    for (int64_t i = 0; i < count; ++i, advance(&c, port->value.rank)) {
      if (isnan(data[i])) return NIBBLE_BAD_INPUT;
      ((double*)to)[c.offset] = data[i];
    }
  }
  return NIBBLE_OK;
}

nibble_status nibble_get(nibble_context* context, size_t index, void* data) {
  if (index >= context->program->output_count || lacks(data, &context->program->outputs[index].value))
    return NIBBLE_BAD_ARGUMENT;
  {
    const nibble_value* value = &context->program->outputs[index].value;
    copy_tensor(context->program, value, address_of(context, value), data, OUT_OF_TENSOR);
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
    for (int64_t i = 0; i < count; ++i, advance(&c, port->value.rank)) {
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
    const seen_inside inside = {context->program, value, address_of(context, value)};
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
  copy_tensor(inside->program, inside->value, (uint8_t*)(uintptr_t)inside->from, data, OUT_OF_TENSOR);
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
