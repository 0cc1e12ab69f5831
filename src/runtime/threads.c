#define _GNU_SOURCE
#include "runtime/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* How long a thread looks for the next job before it sleeps: steps follow each other within microseconds. */
enum { looks = 4000 };

typedef struct worker {
  nibble_threads* of;
  pthread_t thread;
  int share;
} worker;

struct nibble_threads {
  int count;
  worker* workers; /* count - 1 */
  nibble_job job;
  void* context;
  atomic_uint round;   /* raised for each job */
  atomic_int pending;  /* shares that are not done */
  atomic_int sleeping; /* workers that wait for the condition */
  atomic_int stop;
  pthread_mutex_t lock;
  pthread_cond_t wake;
};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

/* The round after `seen`. */
static unsigned next_round(nibble_threads* t, unsigned seen) {
  for (int i = 0; i < looks; ++i) {
    const unsigned now = atomic_load_explicit(&t->round, memory_order_acquire);
    if (now != seen) return now;
    pause_briefly();
  }
  pthread_mutex_lock(&t->lock);
  atomic_fetch_add(&t->sleeping, 1);
  while (atomic_load(&t->round) == seen) pthread_cond_wait(&t->wake, &t->lock);
  atomic_fetch_sub(&t->sleeping, 1);
  pthread_mutex_unlock(&t->lock);
  return atomic_load(&t->round);
}

static void* work(void* of) {
  worker* w = of;
  nibble_threads* t = w->of;
  unsigned seen = 0;
  for (;;) {
    seen = next_round(t, seen);
    if (atomic_load(&t->stop)) return NULL;
    t->job(t->context, w->share, t->count);
    atomic_fetch_sub_explicit(&t->pending, 1, memory_order_release);
  }
}

static void start_round(nibble_threads* t) {
  atomic_fetch_add(&t->round, 1);
  if (atomic_load(&t->sleeping) == 0) return;
  pthread_mutex_lock(&t->lock);
  pthread_cond_broadcast(&t->wake);
  pthread_mutex_unlock(&t->lock);
}

nibble_threads* nibble_threads_create(int threads) {
  nibble_threads* t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->count = 1;
  t->workers = calloc((size_t)threads, sizeof *t->workers);
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->wake, NULL);
  for (int i = 1; t->workers != NULL && i < threads; ++i) {
    worker* w = &t->workers[i - 1];
    w->of = t;
    w->share = i;
    if (pthread_create(&w->thread, NULL, work, w) != 0) break;
    ++t->count;
  }
  if (t->workers != NULL && t->count == threads) return t;
  nibble_threads_release(t);
  return NULL;
}

void nibble_threads_release(nibble_threads* t) {
  if (t == NULL) return;
  atomic_store(&t->stop, 1);
  start_round(t);
  for (int i = 1; i < t->count; ++i) pthread_join(t->workers[i - 1].thread, NULL);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->wake);
  free(t->workers);
  free(t);
}

void nibble_threads_run(nibble_threads* t, nibble_job job, void* context) {
  if (t->count == 1) {
    job(context, 0, 1);
    return;
  }
  t->job = job;
  t->context = context;
  atomic_store(&t->pending, t->count - 1);
  start_round(t);
  job(context, 0, t->count);
  for (int i = 0; atomic_load_explicit(&t->pending, memory_order_acquire) != 0; ++i) {
    if (i < looks)
      pause_briefly();
    else
      sched_yield();
  }
}
