/* A QEMU (TCG) plugin that counts the AArch64 instructions a process executes, by class.
 *
 * kill(pid, 0), which does nothing, is the mark: at each, one line of counts since the start is
 * appended to the file given as out=PATH: multiply-accumulates, loads, stores, others.
 *
 * The declarations are our own: Debian ships no qemu-plugin.h for qemu-user. They are those of
 * plugin API version 1, which QEMU 7.2 speaks.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *at, uint64_t add);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id,
                                          void (*call)(qemu_plugin_id_t, unsigned int, int64_t, uint64_t, uint64_t,
                                                       uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { MULTIPLY, LOAD, STORE, OTHER, CLASSES };
enum { AARCH64_KILL = 129 };

static uint64_t counts[CLASSES];
static char out[4096];

static uint32_t bits(uint32_t word, int high, int low) { return word >> low & ((2u << (high - low)) - 1); }

/* Arm Architecture Reference Manual, C4.1.94: loads and stores. */
static int memory_class(uint32_t word) {
    uint32_t group = bits(word, 29, 27);
    bool vector = bits(word, 26, 26);
    if (group == 3 && bits(word, 25, 24) == 0)
        return !vector && bits(word, 31, 30) == 3 ? OTHER : LOAD;
    if (group == 7 && !vector && bits(word, 31, 30) == 3 && bits(word, 23, 22) == 2 && bits(word, 11, 10) != 0)
        return OTHER; /* a prefetch */
    if (group == 7 && !vector)
        return bits(word, 23, 22) ? LOAD : STORE;
    return bits(word, 22, 22) ? LOAD : STORE;
}

/* C4.1.93 and C4.1.96: products, with or without an addition. */
static bool multiplies(uint32_t word) {
    uint32_t group = bits(word, 28, 24);
    if (group == 0x1b || bits(word, 31, 24) == 0x1f)
        return true; /* MADD and the like, FMADD */
    if (bits(word, 31, 24) == 0x1e)
        return bits(word, 21, 21) && bits(word, 11, 10) == 2 && (bits(word, 15, 12) == 0 || bits(word, 15, 12) == 8);
    if (bits(word, 31, 31))
        return false;
    if (group == 0x0f || group == 0x1f)
        return !bits(word, 10, 10); /* by element */
    if (group != 0x0e)
        return false;
    uint32_t opcode = bits(word, 15, 11);
    if (!bits(word, 21, 21)) /* dot and matrix products */
        return bits(word, 15, 15) && bits(word, 10, 10) && bits(word, 14, 11) >= 2 && bits(word, 14, 11) <= 5;
    if (bits(word, 10, 10)) /* of equal widths: MLA, MUL, FMLA, FMUL */
        return opcode == 0x12 || opcode == 0x13 || (opcode == 0x19 && !bits(word, 29, 29)) || opcode == 0x1b;
    return !bits(word, 11, 11) && bits(word, 15, 12) >= 8 && bits(word, 15, 12) <= 14; /* SMLAL, SMULL, ... */
}

static int class_of(uint32_t word) {
    if ((bits(word, 28, 25) & 5) == 4)
        return memory_class(word);
    return multiplies(word) ? MULTIPLY : OTHER;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    uint64_t found[CLASSES] = {0};
    (void)id;
    for (size_t index = 0; index < qemu_plugin_tb_n_insns(tb); index++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, index)), sizeof word);
        found[class_of(word)]++;
    }
    for (int class = 0; class < CLASSES; class ++)
        if (found[class])
            qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &counts[class], found[class]);
}

static void called(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t pid, uint64_t sent, uint64_t a3,
                   uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)cpu, (void)pid, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != AARCH64_KILL || sent != 0)
        return;
    FILE *file = fopen(out, "a");
    if (!file)
        return;
    for (int class = 0; class < CLASSES; class ++)
        fprintf(file, "%llu%c", (unsigned long long)counts[class], class == OTHER ? '\n' : ' ');
    fclose(file);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count,
                                                               char **arguments) {
    (void)info;
    for (int index = 0; index < count; index++)
        if (strncmp(arguments[index], "out=", 4) == 0)
            snprintf(out, sizeof out, "%s", arguments[index] + 4);
    if (!out[0])
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
