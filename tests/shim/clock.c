/*
 * Preloaded into a program, sets its wall clock and hurries its sleeps.
 *
 * CLOCK_OFFSET names a file that holds a number of milliseconds, read at each look at the clock: the wall clock is ahead by so
 * many. The monotonic clock goes on as it does on a machine whose administrator sets the time.
 * CLOCK_HURRY  each sleep is that many times shorter.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long offset(void)
{
    static const char *path;
    char text[32];
    if (!path && !(path = getenv("CLOCK_OFFSET")))
        return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    ssize_t n = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    return strtoll(text, NULL, 10);
}

static void move(struct timespec *time)
{
    long long nanos = time->tv_nsec + offset() % 1000 * 1000000;
    time->tv_sec += offset() / 1000;
    if (nanos < 0)
        time->tv_sec -= 1, nanos += 1000000000;
    if (nanos >= 1000000000)
        time->tv_sec += 1, nanos -= 1000000000;
    time->tv_nsec = nanos;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int done = (int)syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        move(time);
    return done;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

static struct timespec hurried(const struct timespec *wanted)
{
    const char *text = getenv("CLOCK_HURRY");
    long long times = text ? strtoll(text, NULL, 10) : 1;
    long long nanos = (wanted->tv_sec * 1000000000LL + wanted->tv_nsec) / (times > 0 ? times : 1);
    struct timespec less = {nanos / 1000000000, nanos % 1000000000};
    return less;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    struct timespec less = hurried(wanted);
    return (int)syscall(SYS_nanosleep, &less, left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
    struct timespec less = flags & TIMER_ABSTIME ? *wanted : hurried(wanted);
    return syscall(SYS_clock_nanosleep, clock, flags, &less, left) == 0 ? 0 : 4;
}

int usleep(useconds_t micros)
{
    struct timespec wanted = {micros / 1000000, micros % 1000000 * 1000L};
    return nanosleep(&wanted, NULL);
}
