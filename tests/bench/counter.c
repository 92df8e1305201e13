/*
 * Stands in for the energy counter of a processor whose power is known at every instant.
 *
 *   counter FILE START CONSTANT WATTS HERTZ...
 *
 * writes into FILE, once a millisecond as RAPL does, the microjoules since START (CLOCK_MONOTONIC, seconds) of
 *
 *   power(t) = CONSTANT + sum of WATTS * sin(2 pi HERTZ t)
 *
 * as a number of fixed width, so that a reader never sees half of it. It ends with its parent. On SIGTERM it prints how
 * late it wrote: milliseconds that 99 % of the writes kept, and the latest write.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { BUCKETS = 100000, MAX_WAVES = 8 };
static const double PI = 3.14159265358979323846;
static volatile sig_atomic_t ended;
static unsigned late_us[BUCKETS];

static void end(int number) { (void)number; ended = 1; }

int main(int count, char **words) {
    if (count < 4) return 2;
    int file = open(words[1], O_WRONLY);
    if (file < 0) { perror(words[1]); return 1; }
    double start = atof(words[2]), constant = atof(words[3]), watts[MAX_WAVES], omega[MAX_WAVES];
    int waves = 0;
    for (int i = 4; i + 1 < count && waves < MAX_WAVES; i += 2, waves++)
        watts[waves] = atof(words[i]), omega[waves] = 2 * PI * atof(words[i + 1]);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* A counter is never late; where this is not allowed, the lateness that is printed tells. */
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
    unsigned long writes = 0, latest = 0;
    for (long long tick = 0; !ended;) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        double at = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - start;
        long long due = (long long)floor(at * 1e3);
        double t = (double)due * 1e-3, joules = constant * t;
        for (int i = 0; i < waves; i++) joules += watts[i] / omega[i] * (1 - cos(omega[i] * t));
        char text[32];
        int length = snprintf(text, sizeof text, "%018lld\n", (long long)(joules * 1e6));
        if (pwrite(file, text, (size_t)length, 0) != length) { perror(words[1]); return 1; }
        if (tick) {
            long long late = (long long)((at - (double)tick * 1e-3) * 1e6);
            late = late < 0 ? 0 : late >= BUCKETS ? BUCKETS - 1 : late;
            late_us[late]++, writes++;
            if ((unsigned long)late > latest) latest = (unsigned long)late;
        }
        tick = due + 1;
        double wake = start + (double)tick * 1e-3;
        struct timespec next = {.tv_sec = (time_t)wake, .tv_nsec = (long)((wake - floor(wake)) * 1e9)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    unsigned long kept = 0;
    unsigned p99 = 0;
    while (p99 < BUCKETS - 1 && (kept += late_us[p99]) < writes * 0.99) p99++;
    printf("%.3f %.3f\n", p99 * 1e-3, (double)latest * 1e-3);
    return 0;
}
