/*
 * Preloaded into a program, keeps a journal of what it does to the files below one folder: which octets it wrote, and what it
 * asked the disk to keep. From the journal a test makes the files that a power loss would have left. See tests/support/power.rs.
 *
 * FORGET_FOLDER    the folder, without links on the way
 * FORGET_JOURNAL   the journal, appended to; a file outside of it
 * FORGET_DIE_AT    the process is killed before the call of that number, counted from 1
 * FORGET_DEAF_FROM from the call of that number on, fsync and fdatasync do nothing, as on a disk that lies
 *
 * Shared memory of SQLite (-shm) is not kept by any disk, and left alone. What this file cannot follow ends the process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Followed by `length` octets: what was written; a path; for a rename two paths, each with a zero behind it. */
struct record {
    uint32_t kind;
    uint32_t length;
    uint64_t file;
    uint64_t at; /* an offset, a size, or the number of a sync */
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int journal = -1;
static unsigned long calls, die_at, deaf_from, syncs;

static unsigned long number(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : 0;
}

static void give_up(const char *why)
{
    dprintf(2, "forget.c: %s\n", why);
    abort();
}

__attribute__((constructor)) static void start(void)
{
    const char *name = getenv("FORGET_FOLDER"), *path = getenv("FORGET_JOURNAL");
    if (!name || !path)
        return;
    folder_length = strlen(name);
    if (folder_length >= sizeof folder)
        give_up("FORGET_FOLDER is too long");
    memcpy(folder, name, folder_length + 1);
    die_at = number("FORGET_DIE_AT");
    deaf_from = number("FORGET_DEAF_FROM");
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0)
        give_up("FORGET_JOURNAL cannot be opened");
}

static int ends_with_shm(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

static int below(const char *path)
{
    return journal >= 0 && strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/' && !ends_with_shm(path);
}

/* Where the path leads, links in its folders resolved; empty where that is nowhere. */
static void resolve(int at, const char *path, char *out)
{
    char whole[PATH_MAX], parent[PATH_MAX], link[64];
    const char *name;
    out[0] = 0;
    if (path[0] == '/' || at == AT_FDCWD) {
        if (snprintf(whole, sizeof whole, "%s%s", path[0] == '/' ? "" : "./", path) >= (int)sizeof whole)
            return;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t n = readlink(link, parent, sizeof parent - 1);
        if (n < 0)
            return;
        parent[n] = 0;
        if (snprintf(whole, sizeof whole, "%s/%s", parent, path) >= (int)sizeof whole)
            return;
    }
    char *slash = strrchr(whole, '/');
    name = slash + 1;
    *slash = 0;
    if (realpath(whole[0] ? whole : "/", parent) == NULL)
        return;
    if (snprintf(out, PATH_MAX, "%s/%s", parent, name) >= PATH_MAX)
        out[0] = 0;
}

/* The inode of a descriptor that is a file of ours, else 0; a folder of ours counts where asked for. */
static uint64_t ours(int fd, int folders)
{
    struct stat found;
    char link[64], path[PATH_MAX];
    if (journal < 0 || fd < 0 || fstat(fd, &found) != 0)
        return 0;
    if (!S_ISREG(found.st_mode) && !(folders && S_ISDIR(found.st_mode)))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return below(path) || (S_ISDIR(found.st_mode) && strcmp(path, folder) == 0) ? found.st_ino : 0;
}

static void note(uint32_t kind, uint64_t file, uint64_t at, const void *data, size_t length)
{
    struct record record = {kind, (uint32_t)length, file, at};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, length}};
    ssize_t written = syscall(SYS_writev, journal, parts, 2);
    if (written != (ssize_t)(sizeof record + length))
        give_up("the journal cannot be written");
}

/* Under the lock, before each call that is counted. */
static void step(void)
{
    calls += 1;
    if (calls == die_at)
        kill(getpid(), SIGKILL);
}

static int opened(int at, const char *path, int flags, mode_t mode)
{
    char where[PATH_MAX];
    if (journal < 0 || (flags & (O_CREAT | O_TRUNC)) == 0)
        return (int)syscall(SYS_openat, at, path, flags, mode);
    resolve(at, path, where);
    if (!below(where))
        return (int)syscall(SYS_openat, at, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        give_up("O_TMPFILE is not followed");
    pthread_mutex_lock(&order);
    struct stat found;
    int was_there = stat(where, &found) == 0;
    if (!was_there || (flags & O_TRUNC))
        step();
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (fd >= 0 && fstat(fd, &found) == 0) {
        if (!was_there)
            note('C', found.st_ino, 0, where, strlen(where));
        else if (flags & O_TRUNC)
            note('T', found.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(rest, int) : 0;
}

#define OPEN(name)                                                                                                               \
    int name(const char *path, int flags, ...)                                                                                   \
    {                                                                                                                            \
        va_list rest;                                                                                                            \
        va_start(rest, flags);                                                                                                   \
        mode_t mode = mode_of(flags, rest);                                                                                      \
        va_end(rest);                                                                                                            \
        return opened(AT_FDCWD, path, flags, mode);                                                                              \
    }
#define OPEN_AT(name)                                                                                                            \
    int name(int at, const char *path, int flags, ...)                                                                           \
    {                                                                                                                            \
        va_list rest;                                                                                                            \
        va_start(rest, flags);                                                                                                   \
        mode_t mode = mode_of(flags, rest);                                                                                      \
        va_end(rest);                                                                                                            \
        return opened(at, path, flags, mode);                                                                                    \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

int creat(const char *path, mode_t mode)
{
    return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

ssize_t write(int fd, const void *data, size_t length)
{
    uint64_t file = ours(fd, 0);
    if (!file)
        return syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&order);
    step();
    ssize_t written = syscall(SYS_write, fd, data, length);
    int error = errno;
    if (written > 0)
        note('W', file, (uint64_t)lseek(fd, 0, SEEK_CUR) - (uint64_t)written, data, (size_t)written);
    pthread_mutex_unlock(&order);
    errno = error;
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at)
{
    uint64_t file = ours(fd, 0);
    if (!file)
        return syscall(SYS_pwrite64, fd, data, length, at);
    pthread_mutex_lock(&order);
    step();
    ssize_t written = syscall(SYS_pwrite64, fd, data, length, at);
    int error = errno;
    if (written > 0)
        note('W', file, (uint64_t)at, data, (size_t)written);
    pthread_mutex_unlock(&order);
    errno = error;
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at)
{
    return pwrite(fd, data, length, at);
}

/* A short write is no fault of the caller's: it goes on behind it. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (!ours(fd, 0))
        return syscall(SYS_writev, fd, parts, count);
    for (int n = 0; n < count; n++)
        if (parts[n].iov_len)
            return write(fd, parts[n].iov_base, parts[n].iov_len);
    return 0;
}

int ftruncate(int fd, off_t size)
{
    uint64_t file = ours(fd, 0);
    if (!file)
        return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&order);
    step();
    int done = (int)syscall(SYS_ftruncate, fd, size);
    int error = errno;
    if (done == 0)
        note('T', file, (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

/*
 * What was written before the call is kept once it has returned. The disk takes half a millisecond, in which the other threads
 * go on: time enough for whoever does not wait for it to be found out.
 */
static int synced(long call, int fd)
{
    uint64_t file = ours(fd, 1);
    if (!file)
        return (int)syscall(call, fd);
    pthread_mutex_lock(&order);
    step();
    if (deaf_from && calls >= deaf_from) {
        pthread_mutex_unlock(&order);
        return 0;
    }
    uint64_t sync = ++syncs;
    note('B', file, sync, NULL, 0);
    pthread_mutex_unlock(&order);
    struct timespec pause = {0, 500000};
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&order);
    step();
    note('E', file, sync, NULL, 0);
    pthread_mutex_unlock(&order);
    return 0;
}

int fsync(int fd)
{
    return synced(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return synced(SYS_fdatasync, fd);
}

static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    char old[PATH_MAX], new[PATH_MAX], both[2 * PATH_MAX + 2];
    resolve(from_at, from, old);
    resolve(to_at, to, new);
    if (!below(old) && !below(new))
        return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (!below(old) || !below(new) || (flags & ~1u))
        give_up("a rename into the folder, out of it or of two files for each other is not followed");
    pthread_mutex_lock(&order);
    step();
    int done = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    int error = errno;
    if (done == 0) {
        size_t first = strlen(old) + 1, second = strlen(new) + 1;
        memcpy(both, old, first);
        memcpy(both + first, new, second);
        note('R', 0, 0, both, first + second);
    }
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

int rename(const char *from, const char *to)
{
    return renamed(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return renamed(from_at, from, to_at, to, 0);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    return renamed(from_at, from, to_at, to, flags);
}

static int unlinked(int at, const char *path, int flags)
{
    char where[PATH_MAX];
    resolve(at, path, where);
    if (!below(where) || (flags & AT_REMOVEDIR))
        return (int)syscall(SYS_unlinkat, at, path, flags);
    pthread_mutex_lock(&order);
    step();
    int done = (int)syscall(SYS_unlinkat, at, path, flags);
    int error = errno;
    if (done == 0)
        note('U', 0, 0, where, strlen(where));
    pthread_mutex_unlock(&order);
    errno = error;
    return done;
}

int unlink(const char *path)
{
    return unlinked(AT_FDCWD, path, 0);
}

int unlinkat(int at, const char *path, int flags)
{
    return unlinked(at, path, flags);
}

static void *mapped(void *address, size_t length, int protection, int flags, int fd, off_t at)
{
    if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE && ours(fd, 0))
        give_up("a file mapped for writing is not followed");
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, at);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at)
{
    return mapped(address, length, protection, flags, fd, at);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t at)
{
    return mapped(address, length, protection, flags, fd, at);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags)
{
    if (ours(to, 0))
        give_up("copy_file_range is not followed");
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, length, flags);
}
