const M_MAGIC: f32 = 12582912.0;
const M_MAGIC_BITS: u32 = 0x4b400000u;
const M_SIGN: u32 = 0x80000000u;
const M_INF: u32 = 0x7f800000u;
const M_NAN: u32 = 0x7fc00000u;
fn m_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn m_flip(x: f32, sign: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ (sign & M_SIGN));
}

fn m_head(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

fn m_sincospi(a: f32) -> vec2<f32> {
    let near = a - 2.0 * round(a * 0.5);
    // Beyond 2^24: an even integer, or not finite.
    let far = m_bits(select(0u, M_NAN, bitcast<u32>(a) >= M_INF));
    let y = select(far, near, a < 16777216.0);
    // Not (y + y) + M, which Mesa turns into y + (y + M).
    let q = bitcast<u32>(2.0 * y + M_MAGIC) - M_MAGIC_BITS;
    let r = y - 0.5 * f32(bitcast<i32>(q));
    let z = r * r;
    var p = -0.5892777 * z + 2.5497947;
    p = p * z - 5.167709;
    let r_head = m_head(r);
    let rest = (r - r_head) * 3.1416016 - r * 8.90891e-6;
    let s = r_head * 3.1416016 + (rest + r * z * p);
    var w = 0.2289885 * z - 1.3347582;
    w = w * z + 4.0586967;
    w = w * z - 4.934802;
    let c = 1.0 + z * w;
    let even = (q & 1u) == 0u;
    return vec2<f32>(
        m_flip(select(c, s, even), q << 30u),
        m_flip(select(s, c, even), (q + 1u) << 30u),
    );
}

fn m_sinpi(x: f32) -> f32 {
    return m_flip(m_sincospi(abs(x)).x, bitcast<u32>(x));
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
// every step and those that are not, `step` makes a step of each and says whether it stands, `leave` stores.

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
        let v0 = x[here + 0];
        let v4 = 2.0f * v0;
        let v5 = m_sinpi(v4);
        let v6 = 62.831852f * v5;
        let v7 = v6 + v4;
        let v8 = h0 * v7;
        let v9 = v0 - v8;
        let v10 = magnitude(v9);
        let v11 = magnitude(v7);
        x[there + 0] = v9;
        var v12 = v10;
        var v13 = v11;
        for (var i0 = 0; i0 < 39; i0++) {
            let v14 = x[here + (i0 + 1)];
            let v15 = 2.0f * v14;
            let v16 = m_sinpi(v15);
            let v17 = 62.831852f * v16;
            let v18 = v17 + v15;
            let v19 = h0 * v18;
            let v20 = v14 - v19;
            let v21 = magnitude(v20);
            let v22 = max(v12, v21);
            let v23 = magnitude(v18);
            let v24 = max(v13, v23);
            x[there + (i0 + 1)] = v20;
            v12 = v22;
            v13 = v24;
        }
        if (v13 >= INFINITE) {
            code = NONFINITE;
            break;
        }
        if (v12 > GONE) {
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
