#include "runtime/loaded.h"

/* A step that a back end took: its sums, then the step's stage over them. Where one call takes all items, the caller makes
 * the sums and the threads finish them; else each thread makes and finishes its own, some items at a time. */

typedef struct taken_job {
  const nibble_loaded_step* step;
  const nibble_taken* with;
  int fault; /* of any share */
} taken_job;

static const int64_t most = (int64_t)1 << 40;

static int64_t padded(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* Bytes of the sums of `items` items. */
static int64_t bytes_of_sums(const nibble_loaded_step* step, int64_t items) {
  if (step->prepared.gives != NIBBLE_BACKEND_SUMS) return 0;
  return padded(4 * nibble_sums(step->kind, step->parameters, 0, least(items, step->items)) + NIBBLE_SLACK);
}

int64_t nibble_taken_sums(const nibble_loaded_step* step) {
  return step->prepared.grain > 0 ? 0 : bytes_of_sums(step, step->items);
}

int64_t nibble_taken_scratch(const nibble_loaded_step* step) {
  const size_t own = step->prepared.scratch;
  if (own > (size_t)most) return -1;
  return padded((int64_t)own) + (step->prepared.grain > 0 ? bytes_of_sums(step, step->prepared.grain) : 0);
}

static void note(taken_job* job, int fault) {
  if (fault != NIBBLE_FINE) __atomic_store_n(&job->fault, fault, __ATOMIC_RELAXED);
}

static void finish(taken_job* job, const nibble_call* call, const int32_t* v) {
  const nibble_loaded_step* step = job->step;
  if (step->prepared.gives == NIBBLE_BACKEND_SUMS)
    note(job, nibble_finish_sums(step->kind, step->parameters, call, v, step->prepared.addend, job->with->finisher));
}

/* A share's grains, each finished while its sums are near. */
static void run_grains(void* of, int share, int shares) {
  taken_job* job = of;
  const nibble_loaded_step* step = job->step;
  const int64_t grain = step->prepared.grain, grains = (step->items + grain - 1) / grain;
  nibble_call call = job->with->call;
  uint8_t* block = job->with->scratch + (size_t)share * job->with->scratch_bytes;
  int32_t* v = (int32_t*)(void*)(block + padded((int64_t)step->prepared.scratch));
  call.scratch = block;
  for (int64_t i = grains * share / shares; i < grains * (share + 1) / shares; ++i) {
    call.begin = i * grain;
    call.end = least(call.begin + grain, step->items);
    note(job, step->backend->run(step->prepared.handle, &call, step->prepared.gives == NIBBLE_BACKEND_SUMS ? v : NULL));
    finish(job, &call, v);
  }
}

/* The sums of a split convolution's items lie apart in the whole's: that one is finished by the caller. */
static int can_be_cut(const nibble_loaded_step* step) {
  return step->kind == NIBBLE_KIND_MATMUL || !((const nibble_conv*)step->parameters)->split;
}

static void finish_share(void* of, int share, int shares) {
  taken_job* job = of;
  const nibble_loaded_step* step = job->step;
  nibble_call call = job->with->call;
  call.begin = step->items * share / shares;
  call.end = step->items * (share + 1) / shares;
  if (call.begin < call.end)
    finish(job, &call, job->with->sums + nibble_sums(step->kind, step->parameters, 0, call.begin));
}

static void together(nibble_threads* threads, nibble_job what, taken_job* job) {
  if (threads != NULL)
    nibble_threads_run(threads, what, job);
  else
    what(job, 0, 1);
}

int nibble_run_taken(const nibble_loaded_step* step, const nibble_taken* with) {
  taken_job job = {step, with, NIBBLE_FINE};
  nibble_call call = with->call;
  if (step->items == 0) return NIBBLE_FINE;
  if (step->prepared.grain > 0) {
    together(with->threads, run_grains, &job);
    return job.fault;
  }
  call.begin = 0;
  call.end = step->items;
  note(&job, step->backend->run(step->prepared.handle, &call,
                                step->prepared.gives == NIBBLE_BACKEND_SUMS ? with->sums : NULL));
  if (step->prepared.gives == NIBBLE_BACKEND_SUMS)
    together(can_be_cut(step) ? with->threads : NULL, finish_share, &job);
  return job.fault;
}
