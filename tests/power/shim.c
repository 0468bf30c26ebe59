/*
 * Records what a process does to the files below one folder, and can make it fail: for the power-cut tests.
 *
 * Preloaded (LD_PRELOAD). Before main it installs a seccomp filter that traps every system call that changes files;
 * the handler performs the call and appends a record of it to the trace. So calls that do not go through the C
 * library are seen as well. One lock is held around call and record: the order of the trace is the order of events.
 * It does not record reads, links and shared mappings (the store makes none), and it ends the process at a call that it
 * knows and cannot record, such as fallocate.
 *
 *   POWER_TRACE   file that the trace is written to
 *   POWER_FOLDER  canonical path of the folder; a file named `acks` directly in it carries the workload's marks
 *   POWER_FAIL    optional, `write|sync:N:ERRNO:once|on`: the N-th such call fails, that one only or all from there on
 *
 * Record: u32 magic, u32 op, u64 inode, u64 place, u32 path bytes, u32 second path bytes, u32 data bytes, then these.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the power-cut tests read x86-64 registers"
#endif

/* In the sixth argument, which none of the trapped calls has: the call is ours. */
#define OURS 0x70617277L
#define RECORD_MAGIC 0x50574352u
#define PATH_BYTES 4096

enum { OP_CREATE = 1, OP_WRITE, OP_TRUNCATE, OP_FSYNC, OP_FDATASYNC, OP_MKDIR, OP_RENAME, OP_UNLINK, OP_RMDIR, OP_MARK };

static char root[PATH_BYTES], marks[PATH_BYTES];
static size_t root_bytes;
static long trace = -1;
static volatile int busy;
static int fail_syncs, fail_once, fail_errno;
static long fail_in;

static long raw(long number, long a, long b, long c, long d, long e) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = OURS;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static void say(const char *text) { raw(SYS_write, 2, (long)text, (long)strlen(text), 0, 0); }

static void give_up(const char *why, const char *what) {
    say("power shim: ");
    say(why);
    say(" ");
    say(what);
    say("\n");
    raw(SYS_exit_group, 99, 0, 0, 0, 0);
}

static int is_below(const char *path) { return strncmp(path, root, root_bytes) == 0 && (path[root_bytes] == '/' || path[root_bytes] == 0); }

static int path_of(long fd, char *out) {
    char link[32] = "/proc/self/fd/";
    char digits[12];
    int n = 0;
    if (fd < 0) return 0;
    do digits[n++] = (char)('0' + fd % 10); while (fd /= 10);
    size_t at = strlen(link);
    while (n) link[at++] = digits[--n];
    link[at] = 0;
    long bytes = raw(SYS_readlink, (long)link, (long)out, PATH_BYTES - 1, 0, 0);
    if (bytes <= 0) return 0;
    out[bytes] = 0;
    return is_below(out);
}

/* The full path of a path argument; whether it lies below the folder. */
static int resolve(long dir, const char *path, char *out) {
    out[0] = 0;
    if (path[0] != '/') {
        if (dir == AT_FDCWD) {
            if (raw(SYS_getcwd, (long)out, PATH_BYTES, 0, 0, 0) < 0) return 0;
        } else {
            (void)path_of(dir, out);
        }
        strncat(out, "/", PATH_BYTES - strlen(out) - 1);
    }
    strncat(out, path, PATH_BYTES - strlen(out) - 1);
    return is_below(out);
}

static uint64_t inode_of(long fd) {
    struct stat about;
    return raw(SYS_fstat, fd, (long)&about, 0, 0, 0) < 0 ? 0 : about.st_ino;
}

static int exists(const char *path, uint64_t *inode) {
    struct stat about;
    if (raw(SYS_lstat, (long)path, (long)&about, 0, 0, 0) < 0) return 0;
    *inode = about.st_ino;
    return 1;
}

static void put(const void *bytes, size_t count) {
    const char *at = bytes;
    while (count) {
        long done = raw(SYS_write, trace, (long)at, (long)count, 0, 0);
        if (done <= 0) give_up("cannot write", "the trace");
        at += done;
        count -= (size_t)done;
    }
}

static void record(uint32_t op, uint64_t inode, uint64_t place, const char *path, const char *second, const void *data, size_t bytes) {
    struct __attribute__((packed)) { uint32_t magic, op; uint64_t inode, place; uint32_t path, second, data; } head = {
        RECORD_MAGIC, op, inode, place, (uint32_t)strlen(path), (uint32_t)strlen(second), (uint32_t)bytes };
    put(&head, sizeof head);
    put(path, head.path);
    put(second, head.second);
    put(data, bytes);
}

static int fails(int is_sync) {
    if (!fail_in || fail_syncs != is_sync) return 0;
    if (fail_in > 1) {
        fail_in--;
        return 0;
    }
    if (fail_once) fail_in = 0;
    return 1;
}

static long write_some(long fd, const void *data, size_t bytes, int positioned, uint64_t at) {
    char path[PATH_BYTES];
    if (!path_of(fd, path)) return positioned ? raw(SYS_pwrite64, fd, (long)data, (long)bytes, (long)at, 0) : raw(SYS_write, fd, (long)data, (long)bytes, 0, 0);
    if (strcmp(path, marks) == 0) {
        record(OP_MARK, 0, 0, "", "", data, bytes);
        return (long)bytes;
    }
    if (fails(0)) return -fail_errno;
    if (!positioned) {
        struct stat about;
        raw(SYS_fstat, fd, (long)&about, 0, 0, 0);
        int appends = (raw(SYS_fcntl, fd, F_GETFL, 0, 0, 0) & O_APPEND) != 0;
        at = appends ? (uint64_t)about.st_size : (uint64_t)raw(SYS_lseek, fd, 0, SEEK_CUR, 0, 0);
    }
    long done = positioned ? raw(SYS_pwrite64, fd, (long)data, (long)bytes, (long)at, 0) : raw(SYS_write, fd, (long)data, (long)bytes, 0, 0);
    if (done > 0) record(OP_WRITE, inode_of(fd), at, "", "", data, (size_t)done);
    return done;
}

static long write_vector(long fd, const struct iovec *parts, long count) {
    long whole = 0;
    for (long n = 0; n < count; n++) {
        long done = write_some(fd, parts[n].iov_base, parts[n].iov_len, 0, 0);
        if (done < 0) return whole ? whole : done;
        whole += done;
        if ((size_t)done < parts[n].iov_len) break;
    }
    return whole;
}

static long open_file(long dir, const char *name, long flags, long mode) {
    char path[PATH_BYTES];
    if (!resolve(dir, name, path) || strcmp(path, marks) == 0) return raw(SYS_openat, dir, (long)name, flags, mode, 0);
    if ((flags & O_TMPFILE) == O_TMPFILE) give_up("cannot record", "a file without a name");
    uint64_t inode = 0;
    int there = exists(path, &inode);
    long fd = raw(SYS_openat, dir, (long)name, flags, mode, 0);
    if (fd < 0) return fd;
    if (!there) record(OP_CREATE, inode_of(fd), 0, path, "", "", 0);
    else if (flags & O_TRUNC) record(OP_TRUNCATE, inode, 0, "", "", "", 0);
    return fd;
}

static long truncate_file(long fd, long bytes) {
    char path[PATH_BYTES];
    int ours = path_of(fd, path);
    if (ours && fails(0)) return -fail_errno;
    long done = raw(SYS_ftruncate, fd, bytes, 0, 0, 0);
    if (done == 0 && ours) record(OP_TRUNCATE, inode_of(fd), (uint64_t)bytes, "", "", "", 0);
    return done;
}

static long sync_file(long number, long fd) {
    char path[PATH_BYTES];
    int ours = path_of(fd, path);
    if (ours && fails(1)) return -fail_errno;
    long done = raw(number, fd, 0, 0, 0, 0);
    if (done == 0 && ours) record(number == SYS_fsync ? OP_FSYNC : OP_FDATASYNC, inode_of(fd), 0, "", "", "", 0);
    return done;
}

static long make_folder(long dir, const char *name, long mode) {
    char path[PATH_BYTES];
    uint64_t inode = 0;
    int ours = resolve(dir, name, path);
    long done = raw(SYS_mkdirat, dir, (long)name, mode, 0, 0);
    if (done == 0 && ours && exists(path, &inode)) record(OP_MKDIR, inode, 0, path, "", "", 0);
    return done;
}

static long rename_file(long dir, const char *from, long other, const char *to, long flags) {
    char path[PATH_BYTES], second[PATH_BYTES];
    int ours = resolve(dir, from, path), theirs = resolve(other, to, second);
    if ((ours || theirs) && !(ours && theirs && (flags == 0 || flags == 1))) give_up("cannot record the renaming of", path);
    long done = raw(SYS_renameat2, dir, (long)from, other, (long)to, flags);
    if (done == 0 && ours) record(OP_RENAME, 0, 0, path, second, "", 0);
    return done;
}

static long unlink_file(long dir, const char *name, long flags) {
    char path[PATH_BYTES];
    int ours = resolve(dir, name, path);
    long done = raw(SYS_unlinkat, dir, (long)name, flags, 0, 0);
    if (done == 0 && ours) record(flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, 0, 0, path, "", "", 0);
    return done;
}

/* A call that is recorded by none of the above: harmless elsewhere, fatal below the folder. */
static long pass_or_give_up(long number, const long *a) {
    char path[PATH_BYTES];
    if (path_of(number == SYS_copy_file_range ? a[2] : a[0], path)) give_up("cannot record what is done to", path);
    return raw(number, a[0], a[1], a[2], a[3], a[4]);
}

static long perform(long number, const long *a) {
    switch (number) {
    case SYS_write: return write_some(a[0], (void *)a[1], (size_t)a[2], 0, 0);
    case SYS_pwrite64: return write_some(a[0], (void *)a[1], (size_t)a[2], 1, (uint64_t)a[3]);
    case SYS_writev: return write_vector(a[0], (void *)a[1], a[2]);
    case SYS_open: return open_file(AT_FDCWD, (char *)a[0], a[1], a[2]);
    case SYS_creat: return open_file(AT_FDCWD, (char *)a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
    case SYS_openat: return open_file((int)a[0], (char *)a[1], a[2], a[3]);
    case SYS_ftruncate: return truncate_file(a[0], a[1]);
    case SYS_fsync:
    case SYS_fdatasync: return sync_file(number, a[0]);
    case SYS_mkdir: return make_folder(AT_FDCWD, (char *)a[0], a[1]);
    case SYS_mkdirat: return make_folder((int)a[0], (char *)a[1], a[2]);
    case SYS_rename: return rename_file(AT_FDCWD, (char *)a[0], AT_FDCWD, (char *)a[1], 0);
    case SYS_renameat: return rename_file((int)a[0], (char *)a[1], (int)a[2], (char *)a[3], 0);
    case SYS_renameat2: return rename_file((int)a[0], (char *)a[1], (int)a[2], (char *)a[3], a[4]);
    case SYS_unlink: return unlink_file(AT_FDCWD, (char *)a[0], 0);
    case SYS_rmdir: return unlink_file(AT_FDCWD, (char *)a[0], AT_REMOVEDIR);
    case SYS_unlinkat: return unlink_file((int)a[0], (char *)a[1], a[2]);
    default: return pass_or_give_up(number, a);
    }
}

static void trapped(int signal, siginfo_t *about, void *context) {
    (void)signal;
    (void)about;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    long arguments[5] = { registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10], registers[REG_R8] };
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) raw(SYS_sched_yield, 0, 0, 0, 0, 0);
    registers[REG_RAX] = perform(registers[REG_RAX], arguments);
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static void plan_failure(const char *plan) {
    char what[8], times[8];
    if (!plan) return;
    if (sscanf(plan, "%7[a-z]:%ld:%d:%7[a-z]", what, &fail_in, &fail_errno, times) != 4) give_up("cannot read", plan);
    fail_syncs = strcmp(what, "sync") == 0;
    fail_once = strcmp(times, "once") == 0;
}

static const int TRAPPED[] = { SYS_write, SYS_pwrite64, SYS_writev, SYS_open, SYS_creat, SYS_openat, SYS_ftruncate, SYS_fsync,
    SYS_fdatasync, SYS_mkdir, SYS_mkdirat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_unlink, SYS_rmdir, SYS_unlinkat,
    SYS_fallocate, SYS_pwritev, SYS_pwritev2, SYS_sync_file_range, SYS_copy_file_range, SYS_sendfile };

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("POWER_FOLDER"), *file = getenv("POWER_TRACE");
    if (!folder || !file) return;
    strncpy(root, folder, PATH_BYTES - 8);
    root_bytes = strlen(root);
    snprintf(marks, sizeof marks, "%.4000s/acks", root);
    plan_failure(getenv("POWER_FAIL"));
    int opened = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    trace = fcntl(opened, F_DUPFD_CLOEXEC, 900);
    if (trace < 0) give_up("cannot open", file);
    close(opened);
    struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER };
    if (sigaction(SIGSYS, &action, NULL)) give_up("cannot handle", "SIGSYS");

    enum { COUNT = sizeof TRAPPED / sizeof *TRAPPED };
    struct sock_filter filter[COUNT + 12];
    int n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int call = 0; call < COUNT; call++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)TRAPPED[call], (unsigned char)(COUNT - call), 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = { (unsigned short)n, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) give_up("cannot trap", "system calls");
}
