// As much of CUDA as descents.cu uses, for a compiler of the host: one thread after the other. For checks, not for speed.
#pragma once
#define __global__
#define __device__
struct float2 { float x, y; };
struct Index { unsigned x; };
static Index gridDim, blockDim, blockIdx, threadIdx;
#define LAUNCH(kernel, grid, block, ...)                                                                                                    \
    for (gridDim.x = grid, blockDim.x = block, blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)                                        \
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) kernel(__VA_ARGS__)
typedef int cudaError_t;
enum { cudaSuccess, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
struct cudaDeviceProp { char name[256]; };
static cudaError_t cudaGetDeviceCount(int *count) { return *count = 1, cudaSuccess; }
static cudaError_t cudaGetDeviceProperties(cudaDeviceProp *device, int) { return std::strcpy(device->name, "host, not CUDA"), cudaSuccess; }
static cudaError_t cudaMalloc(void **at, size_t bytes) { return *at = std::malloc(bytes), cudaSuccess; }
static cudaError_t cudaFree(void *at) { return std::free(at), cudaSuccess; }
static cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, int) { return std::memcpy(to, from, bytes), cudaSuccess; }
static cudaError_t cudaGetLastError() { return cudaSuccess; }
static const char *cudaGetErrorString(cudaError_t) { return ""; }
static float sinpif(float x) { return (float)std::sin(3.141592653589793 * x); }
static float cospif(float x) { return (float)std::cos(3.141592653589793 * x); }
static void sincospif(float x, float *s, float *c) { *s = sinpif(x), *c = cospif(x); }
static float rsqrtf(float x) { return 1 / std::sqrt(x); }
