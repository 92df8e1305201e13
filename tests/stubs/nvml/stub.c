/*
 * A stand-in for NVIDIA's management library, for tests on machines without a GPU.
 *
 * Every call reads the text file that NVML_STUB_STATE names, so that a test can change the machine under a running
 * process. One line each:
 *
 *   init CODE        what nvmlInit returns (0 without this line)
 *   start SECONDS    CLOCK_MONOTONIC of second 0 of the power profiles
 *   gpu KEY=VALUE... one GPU, in the order of their indices
 *
 * with the keys name, limit (W), counter (1: it counts energy, 0: not), instant (1: it tells momentary power by its
 * field), steps (SECOND:WATTS,... each step lasting until the next), base (J on the counter at second 0), energy (J on
 * the counter whatever the time), lost_after (seconds; -1: never), util (percent; -1: not told), sm (1: it tells SM use
 * by process), list (1: it tells its processes), mig (1: it is cut), slices (of the one instance that it shows, 0: it shows none), compute and graphics (PID:SM,... of processes).
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, LOST = 15 };
enum { MAX_GPUS = 16, MAX_STEPS = 64, MAX_PROCESSES = 32, FIELD_POWER_INSTANT = 186 };

typedef struct { unsigned pid, sm; } process_t;
typedef struct {
    char name[96];
    double limit_w, base_j, energy_j, lost_after_s;
    int counter, instant, util, sm, list, mig, slices, has_energy;
    int steps, compute, graphics;
    double second[MAX_STEPS], watts[MAX_STEPS];
    process_t compute_of[MAX_PROCESSES], graphics_of[MAX_PROCESSES];
} gpu_t;
typedef struct { int init; double start_s; int gpus; gpu_t gpu[MAX_GPUS]; } state_t;

typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } process_info_t;
typedef struct { unsigned pid; unsigned long long time_us; unsigned sm, mem, enc, dec; } sample_t;
typedef struct {
    unsigned field, scope;
    long long time_us, latency_us;
    int type, result;
    union { double d; unsigned ui; unsigned long long ull; } value;
} field_t;

static int handles[MAX_GPUS];
static int inits, energy_reads;
static state_t state;

int stub_inits(void) { return inits; }
int stub_energy_reads(void) { return energy_reads; }

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int read_processes(char *text, process_t *out) {
    int count = 0;
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part && count < MAX_PROCESSES; part = strtok_r(NULL, ",", &rest))
        if (sscanf(part, "%u:%u", &out[count].pid, &out[count].sm) == 2) count++;
    return count;
}

static void read_gpu(char *text, gpu_t *gpu) {
    *gpu = (gpu_t){.name = "Stub GPU", .limit_w = 300, .lost_after_s = -1, .counter = 1, .instant = 1, .sm = 1, .list = 1};
    char *rest = NULL;
    for (char *pair = strtok_r(text, " \n", &rest); pair; pair = strtok_r(NULL, " \n", &rest)) {
        char *value = strchr(pair, '=');
        if (!value) continue;
        *value++ = 0;
        if (!strcmp(pair, "name")) snprintf(gpu->name, sizeof gpu->name, "%s", value);
        else if (!strcmp(pair, "limit")) gpu->limit_w = atof(value);
        else if (!strcmp(pair, "counter")) gpu->counter = atoi(value);
        else if (!strcmp(pair, "instant")) gpu->instant = atoi(value);
        else if (!strcmp(pair, "base")) gpu->base_j = atof(value);
        else if (!strcmp(pair, "energy")) gpu->energy_j = atof(value), gpu->has_energy = 1;
        else if (!strcmp(pair, "lost_after")) gpu->lost_after_s = atof(value);
        else if (!strcmp(pair, "util")) gpu->util = atoi(value);
        else if (!strcmp(pair, "sm")) gpu->sm = atoi(value);
        else if (!strcmp(pair, "list")) gpu->list = atoi(value);
        else if (!strcmp(pair, "mig")) gpu->mig = atoi(value);
        else if (!strcmp(pair, "slices")) gpu->slices = atoi(value);
        else if (!strcmp(pair, "compute")) gpu->compute = read_processes(value, gpu->compute_of);
        else if (!strcmp(pair, "graphics")) gpu->graphics = read_processes(value, gpu->graphics_of);
        else if (!strcmp(pair, "steps")) {
            char *more = NULL;
            for (char *step = strtok_r(value, ",", &more); step && gpu->steps < MAX_STEPS; step = strtok_r(NULL, ",", &more))
                if (sscanf(step, "%lf:%lf", &gpu->second[gpu->steps], &gpu->watts[gpu->steps]) == 2) gpu->steps++;
        }
    }
}

static void read_state(void) {
    static char line[8192];
    const char *path = getenv("NVML_STUB_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    memset(&state, 0, sizeof state);
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, "init ", 5)) state.init = atoi(line + 5);
        else if (!strncmp(line, "start ", 6)) state.start_s = atof(line + 6);
        else if (!strncmp(line, "gpu", 3) && state.gpus < MAX_GPUS) read_gpu(line + 3, &state.gpu[state.gpus++]);
    }
    if (file) fclose(file);
}

/* The GPU behind a handle as the file has it now, or NULL with the code in *result. */
static gpu_t *find(void *handle, int *result) {
    read_state();
    long index = (int *)handle - handles;
    *result = INVALID;
    if (index < 0 || index >= state.gpus) return NULL;
    gpu_t *gpu = &state.gpu[index];
    *result = LOST;
    if (gpu->lost_after_s >= 0 && now_s() - state.start_s >= gpu->lost_after_s) return NULL;
    *result = SUCCESS;
    return gpu;
}

static double power_w(const gpu_t *gpu, double at_s) {
    double watts = gpu->steps ? gpu->watts[0] : 0;
    for (int i = 0; i < gpu->steps && gpu->second[i] <= at_s; i++) watts = gpu->watts[i];
    return watts;
}

static double energy_j(const gpu_t *gpu, double at_s) {
    double total = gpu->base_j;
    for (int i = 0; i < gpu->steps; i++) {
        double from = i ? gpu->second[i] : 0, to = i + 1 < gpu->steps ? gpu->second[i + 1] : INFINITY;
        if (at_s < to) to = at_s;
        if (to > from) total += gpu->watts[i] * (to - from);
    }
    return total;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    read_state();
    if (state.init == SUCCESS) inits++;
    return state.init;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { inits--; return SUCCESS; }

const char *nvmlErrorString(int code) {
    return code == LOST ? "GPU is lost" : code == NOT_SUPPORTED ? "Not Supported" : "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned *count) { read_state(); *count = (unsigned)state.gpus; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    int result;
    if (index >= MAX_GPUS) return INVALID;
    *handle = &handles[index];
    find(*handle, &result);
    return result;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (gpu) snprintf(name, length, "%s", gpu->name);
    return result;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) {
    int result;
    if (find(handle, &result)) snprintf(uuid, length, "GPU-stub-%ld", (long)((int *)handle - handles));
    return result;
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (!gpu->counter) return NOT_SUPPORTED;
    energy_reads++;
    double joules = gpu->has_energy ? gpu->energy_j : energy_j(gpu, now_s() - state.start_s);
    *millijoules = (unsigned long long)llround(joules * 1e3);
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (!gpu->steps) return NOT_SUPPORTED;
    *milliwatts = (unsigned)lround(power_w(gpu, now_s() - state.start_s) * 1e3);
    return SUCCESS;
}

int nvmlDeviceGetFieldValues(void *handle, int count, field_t *values) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    for (int i = 0; i < count; i++) {
        values[i].result = NOT_SUPPORTED;
        if (values[i].field != FIELD_POWER_INSTANT || values[i].scope != 0 || !gpu->instant || !gpu->steps) continue;
        values[i].result = SUCCESS;
        values[i].type = 1;
        values[i].value.ui = (unsigned)lround(power_w(gpu, now_s() - state.start_s) * 1e3);
    }
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *milliwatts) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (gpu->limit_w <= 0) return NOT_SUPPORTED;
    *milliwatts = (unsigned)lround(gpu->limit_w * 1e3);
    return SUCCESS;
}
int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *milliwatts) {
    return nvmlDeviceGetEnforcedPowerLimit(handle, milliwatts);
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned *rates) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (gpu->util < 0) return NOT_SUPPORTED;
    rates[0] = (unsigned)gpu->util;
    rates[1] = 0;
    return SUCCESS;
}

static int list_processes(void *handle, unsigned *count, process_info_t *out, int graphics) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (!gpu->list) return NOT_SUPPORTED;
    unsigned have = (unsigned)(graphics ? gpu->graphics : gpu->compute), room = *count;
    *count = have;
    if (room < have) return TOO_SMALL;
    for (unsigned i = 0; i < have; i++)
        out[i] = (process_info_t){.pid = (graphics ? gpu->graphics_of : gpu->compute_of)[i].pid, .memory = 1 << 20};
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, process_info_t *out) {
    return list_processes(handle, count, out, 0);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, process_info_t *out) {
    return list_processes(handle, count, out, 1);
}

int nvmlDeviceGetProcessUtilization(void *handle, sample_t *out, unsigned *count, unsigned long long since_us) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (!gpu->sm) return NOT_SUPPORTED;
    unsigned have = (unsigned)gpu->compute, room = *count;
    unsigned long long time_us = (unsigned long long)(now_s() * 1e6);
    if (!have || time_us <= since_us) return NOT_FOUND;
    *count = have;
    if (!out || room < have) return TOO_SMALL;
    for (unsigned i = 0; i < have; i++)
        out[i] = (sample_t){.pid = gpu->compute_of[i].pid, .time_us = time_us, .sm = gpu->compute_of[i].sm};
    return SUCCESS;
}

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (gpu) *current = *pending = (unsigned)gpu->mig;
    return result;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (gpu) *count = gpu->mig ? 7 : 0;
    return result;
}

/* An instance has the handle of its GPU: only its attributes are asked for. */
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    if (index > 0 || gpu->slices == 0) return NOT_FOUND;
    *instance = handle;
    return SUCCESS;
}

int nvmlDeviceGetAttributes_v2(void *handle, unsigned *attributes) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    memset(attributes, 0, 40);
    attributes[6] = (unsigned)gpu->slices;
    return SUCCESS;
}
