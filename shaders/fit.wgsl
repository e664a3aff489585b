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
    //@ load
    for (var k = 0u; k < fit.turns; k++) {
        //@ prologue
        for (var row = 0u; row < rows; row++) {
            //@ columns
            //@ row
            //@ accumulate
        }
        //@ worst
        let bad = worst >= INFINITE;
        let first = taken == 0u;
        let gain = before - now;
        let better = !bad && (first || gain >= -SLACK * before);
        if (better) {
            //@ accept
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
        //@ solve
    }
    if (code != FIT_RUNNING && code != FIT_NONFINITE) {
        //@ pivots
        if (least < SINGULAR || rows < PARAMETERS) {
            code = FIT_SINGULAR;
        }
    }
    //@ store
    results[lane] = (fit.epoch << 8u) | code;
    results[fit.count + lane] = taken;
}
