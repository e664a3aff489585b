// `descents` for CUDA: a worker of benches/peers/descents.py, with the line protocol of src/main.rs.
//
// A thread a restart: starts, all steps and the final value in one launch. Up to 32 coordinates the numbers are in registers
// (D is a template argument), beyond that in global memory, coordinate-major, so that a warp's accesses are coalesced.
// Built with --prec-div=false --prec-sqrt=false, which is what Vulkan grants a shader, too (2.5 units in the last place).
//
// A compiler for the host takes this file as well (cuda_on_host.h): what it computes can then be checked without a GPU.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>
#ifdef __CUDACC__
#define LAUNCH(kernel, grid, block, ...) kernel<<<grid, block>>>(__VA_ARGS__)
#else
#include "cuda_on_host.h"
#endif

enum Surface { RASTRIGIN, ROSENBROCK, ACKLEY, GRIEWANK, STYBLINSKI_TANG };
enum Rule { SGD, MOMENTUM, ADAM };
static const char *SURFACES[] = {"rastrigin", "rosenbrock", "ackley", "griewank", "styblinski_tang"};
static const char *RULES[] = {"sgd", "momentum", "adam"};
static const float REACH[][2] = {{-5.12f, 5.12f}, {-5, 10}, {-32.768f, 32.768f}, {-600, 600}, {-5, 5}};
// Each surface's first coefficient; Griewank's divides.
static const float FIRST[] = {10, 100, 20, 1.0f / 4000, 16};

#define TAU 6.2831853071795865f
#define EULER 2.7182818284590452f
#define BETA1 0.9f
#define BETA2 0.999f

// A restart's array of D numbers in registers, or a column of global memory.
template <int D> struct Array {
    float own[D];
    __device__ Array(float *, size_t) {}
    __device__ float &operator[](int i) { return own[i]; }
};
template <> struct Array<0> {
    float *column;
    size_t stride;
    __device__ Array(float *column, size_t stride) : column(column), stride(stride) {}
    __device__ float &operator[](int i) { return column[i * stride]; }
};
// An array that a rule or a surface does not need.
struct None {
    __device__ None(float *, size_t) {}
};
template <bool WANTED, int D> struct Maybe { typedef None type; };
template <int D> struct Maybe<true, D> { typedef Array<D> type; };

struct Given {
    const float *starts; // or null: uniform ones
    float *points;       // or null: not asked for
    float *values;
    float *scratch; // five arrays of dim * threads, for D = 0
    const float2 *scalars;
    float lo, hi, lr, first;
    uint32_t seed, n;
    int dim, steps;
};

__device__ inline uint32_t mix(uint32_t h) {
    h = (h ^ (h >> 16)) * 0x21f0aaadu;
    h = (h ^ (h >> 15)) * 0x735a2d97u;
    return h ^ (h >> 15);
}

template <int R, class X, class M, class V> __device__ inline void update(X &x, M &m, V &v, int i, float g, float lr, float2 s) {
    if constexpr (R == SGD) {
        x[i] -= lr * g;
    } else if constexpr (R == MOMENTUM) {
        const float b = BETA1 * m[i] + g;
        m[i] = b;
        x[i] -= lr * b;
    } else {
        const float a = BETA1 * m[i] + (1 - BETA1) * g;
        const float b = BETA2 * v[i] + (1 - BETA2) * (g * g);
        m[i] = a;
        v[i] = b;
        x[i] -= a * s.x / (sqrtf(b * s.y) + 1e-8f);
    }
}

// In registers all loops over coordinates must be unrolled: n is then a constant.
template <int S, int R, int D> __global__ void descend(Given k) {
    const size_t threads = (size_t)gridDim.x * blockDim.x;
    const uint32_t id = blockIdx.x * blockDim.x + threadIdx.x;
    if (id >= k.n) return;
    const int n = D ? D : k.dim;
    const size_t room = threads * n;
    Array<D> x(k.scratch + id, threads);
    typename Maybe<R != SGD, D>::type m(k.scratch + room + id, threads);
    typename Maybe<R == ADAM, D>::type v(k.scratch + 2 * room + id, threads);
    typename Maybe<S == ACKLEY || S == GRIEWANK, D>::type a(k.scratch + 3 * room + id, threads);
    typename Maybe<S == GRIEWANK, D>::type b(k.scratch + 4 * room + id, threads);

#pragma unroll
    for (int i = 0; i < n; i++) {
        const uint32_t word = mix(mix(id) ^ mix(k.seed ^ mix((uint32_t)i ^ 0x9e3779b9u)));
        x[i] = k.starts ? k.starts[(size_t)id * n + i] : k.lo + (k.hi - k.lo) * ((word >> 8) * (1.0f / 16777216.0f));
        if constexpr (R != SGD) m[i] = 0;
        if constexpr (R == ADAM) v[i] = 0;
    }

    for (int t = 0; t < k.steps; t++) {
        const float2 s = k.scalars[t];
        if constexpr (S == RASTRIGIN) {
#pragma unroll
            for (int i = 0; i < n; i++) update<R>(x, m, v, i, 2 * x[i] + k.first * TAU * sinpif(2 * x[i]), k.lr, s);
        } else if constexpr (S == ROSENBROCK) {
            float carried = 0, xi = x[0];
#pragma unroll
            for (int i = 0; i < n - 1; i++) {
                const float next = x[i + 1], gap = (next - xi * xi) * (2 * k.first);
                update<R>(x, m, v, i, carried - 2 * xi * gap + (2 * xi - 2), k.lr, s);
                carried = gap;
                xi = next;
            }
            update<R>(x, m, v, n - 1, carried, k.lr, s);
        } else if constexpr (S == ACKLEY) {
            float squares = 0, cosines = 0;
#pragma unroll
            for (int i = 0; i < n; i++) {
                float sine, cosine;
                sincospif(2 * x[i], &sine, &cosine);
                squares += x[i] * x[i];
                cosines += cosine;
                a[i] = sine;
            }
            const float mean = 1.0f / n, r = sqrtf(squares * mean);
            const float pull = r > 0 ? expf(-0.2f * r) * (k.first * 0.2f * mean) / r : 0;
            const float wave = expf(cosines * mean) * (TAU * mean);
#pragma unroll
            for (int i = 0; i < n; i++) update<R>(x, m, v, i, pull * x[i] + wave * a[i], k.lr, s);
        } else if constexpr (S == GRIEWANK) {
            float before = 1, behind = 1;
#pragma unroll
            for (int i = 0; i < n; i++) {
                const float root = rsqrtf((float)(i + 1));
                float sine, cosine;
                sincosf(x[i] * root, &sine, &cosine);
                a[i] = sine * before * root;
                b[i] = cosine;
                before *= cosine;
            }
#pragma unroll
            for (int i = n - 1; i >= 0; i--) {
                update<R>(x, m, v, i, a[i] * behind + x[i] * (2 * k.first), k.lr, s);
                behind *= b[i];
            }
        } else {
#pragma unroll
            for (int i = 0; i < n; i++) update<R>(x, m, v, i, (2 * x[i] * x[i] - k.first) * x[i] + 2.5f, k.lr, s);
        }
    }

    float sum = 0, other = S == GRIEWANK ? 1 : 0;
#pragma unroll
    for (int i = 0; i < n; i++) {
        const float y = x[i], square = y * y;
        if (S == RASTRIGIN) sum += square + k.first * (1 - cospif(2 * y));
        else if (S == STYBLINSKI_TANG) sum += 0.5f * (square * square - k.first * square + 5 * y);
        else if (S != ROSENBROCK) sum += square;
        else if (i + 1 < n) sum += k.first * (x[i + 1] - square) * (x[i + 1] - square) + (1 - y) * (1 - y);
        if (S == ACKLEY) other += cospif(2 * y);
        if (S == GRIEWANK) other *= cosf(y * rsqrtf((float)(i + 1)));
        if (k.points) k.points[(size_t)id * n + i] = y;
    }
    const float mean = 1.0f / n;
    if (S == ACKLEY) sum = k.first * (1 - expf(-0.2f * sqrtf(sum * mean))) + (EULER - expf(other * mean));
    if (S == GRIEWANK) sum = sum * k.first + (1 - other);
    k.values[id] = sum;
}

static void must(cudaError_t error) {
    if (error == cudaSuccess) return;
    std::printf("{\"error\":\"%s\"}\n", cudaGetErrorString(error));
    std::fflush(stdout);
    std::exit(1);
}

template <int S, int R> static void launch(const Given &k, unsigned grid, unsigned block) {
    switch (k.dim) {
    case 2: LAUNCH((descend<S, R, 2>), grid, block, k); break;
    case 10: LAUNCH((descend<S, R, 10>), grid, block, k); break;
    case 32: LAUNCH((descend<S, R, 32>), grid, block, k); break;
    default: LAUNCH((descend<S, R, 0>), grid, block, k);
    }
}
template <int S> static void launch(int rule, const Given &k, unsigned grid, unsigned block) {
    if (rule == SGD) launch<S, SGD>(k, grid, block);
    else if (rule == MOMENTUM) launch<S, MOMENTUM>(k, grid, block);
    else launch<S, ADAM>(k, grid, block);
}

static bool in_registers(int dim) { return dim == 2 || dim == 10 || dim == 32; }

// Buffers of the device, kept from case to case.
template <class T> struct Buffer {
    T *at = nullptr;
    size_t room = 0;
    T *get(size_t n) {
        if (n > room) {
            if (at) must(cudaFree(at));
            must(cudaMalloc((void **)&at, n * sizeof(T)));
            room = n;
        }
        return at;
    }
};

struct Worker {
    int surface = 0, rule = 0, dim = 2, steps = 1;
    size_t n = 1;
    float lr = 0, spoil = 1;
    unsigned block = 128;
    Buffer<float> starts, points, values, scratch;
    Buffer<float2> scalars;

    unsigned grid(size_t count) const { return (unsigned)((count + block - 1) / block); }

    // Rooms and scalars, before the clock runs.
    Given given(size_t count, int steps) {
        std::vector<float2> host(steps);
        for (int t = 1; t <= steps; t++) {
            host[t - 1].x = (float)(lr / (1 - std::pow((double)BETA1, t)));
            host[t - 1].y = (float)(1 / (1 - std::pow((double)BETA2, t)));
        }
        Given k = {};
        float2 *room = scalars.get(steps);
        must(cudaMemcpy(room, host.data(), steps * sizeof(float2), cudaMemcpyHostToDevice));
        k.scalars = room;
        k.values = values.get(count);
        if (!in_registers(dim)) k.scratch = scratch.get((size_t)grid(count) * block * dim * 5);
        k.lo = REACH[surface][0], k.hi = REACH[surface][1], k.lr = lr, k.first = FIRST[surface] * spoil;
        k.n = (uint32_t)count, k.dim = dim, k.steps = steps;
        return k;
    }

    // Launches and waits; values come to the host.
    std::vector<float> descend(const Given &k) {
        std::vector<float> out(k.n);
        switch (surface) {
        case RASTRIGIN: launch<RASTRIGIN>(rule, k, grid(k.n), block); break;
        case ROSENBROCK: launch<ROSENBROCK>(rule, k, grid(k.n), block); break;
        case ACKLEY: launch<ACKLEY>(rule, k, grid(k.n), block); break;
        case GRIEWANK: launch<GRIEWANK>(rule, k, grid(k.n), block); break;
        default: launch<STYBLINSKI_TANG>(rule, k, grid(k.n), block);
        }
        must(cudaGetLastError());
        must(cudaMemcpy(out.data(), k.values, k.n * sizeof(float), cudaMemcpyDeviceToHost));
        return out;
    }
};

static int find(const std::string &name, const char **names, int count) {
    for (int i = 0; i < count; i++)
        if (name == names[i]) return i;
    return -1;
}

static void write(const std::string &path, const std::vector<float> &numbers) {
    std::ofstream(path, std::ios::binary).write((const char *)numbers.data(), numbers.size() * sizeof(float));
}

int main() {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        std::printf("{\"absent\":\"no CUDA device\"}\n");
        return 0;
    }
    cudaDeviceProp device;
    must(cudaGetDeviceProperties(&device, 0));
    std::printf("{\"device\":\"%s\"}\n", device.name);
    std::fflush(stdout);
    Worker w;
    if (const char *spoil = std::getenv("DESCENTS_SPOIL")) w.spoil = std::atof(spoil);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string verb, out;
        words >> verb;
        if (verb == "case") {
            std::string surface, rule;
            words >> surface >> rule >> w.lr >> w.dim >> w.n >> w.steps;
            w.surface = find(surface, SURFACES, 5), w.rule = find(rule, RULES, 3);
            if (!words || w.surface < 0 || w.rule < 0) {
                std::printf("{\"error\":\"cannot read the case\"}\n");
            } else {
                w.block = in_registers(w.dim) && w.dim > 10 ? 64 : 128;
                w.descend(w.given(w.n, 3));
                std::printf("{\"note\":\"%s, %u threads a block\"}\n", in_registers(w.dim) ? "registers" : "global memory", w.block);
            }
        } else if (verb == "check") {
            std::string file;
            int steps = 0;
            words >> file >> steps >> out;
            std::ifstream in(file, std::ios::binary);
            std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
            const size_t numbers = bytes.size() / sizeof(float);
            std::vector<float> points(numbers);
            Given k = w.given(numbers / w.dim, steps);
            float *starts = w.starts.get(numbers);
            must(cudaMemcpy(starts, bytes.data(), numbers * sizeof(float), cudaMemcpyHostToDevice));
            k.starts = starts;
            k.points = w.points.get(numbers);
            w.descend(k);
            must(cudaMemcpy(points.data(), k.points, numbers * sizeof(float), cudaMemcpyDeviceToHost));
            write(out, points);
            std::printf("{}\n");
        } else if (verb == "run") {
            uint32_t seed = 0;
            words >> seed >> out;
            Given k = w.given(w.n, w.steps);
            k.seed = seed;
            const auto began = std::chrono::steady_clock::now();
            const std::vector<float> values = w.descend(k);
            const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
            write(out, values);
            std::printf("{\"run_s\":%.9g}\n", seconds);
        } else {
            std::printf("{\"error\":\"cannot read the request\"}\n");
        }
        std::fflush(stdout);
    }
    return 0;
}
