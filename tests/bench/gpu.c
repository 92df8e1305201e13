/*
 * The stand-in for NVIDIA's management library of the tests, as a benchmark needs it: its energy counter is refreshed
 * every 100 ms as those of real GPUs are, and it answers what CodeCarbon asks besides.
 */
#define nvmlDeviceGetTotalEnergyConsumption exact_energy
#include "../stubs/nvml/stub.c"
#undef nvmlDeviceGetTotalEnergyConsumption

static const double REFRESH_S = 0.1;

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    int result;
    gpu_t *gpu = find(handle, &result);
    if (!gpu) return result;
    energy_reads++;
    double at_s = floor((now_s() - state.start_s) / REFRESH_S) * REFRESH_S;
    *millijoules = (unsigned long long)llround(energy_j(gpu, at_s) * 1e3);
    return SUCCESS;
}

typedef struct { unsigned long long total, free, used; } memory_t;

int nvmlDeviceGetMemoryInfo(void *handle, memory_t *memory) {
    int result;
    if (find(handle, &result)) *memory = (memory_t){16ull << 30, 15ull << 30, 1ull << 30};
    return result;
}

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *celsius) {
    int result;
    (void)sensor;
    if (find(handle, &result)) *celsius = 50;
    return result;
}

int nvmlDeviceGetComputeMode(void *handle, unsigned *mode) {
    int result;
    if (find(handle, &result)) *mode = 0;
    return result;
}
