/* Faults of the disk and of the clock, at chosen calls of a program that is not changed for it:
 *
 *   LD_PRELOAD=faults.so CHARNN_FAULTS="write:last.safetensors:ENOSPC:3-5;rename:best:kill:2" charnn train ...
 *
 * CHARNN_FAULTS is a list of rules, separated by ';'. A rule is CALL:PATH:WHAT or CALL:PATH:WHAT:WHICH.
 *
 *   CALL   open       a file opened for writing: open, openat, fopen
 *          write      write, writev, pwrite
 *          fsync      fsync, fdatasync; of a folder too
 *          rename     PATH may be in the old or in the new name
 *          read       pread
 *          clock      clock_gettime of CLOCK_REALTIME; PATH stays empty
 *   PATH   a text in the file's path (absolute, except for open and rename); "$" at its end: the path ends so; empty: any
 *   WHAT   ENOSPC, EDQUOT, EROFS, EACCES, EIO, EINTR   the call fails so and does nothing
 *          short        half of the bytes are written, as a call may do
 *          sleep=MS     the call comes late
 *          kill, kill-half, kill-after    SIGKILL before the call, after half of its bytes, after it;
 *                       kill=TERM and so on: another signal (TERM, INT), which the program may survive
 *          jump=HOURS   the clock is wrong by up to five times so much, back and forth, at each call
 *          shift=HOURS  the clock is wrong by so much, always
 *          log          nothing happens
 *   WHICH  N, A-B or A-: the how manieth matching calls, from 1 on; all of them if left out
 *
 * Each rule counts for itself; of several that are due at a call, the first acts (sleep and log let others act too).
 * CHARNN_FAULTS_LOG=FILE: a line there for each call at which a rule acts. A rule with a mistake ends the program. */
#define _GNU_SOURCE  // NOLINT(bugprone-reserved-identifier): glibc's own name for what it is asked for
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { OPEN, WRITE, FSYNC, RENAME, READ, CLOCK };
enum act { FAIL, SHORT, SLEEP, KILL, KILL_HALF, KILL_AFTER, JUMP, SHIFT, LOG };

static const char* const calls[] = {"open", "write", "fsync", "rename", "read", "clock"};
static const struct {
  const char* name;
  enum act act;
  long number; /* an errno, a signal, or 0 where "=NUMBER" must follow */
} acts[] = {{"ENOSPC", FAIL, ENOSPC},       {"EDQUOT", FAIL, EDQUOT},  {"EROFS", FAIL, EROFS},
            {"EACCES", FAIL, EACCES},       {"EIO", FAIL, EIO},        {"EINTR", FAIL, EINTR},
            {"short", SHORT, 1},            {"log", LOG, 1},           {"sleep", SLEEP, 0},
            {"kill", KILL, SIGKILL},        {"jump", JUMP, 0},         {"shift", SHIFT, 0},
            {"kill-half", KILL_HALF, SIGKILL}, {"kill-after", KILL_AFTER, SIGKILL}};

struct rule {
  enum call call;
  char path[256];
  enum act act;
  long number;
  long first, last;
  atomic_long count;
};
static struct rule rules[32];
static int rule_count;
static unsigned used; /* a bit for each call that a rule speaks of */

#define REAL(name)                                                   \
  static __typeof__(name)* real;                                     \
  if (!real) real = (__typeof__(name)*)(dlsym(RTLD_NEXT, #name))

static void refuse(const char* rule) {
  dprintf(STDERR_FILENO, "faults: cannot read \"%s\"\n", rule);
  _exit(99);
}

/* "ENOSPC", "sleep=20" or "kill=TERM". */
static int read_act(struct rule* rule, char* text) {
  char* value = strchr(text, '=');
  if (value) *value++ = '\0';
  for (size_t i = 0; i < sizeof acts / sizeof *acts; ++i) {
    if (strcmp(text, acts[i].name) != 0) continue;
    rule->act = acts[i].act;
    rule->number = acts[i].number;
    if (value && strcmp(value, "TERM") == 0) rule->number = SIGTERM;
    else if (value && strcmp(value, "INT") == 0) rule->number = SIGINT;
    else if (value && strcmp(value, "KILL") == 0) rule->number = SIGKILL;
    else if (value) rule->number = atol(value);
    return value != NULL || acts[i].number != 0;
  }
  return 0;
}

static void read_rule(char* text) {
  char whole[512];
  snprintf(whole, sizeof whole, "%s", text);
  if (rule_count == (int)(sizeof rules / sizeof *rules)) refuse(whole);
  struct rule* rule = &rules[rule_count++];
  const char* call = strsep(&text, ":");
  const char* path = strsep(&text, ":");
  char* act = strsep(&text, ":");
  const int known = sizeof calls / sizeof *calls;
  int which = 0;
  while (which < known && strcmp(call, calls[which]) != 0) ++which;
  if (which == known || !path || !act || strlen(path) >= sizeof rule->path || !read_act(rule, act)) refuse(whole);
  rule->call = (enum call)which;
  used |= 1u << which;
  strcpy(rule->path, path);  // NOLINT(clang-analyzer-security.insecureAPI.strcpy): its length was looked at above
  rule->first = 1;
  rule->last = LONG_MAX;
  if (!text) return;
  char* end;
  rule->first = rule->last = strtol(text, &end, 10);
  if (*end == '-') rule->last = end[1] ? strtol(end + 1, &end, 10) : (++end, LONG_MAX);
  if (*end || rule->first < 1 || rule->last < rule->first) refuse(whole);
}

__attribute__((constructor)) static void read_rules(void) {
  static char text[8192];
  const char* given = getenv("CHARNN_FAULTS");
  if (!given) return;
  if (strlen(given) >= sizeof text) refuse(given);
  char* rest = strcpy(text, given);  // NOLINT(clang-analyzer-security.insecureAPI.strcpy): its length was looked at above
  for (char* rule; (rule = strsep(&rest, ";"));)
    if (*rule) read_rule(rule);
}

static int is_in(const char* path, const char* text) {
  const size_t length = strlen(text);
  if (length == 0 || text[length - 1] != '$') return strstr(path, text) != NULL;
  const size_t all = strlen(path);
  return all + 1 >= length && strncmp(path + all + 1 - length, text, length - 1) == 0;
}

/* By the system call itself, so that it is not looked at. */
static void log_line(const struct rule* rule, const char* path, long n) {
  const char* file = getenv("CHARNN_FAULTS_LOG");
  if (!file || rule->call == CLOCK) return;
  const char* what = "?";
  for (size_t i = 0; i < sizeof acts / sizeof *acts; ++i)
    if (acts[i].act == rule->act && (rule->act != FAIL || acts[i].number == rule->number)) what = acts[i].name;
  char line[PATH_MAX + 100];
  const int length = snprintf(line, sizeof line, "%s:%s:%s:%ld\n", calls[rule->call], path, what, n);
  const long fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  syscall(SYS_write, fd, line, (size_t)length);
  syscall(SYS_close, fd);
}

/* Counts the call with every rule it matches; the rule that acts, if any. What happens before the call happens here. */
static const struct rule* due(enum call call, const char* path, const char* other) {
  const struct rule* acting = NULL;
  for (int i = 0; i < rule_count; ++i) {
    struct rule* rule = &rules[i];
    if (rule->call != call || !(is_in(path, rule->path) || is_in(other, rule->path))) continue;
    const long n = atomic_fetch_add(&rule->count, 1) + 1;
    if (n < rule->first || n > rule->last || acting) continue;
    log_line(rule, path, n);
    if (rule->act == SLEEP) usleep((useconds_t)rule->number * 1000);
    else if (rule->act != LOG) acting = rule;
  }
  if (acting && acting->act == KILL) kill(getpid(), (int)acting->number);
  if (acting && acting->act == FAIL) errno = (int)acting->number;
  return acting;
}

static const struct rule* due_fd(enum call call, int fd) {
  if (!(used & 1u << call)) return NULL;
  char link[40], path[PATH_MAX];
  const int kept = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  errno = kept;
  if (length < 0) return NULL;
  path[length] = '\0';
  return due(call, path, path);
}

static int fails(const struct rule* rule) { return rule && rule->act == FAIL; }

static void after(const struct rule* rule) {
  if (!rule || (rule->act != KILL_AFTER && rule->act != KILL_HALF)) return;
  const int kept = errno;
  kill(getpid(), (int)rule->number);
  errno = kept;
}

/* How many of n bytes are to be written. */
static size_t share(const struct rule* rule, size_t n) {
  return rule && (rule->act == SHORT || rule->act == KILL_HALF) ? (n + 1) / 2 : n;
}

#define WITH_FAULTS(rule, result, type, action) \
  if (fails(rule)) return (type)-1;             \
  const type result = (action);                 \
  after(rule);                                  \
  return result

ssize_t write(int fd, const void* data, size_t n) {
  REAL(write);
  const struct rule* rule = due_fd(WRITE, fd);
  WITH_FAULTS(rule, done, ssize_t, real(fd, data, share(rule, n)));
}

ssize_t pwrite(int fd, const void* data, size_t n, off_t at) {
  REAL(pwrite);
  const struct rule* rule = due_fd(WRITE, fd);
  WITH_FAULTS(rule, done, ssize_t, real(fd, data, share(rule, n), at));
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  REAL(writev);
  const struct rule* rule = due_fd(WRITE, fd);
  if (count < 1 || share(rule, 8) == 8) {
    WITH_FAULTS(rule, all, ssize_t, real(fd, parts, count));
  }
  /* Half of the first part that has bytes is a short write too. */
  while (count > 1 && parts->iov_len == 0) ++parts, --count;
  const struct iovec half = {parts->iov_base, share(rule, parts->iov_len)};
  WITH_FAULTS(rule, done, ssize_t, real(fd, &half, 1));
}

int fsync(int fd) {
  REAL(fsync);
  const struct rule* rule = due_fd(FSYNC, fd);
  WITH_FAULTS(rule, done, int, real(fd));
}

int fdatasync(int fd) {
  REAL(fdatasync);
  const struct rule* rule = due_fd(FSYNC, fd);
  WITH_FAULTS(rule, done, int, real(fd));
}

ssize_t pread(int fd, void* data, size_t n, off_t at) {
  REAL(pread);
  const struct rule* rule = due_fd(READ, fd);
  WITH_FAULTS(rule, done, ssize_t, real(fd, data, share(rule, n), at));
}

int rename(const char* from, const char* to) {
  REAL(rename);
  const struct rule* rule = due(RENAME, from, to);
  WITH_FAULTS(rule, done, int, real(from, to));
}

static const struct rule* due_open(const char* path, int writes) {
  return writes ? due(OPEN, path, path) : NULL;
}

#define OPEN_MODE(flags)                                              \
  mode_t mode = 0;                                                    \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {                            \
    va_list list;                                                     \
    va_start(list, flags);                                            \
    mode = va_arg(list, mode_t);                                      \
    va_end(list);                                                     \
  }                                                                   \
  const struct rule* rule = due_open(path, ((flags) & O_ACCMODE) != O_RDONLY)

int open(const char* path, int flags, ...) {
  REAL(open);
  OPEN_MODE(flags);
  WITH_FAULTS(rule, fd, int, real(path, flags, mode));
}

int open64(const char* path, int flags, ...) __attribute__((alias("open")));

int openat(int folder, const char* path, int flags, ...) {
  REAL(openat);
  OPEN_MODE(flags);
  WITH_FAULTS(rule, fd, int, real(folder, path, flags, mode));
}

/* The C++ library opens its streams so, and glibc's fopen calls no open that can be taken over. */
FILE* fopen(const char* path, const char* how) {
  REAL(fopen);
  const struct rule* rule = due_open(path, strpbrk(how, "wa+") != NULL);
  if (fails(rule)) return NULL;
  FILE* file = real(path, how);
  after(rule);
  return file;
}

FILE* fopen64(const char* path, const char* how) __attribute__((alias("fopen")));

int clock_gettime(clockid_t clock, struct timespec* now) {
  REAL(clock_gettime);
  const int result = real(clock, now);
  if (result != 0 || clock != CLOCK_REALTIME || !(used & 1u << CLOCK)) return result;
  const struct rule* rule = due(CLOCK, "", "");
  if (!rule) return result;
  const long n = atomic_load(&rule->count);
  now->tv_sec += rule->number * 3600 * (rule->act == SHIFT ? 1 : (n % 2 ? 1 : -1) * (n * 7 % 5 + 1));
  return result;
}
