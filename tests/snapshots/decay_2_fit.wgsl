const M_MAGIC: f32 = 12582912.0;
const M_MAGIC_BITS: u32 = 0x4b400000u;
const M_LN2_HI: f32 = 0.69314575;
const M_LN2_LO: f32 = 1.4286068e-6;
fn m_power_of_two(n: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(n + 127) << 23u);
}

fn m_exp_scaled(x: f32, shift: i32) -> f32 {
    // The integer is read from the bits of the sum: a compiler may cancel (t + M) - M.
    let k = bitcast<i32>(bitcast<u32>(x * 1.442695 + M_MAGIC) - M_MAGIC_BITS);
    let n = f32(k);
    let r = (x - n * M_LN2_HI) - n * M_LN2_LO;
    var p = 0.0013840593 * r + 0.0083693545;
    p = p * r + 0.041668084;
    p = p * r + 0.16666515;
    p = p * r + 0.49999994;
    // Not 1 + (r + r² p), which a compiler may turn into (1 + r) + r² p.
    let e = 1.0 + r * (1.0 + r * p);
    let total = k + shift;
    let half = total >> 1u;
    return e * m_power_of_two(half) * m_power_of_two(total - half);
}

fn m_exp(x: f32) -> f32 {
    let below = select(x, 89.0, x > 89.0);
    return m_exp_scaled(select(below, -104.0, below < -104.0), 0);
}

const INFINITE = 0x7f800000u;
fn magnitude(v: f32) -> u32 {
    return bitcast<u32>(v) & 0x7fffffffu;
}

const FIRST_LAMBDA = 0.001f;
const LEAST_LAMBDA = 1e-7f;
const MOST_LAMBDA = 10000000000.0f;
const SMALLEST = 1e-37f;
const SINGULAR = 2e-6f;
const PIVOT = 1e-6f;
const SLACK = 1e-6f;
const PARAMETERS = 2u;
const OWN = 1u;
const SHARED = 1u;

// Fits: Levenberg-Marquardt of one small least-squares problem an invocation, all of it in registers.
//
// With t = upper triangle of [J r]'[J r] at the trial point x, and h the same at the accepted point z, a turn sums t over
// the problem's rows, accepts or rejects x, and solves (C + lambda I) u = -S g, C = S H S with unit diagonal, for the next
// trial point (Marquardt 1963; lambda as in Nielsen, IMM-REP-1999-05). Sums run in the order of the rows: their relative
// error is at most rows * 2^-24. Twin: src/cpu/marquardt.rs.
//
// Own columns lie in slices of 64 problems, padded to the longest: element (row, column) of a slice has 64 neighbours.

struct Fit {
    count: u32,              // problems of this launch
    turns: u32,              // evaluations of this dispatch
    most: u32,               // most iterations
    epoch: u32,              // number of the launch, in the upper bits of every code
    tolerance: f32,
    unused_0: u32,
    unused_1: u32,
    unused_2: u32,
    ends: array<vec4<f32>, PARAMETERS>, // lower and upper end of each parameter
}

@group(0) @binding(0) var<uniform> fit: Fit;
@group(0) @binding(1) var<storage, read_write> points: array<f32>;   // accepted points, parameter-major
@group(0) @binding(2) var<storage, read_write> work: array<f32>;     // what else a problem keeps between dispatches
@group(0) @binding(3) var<storage, read_write> results: array<u32>;  // code, evaluations, bits of the sum of squares
@group(0) @binding(4) var<storage, read> shared_columns: array<f32>; // row-major
@group(0) @binding(5) var<storage, read> own_columns: array<f32>;
@group(0) @binding(6) var<storage, read> spans: array<u32>;          // rows of each problem, then where each slice begins

const FIT_RUNNING = 0u;
const FIT_CONVERGED = 1u;
const FIT_MAX_ITERATIONS = 2u;
const FIT_STALLED = 3u;
const FIT_SINGULAR = 4u;
const FIT_NONFINITE = 5u;

// 1 / sqrt of a diagonal element; 0 for a parameter that has no influence, or stands at an end that its step would cross.
fn column_scale(h: f32, g: f32, x: f32, ends: vec4<f32>) -> f32 {
    let held = (x <= ends.x && g > 0.0) || (x >= ends.y && g < 0.0) || h < SMALLEST;
    return select(1.0 / sqrt(max(h, SMALLEST)), 0.0, held);
}

@compute @workgroup_size(64)
fn fit_rows(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let lane = id.x + id.y * groups.x * 64u;
    if (lane >= fit.count) {
        return;
    }
    if ((results[lane] & 0xffu) != FIT_RUNNING) {
        return;
    }
    var taken = results[fit.count + lane];
    let rows = spans[lane];
    let base = spans[fit.count + lane / 64u] + lane % 64u;
    let begins = taken == 0u;
    var code = FIT_RUNNING;
    var z0 = points[0u * fit.count + lane];
    var z1 = points[1u * fit.count + lane];
    var x0 = select(work[0u * fit.count + lane], z0, begins);
    var x1 = select(work[1u * fit.count + lane], z1, begins);
    var h0_0 = work[2u * fit.count + lane];
    var h0_1 = work[3u * fit.count + lane];
    var h0_2 = work[4u * fit.count + lane];
    var h1_1 = work[5u * fit.count + lane];
    var h1_2 = work[6u * fit.count + lane];
    var h2_2 = work[7u * fit.count + lane];
    var lambda = select(work[8u * fit.count + lane], FIRST_LAMBDA, begins);
    var nu = select(work[9u * fit.count + lane], 2.0, begins);
    var predicted = select(work[10u * fit.count + lane], 0.0, begins);
    var still = select(work[11u * fit.count + lane], 0.0, begins);
    for (var k = 0u; k < fit.turns; k++) {
        var t0_0 = 0.0;
        var t0_1 = 0.0;
        var t0_2 = 0.0;
        var t1_1 = 0.0;
        var t1_2 = 0.0;
        var t2_2 = 0.0;
        for (var row = 0u; row < rows; row++) {
            let x2 = shared_columns[row * SHARED + 0u];
            let x3 = own_columns[base + (row * OWN + 0u) * 64u];
            let v4 = x1 * x2;
            let v5 = -v4;
            let v6 = m_exp(v5);
            let v7 = x0 * v6;
            let v8 = v7 - x3;
            let v9 = v7 * x2;
            let v12 = -v9;
            t0_0 += v6 * v6;
            t0_1 += v6 * v12;
            t0_2 += v6 * v8;
            t1_1 += v12 * v12;
            t1_2 += v12 * v8;
            t2_2 += v8 * v8;
        }
        let before = h2_2;
        let now = t2_2;
        var worst = magnitude(now);
        worst = max(worst, max(magnitude(t0_0), magnitude(t0_2)));
        worst = max(worst, max(magnitude(t1_1), magnitude(t1_2)));
        let bad = worst >= INFINITE;
        let first = taken == 0u;
        let gain = before - now;
        let better = !bad && (first || gain >= -SLACK * before);
        if (better) {
            z0 = x0;
            z1 = x1;
            h0_0 = t0_0;
            h0_1 = t0_1;
            h0_2 = t0_2;
            h1_1 = t1_1;
            h1_2 = t1_2;
            h2_2 = t2_2;
            if (!first) {
                let ratio = clamp(gain / max(predicted, SMALLEST), 0.0, 1.0);
                let part = 2.0 * ratio - 1.0;
                lambda = max(lambda * max(1.0 - part * part * part, 1.0 / 3.0), LEAST_LAMBDA);
                nu = 2.0;
            }
        } else {
            lambda *= nu;
            nu *= 2.0;
        }
        taken += 1u;
        if (first) {
            if (bad) {
                code = FIT_NONFINITE;
                break;
            }
        } else {
            let flat = predicted <= fit.tolerance * before && abs(gain) <= fit.tolerance * before;
            if (!bad && (flat || still > 0.0)) {
                code = FIT_CONVERGED;
                break;
            }
            if (lambda > MOST_LAMBDA) {
                code = FIT_STALLED;
                break;
            }
            if (taken > fit.most) {
                code = FIT_MAX_ITERATIONS;
                break;
            }
        }
        let s0 = column_scale(h0_0, h0_2, z0, fit.ends[0]);
        let s1 = column_scale(h1_1, h1_2, z1, fit.ends[1]);
        let d0 = (1.0 + lambda);
        let r0 = 1.0 / sqrt(max(d0, PIVOT));
        let l1_0 = (h0_1 * s1 * s0) * r0;
        let d1 = (1.0 + lambda) - l1_0 * l1_0;
        let r1 = 1.0 / sqrt(max(d1, PIVOT));
        let w0 = (-h0_2 * s0) * r0;
        let w1 = (-h1_2 * s1 - l1_0 * w0) * r1;
        let u1 = (w1) * r1;
        let u0 = (w0 - l1_0 * u1) * r0;
        still = 1.0;
        x0 = max(min(z0 + s0 * u0, fit.ends[0].y), fit.ends[0].x);
        let e0 = x0 - z0;
        still = select(0.0, still, abs(e0) <= fit.tolerance * abs(z0));
        x1 = max(min(z1 + s1 * u1, fit.ends[1].y), fit.ends[1].x);
        let e1 = x1 - z1;
        still = select(0.0, still, abs(e1) <= fit.tolerance * abs(z1));
        predicted = 0.0;
        predicted -= e0 * (2.0 * h0_2 + h0_0 * e0 + h0_1 * e1);
        predicted -= e1 * (2.0 * h1_2 + h0_1 * e0 + h1_1 * e1);
    }
    if (code != FIT_RUNNING && code != FIT_NONFINITE) {
        let s0 = column_scale(h0_0, h0_2, z0, fit.ends[0]);
        let s1 = column_scale(h1_1, h1_2, z1, fit.ends[1]);
        let d0 = 1.0;
        let r0 = 1.0 / sqrt(max(d0, PIVOT));
        let l1_0 = (h0_1 * s1 * s0) * r0;
        let d1 = 1.0 - l1_0 * l1_0;
        let r1 = 1.0 / sqrt(max(d1, PIVOT));
        var least = 1.0;
        least = min(least, select(d0, 0.0, h0_0 < SMALLEST));
        least = min(least, select(d1, 0.0, h1_1 < SMALLEST));
        if (least < SINGULAR || rows < PARAMETERS) {
            code = FIT_SINGULAR;
        }
    }
    points[0u * fit.count + lane] = z0;
    points[1u * fit.count + lane] = z1;
    work[0u * fit.count + lane] = x0;
    work[1u * fit.count + lane] = x1;
    work[2u * fit.count + lane] = h0_0;
    work[3u * fit.count + lane] = h0_1;
    work[4u * fit.count + lane] = h0_2;
    work[5u * fit.count + lane] = h1_1;
    work[6u * fit.count + lane] = h1_2;
    work[7u * fit.count + lane] = h2_2;
    work[8u * fit.count + lane] = lambda;
    work[9u * fit.count + lane] = nu;
    work[10u * fit.count + lane] = predicted;
    work[11u * fit.count + lane] = still;
    results[2u * fit.count + lane] = bitcast<u32>(h2_2);
    results[lane] = (fit.epoch << 8u) | code;
    results[fit.count + lane] = taken;
}
