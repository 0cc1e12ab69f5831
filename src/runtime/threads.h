#ifndef NIBBLE_RUNTIME_THREADS_H
#define NIBBLE_RUNTIME_THREADS_H

/* A fixed set of threads that run one job at a time together: share 0 to threads - 1, the caller's own is 0. */
typedef struct nibble_threads nibble_threads;
typedef void (*nibble_job)(void* context, int share, int shares);

/* NULL where there is no memory, or no thread is to be had. */
nibble_threads* nibble_threads_create(int threads);
void nibble_threads_release(nibble_threads* threads);
/* Returns when every share is done. */
void nibble_threads_run(nibble_threads* threads, nibble_job job, void* context);

#endif
