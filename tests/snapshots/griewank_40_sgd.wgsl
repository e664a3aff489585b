const M_MAGIC: f32 = 12582912.0;
const M_MAGIC_BITS: u32 = 0x4b400000u;
const M_SIGN: u32 = 0x80000000u;
const M_INF: u32 = 0x7f800000u;
const M_NAN: u32 = 0x7fc00000u;
const M_SMALL_ANGLE_BITS: u32 = 0x45c80000u;
fn m_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn m_power_of_two(n: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(n + 127) << 23u);
}

fn m_flip(x: f32, sign: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ (sign & M_SIGN));
}

struct MAngle {
    q: u32,
    r: f32,
    lo: f32,
}

fn m_reduce_small(a: f32) -> MAngle {
    let q = bitcast<u32>(a * 0.63661975 + M_MAGIC) - M_MAGIC_BITS;
    let n = f32(bitcast<i32>(q));
    let b = (a - n * 1.5703125) - n * 0.0004838705;
    let c = n * -4.3713953e-8;
    let r = b - c;
    // Were the compiler to cancel, the rounding of r would be lost and no more.
    let lo = ((b - r) - c) - n * 2.563344e-12;
    return MAngle(q, r, lo);
}

fn m_two_over_pi(word: u32) -> u32 {
    switch word {
        case 0u: { return 0u; }
        case 1u: { return 0xa2f9836eu; }
        case 2u: { return 0x4e441529u; }
        case 3u: { return 0xfc2757d1u; }
        case 4u: { return 0xf534ddc0u; }
        case 5u: { return 0xdb629599u; }
        case 6u: { return 0x3c439041u; }
        default: { return 0xfe5163abu; }
    }
}

fn m_multiply_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + ((al * bl) >> 16u);
    let other = al * bh + (middle & 0xffffu);
    return ah * bh + (middle >> 16u) + (other >> 16u);
}

fn m_reduce_large(a: f32) -> MAngle {
    let bits = bitcast<u32>(a) & ~M_SIGN;
    if bits >= M_INF {
        return MAngle(0u, m_bits(M_NAN), 0.0);
    }
    let m = (bits & 0x007fffffu) | 0x00800000u;
    let start = (bits >> 23u) - 120u;
    let word = start >> 5u;
    let shift = start & 31u;
    let w0 = m_two_over_pi(word);
    let w1 = m_two_over_pi(word + 1u);
    let w2 = m_two_over_pi(word + 2u);
    let w3 = m_two_over_pi(word + 3u);
    let back = 31u - shift;
    let p0 = (w0 << shift) | ((w1 >> 1u) >> back);
    let p1 = (w1 << shift) | ((w2 >> 1u) >> back);
    let p2 = (w2 << shift) | ((w3 >> 1u) >> back);
    let addend = m_multiply_high(m, p2);
    var low = m * p1 + addend;
    var high = m * p0 + m_multiply_high(m, p1) + select(0u, 1u, low < addend);
    let q = (high + 0x20000000u) >> 30u;
    high = high - (q << 30u);
    let sign = high & M_SIGN;
    if sign != 0u {
        low = 0u - low;
        high = ~high + select(0u, 1u, low == 0u);
    }
    let short = high == 0u;
    let top = select(high, low, short);
    let zeros = countLeadingZeros(top);
    let rest = select(low, 0u, short);
    let leading = (top << zeros) | ((rest >> 1u) >> (31u - zeros));
    let w = m_multiply_high(leading, 0xc90fdaa2u); // times π/2 * 2^31
    let scale = -29 - i32(zeros) - select(0, 32, short);
    let unit = m_flip(m_power_of_two(scale), sign);
    return MAngle(q, f32(w & 0xffffff00u) * unit, f32(w & 0xffu) * unit);
}

fn m_sin_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = -0.00019518095 * z + 0.008332188;
    p = p * z - 0.16666655;
    return r + (r * z * p + lo);
}

fn m_cos_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = 2.4432327e-5 * z - 0.001388731;
    p = p * z + 0.041666646;
    return 1.0 - (0.5 * z - (z * z * p - r * lo));
}

fn m_sincos_of(angle: MAngle) -> vec2<f32> {
    let s = m_sin_kernel(angle.r, angle.lo);
    let c = m_cos_kernel(angle.r, angle.lo);
    let even = (angle.q & 1u) == 0u;
    return vec2<f32>(
        m_flip(select(c, s, even), angle.q << 30u),
        m_flip(select(s, c, even), (angle.q + 1u) << 30u),
    );
}

fn m_sincos(x: f32) -> vec2<f32> {
    let a = abs(x);
    var y = m_sincos_of(m_reduce_small(a));
    if bitcast<u32>(a) > M_SMALL_ANGLE_BITS {
        y = m_sincos_of(m_reduce_large(a));
    }
    return vec2<f32>(m_flip(y.x, bitcast<u32>(x)), y.y);
}

fn m_sin(x: f32) -> f32 {
    return m_sincos(x).x;
}

fn m_cos(x: f32) -> f32 {
    return m_sincos(x).y;
}

struct Params {
    count: u32,              // slots of this launch
    steps: u32,              // steps of this dispatch
    step: u32,               // steps done before this dispatch
    restarts: u32,           // restarts of a configuration
    offset: u32,             // restarts of the first configuration that stand before slot 0
    first_low: u32,          // number of the restart at offset 0
    first_high: u32,
    seed_low: u32,
    seed_high: u32,
    rows: u32,               // rows of host scalars a configuration has in this dispatch
    advance: u32,            // rows from one step to the next: 0 where all steps are alike
    region: u32,             // where an evaluation writes: a region of `values`
    last: u32,               // 1: this evaluation ends the launch
    epoch: u32,              // number of the launch, in the upper bits of every status
    zero: u32,               // a 0 that no compiler knows
    tests: u32,              // which stopping tests are on: 1 gradient, 2 target, 4 change
    gradient_squared: f32,   // tolerance of the squared gradient norm
    goal: f32,               // the target value
    change: f32,             // tolerance of a step's change of value
    sampled: u32,            // 1: starts are drawn here
    listed: u32,             // how many slots stand in the current list of `queue`
    list: u32,               // where it begins: 0 or count
}

struct Queue {
    ended: atomic<u32>,      // restarts of this launch that have ended
    next: atomic<u32>,       // slots written by a compaction so far
    slots: array<u32>,       // two lists of slots, in any order: no result depends on it
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> xs: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> queue: Queue;
@group(0) @binding(7) var<storage, read> host: array<f32>;
@group(0) @binding(8) var<storage, read> tables: array<f32>;
const RUNNING = 0u;
const DIVERGED = 5u;
const NONFINITE = 6u;
const GONE = 0x5d5e0b6bu;
const INFINITE = 0x7f800000u;
var<private> slot: u32;
var<private> configuration: u32;
var<private> restart: vec2<u32>;
fn enter(chosen: u32) {
    slot = chosen;
    let place = params.offset + slot;
    configuration = place / params.restarts;
    let low = place % params.restarts + params.first_low;
    restart = vec2<u32>(low, params.first_high + select(0u, 1u, low < params.first_low));
}

fn magnitude(v: f32) -> u32 {
    return bitcast<u32>(v) & 0x7fffffffu;
}

const ABREAST = 1u;
const HOST_SCALARS = 1u;

// Descends: `params.steps` steps of ABREAST restarts an invocation, nothing in memory between them.
//
// An invocation takes its restarts from the list of those that were running when it was written, 64 apart. The generated
// parts take the places of the `//@` lines: `enter` loads restarts, `steady` and `host` the host scalars that are the same at
// every step and those that are not, `step` makes a step of each and says whether it stands, `leave` stores. A step stands here
// once: of two copies a compiler may contract one otherwise than the other, and a step's bits would depend on its dispatch.

@compute @workgroup_size(64)
fn descend(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first = (group.x + group.y * groups.x) * (64u * ABREAST) + lane;
    if (first >= params.listed) {
        return;
    }
    enter(queue.slots[params.list + first]);
    if ((status[slot] & 0xffu) != RUNNING) {
        return;
    }
    var code = RUNNING;
    var taken = status[params.count + slot];
    var x: array<f32, 80>;
    var here = 0;
    var there = 40;
    for (var i = 0; i < 40; i++) {
        x[i] = xs[u32(i) * params.count + slot];
    }
    let h0 = host[0u];
    for (var k = 0u; k < params.steps; k++) {
        let step = params.step + k + 1u;
        var scratch0: array<f32, 40>;
        var scratch1: array<f32, 40>;
        var v1 = 1.0f;
        for (var i0 = 0; i0 < 40; i0++) {
            let v2 = tables[0 + (i0)];
            let v3 = x[here + (i0)];
            let v4 = v2 * v3;
            let v5 = m_cos(v4);
            let v6 = v1 * v5;
            scratch0[(i0)] = v1;
            v1 = v6;
        }
        var v7 = 1.0f;
        for (var i1 = 0; i1 < 40; i1++) {
            let v8 = tables[0 + (-1 * i1 + 39)];
            let v9 = x[here + (-1 * i1 + 39)];
            let v10 = v8 * v9;
            let v11 = m_cos(v10);
            let v12 = v7 * v11;
            scratch1[(-1 * i1 + 39)] = v7;
            v7 = v12;
        }
        let v13 = x[here + 0];
        let v15 = scratch0[0];
        let v16 = scratch1[0];
        let v17 = v15 * v16;
        let v18 = m_sin(v13);
        let v19 = v17 * v18;
        let v21 = 0.0005f * v13;
        let v22 = v19 + v21;
        let v23 = h0 * v22;
        let v24 = v13 - v23;
        let v25 = magnitude(v24);
        let v26 = magnitude(v22);
        x[there + 0] = v24;
        var v27 = v25;
        var v28 = v26;
        for (var i2 = 0; i2 < 39; i2++) {
            let v29 = x[here + (i2 + 1)];
            let v30 = tables[0 + (i2 + 1)];
            let v31 = scratch0[(i2 + 1)];
            let v32 = scratch1[(i2 + 1)];
            let v33 = v31 * v32;
            let v34 = v30 * v29;
            let v35 = m_sin(v34);
            let v36 = v33 * v35;
            let v37 = v30 * v36;
            let v38 = 0.0005f * v29;
            let v39 = v37 + v38;
            let v40 = h0 * v39;
            let v41 = v29 - v40;
            let v42 = magnitude(v41);
            let v43 = max(v27, v42);
            let v44 = magnitude(v39);
            let v45 = max(v28, v44);
            x[there + (i2 + 1)] = v41;
            v27 = v43;
            v28 = v45;
        }
        if (v28 >= INFINITE) {
            code = NONFINITE;
            break;
        }
        if (v27 > GONE) {
            code = DIVERGED;
            break;
        }
        let turn = here;
        here = there;
        there = turn;
        taken += 1u;
    }
    for (var i = 0; i < 40; i++) {
        xs[u32(i) * params.count + slot] = x[here + i];
    }
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    if (code != RUNNING) {
        atomicAdd(&queue.ended, 1u);
    }
}
