/* A plugin of qemu (API 1) that counts executed instructions between marks: -plugin count.so,mark=0xADDRESS -d plugin,
 * or -plugin count.so,call=NUMBER. Each time the instruction at ADDRESS is about to be executed, or the system called by
 * that number, "mark N" is printed, N those since the mark before.
 * Declared here is what it uses: Debian does not package qemu's header. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { NO_REGISTERS = 0, ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, void (*)(unsigned, void*), int, void*);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn*, int, void*, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t,
                                          void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn*);
void qemu_plugin_outs(const char*);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = 1;

static uint64_t mark_at, count, before;
static int64_t call = -1;

static void at_mark(unsigned cpu, void* data) {
  char line[64];
  (void)cpu;
  (void)data;
  snprintf(line, sizeof line, "mark %" PRIu64 "\n", count - before);
  qemu_plugin_outs(line);
  before = count;
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  (void)id, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
  if (number == call) at_mark(cpu, NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    if (qemu_plugin_insn_vaddr(instruction) == mark_at)
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, at_mark, NO_REGISTERS, NULL);
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, &count, 1);
  }
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t* about, int argc, char** argv) {
  (void)about;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "mark=", 5) == 0) mark_at = strtoull(argv[i] + 5, NULL, 0);
    if (strncmp(argv[i], "call=", 5) == 0) call = strtoll(argv[i] + 5, NULL, 0);
  }
  if (call >= 0) qemu_plugin_register_vcpu_syscall_cb(id, called);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
