fn mul_wide(a: u32, b: u32) -> vec2<u32> { // low word, high word
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let upper = a1 * b0 + ((a0 * b0) >> 16u);
    let lower = a0 * b1 + (upper & 0xffffu);
    return vec2<u32>(a * b, a1 * b1 + (upper >> 16u) + (lower >> 16u));
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let a = mul_wide(0xd2511f53u, c.x);
        let b = mul_wide(0xcd9e8d57u, c.z);
        c = vec4<u32>(b.y ^ c.y ^ k.x, b.x, a.y ^ c.w ^ k.y, a.x);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

struct Params {
    @align(16) count: u32,   // slots of this launch
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
    settles: u32,            // whose end this evaluation settles: one of SETTLES, below
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
    beyond: atomic<u32>,     // restarts of this launch that were ever BEYOND
    slots: array<u32>,       // two lists of slots, in any order: no result depends on it
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> xs: array<f32>;
@group(0) @binding(2) var<storage, read_write> states: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> queue: Queue;
@group(0) @binding(7) var<storage, read> host: array<f32>;
const RUNNING = 0u;
const DIVERGED = 5u;
const NONFINITE = 6u;
const BEYOND = 7u;
const LAST_VALUE = 2u;
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

fn words(step: u32, tag: u32) -> vec4<u32> {
    return philox(vec4<u32>(restart.x, restart.y, step, tag), vec2<u32>(params.seed_low, params.seed_high));
}

const ABREAST = 1u;
const HOST_SCALARS = 4u;

const DIM = 300u;
const WIDTH = 128u;
var<workgroup> lane_words: array<u32, 256>;
var<workgroup> group_words: array<u32, 16>;
var<workgroup> x_group: array<f32, 600>;

fn lanes_top(first: u32) -> u32 {
    return max(max(max(max(lane_words[first + 0u], lane_words[first + 8u]), max(lane_words[first + 16u], lane_words[first + 24u])), max(max(lane_words[first + 32u], lane_words[first + 40u]), max(lane_words[first + 48u], lane_words[first + 56u]))), max(max(max(lane_words[first + 64u], lane_words[first + 72u]), max(lane_words[first + 80u], lane_words[first + 88u])), max(max(lane_words[first + 96u], lane_words[first + 104u]), max(lane_words[first + 112u], lane_words[first + 120u]))));
}

fn groups_top(first: u32) -> u32 {
    return max(max(max(group_words[first + 0u], group_words[first + 1u]), max(group_words[first + 2u], group_words[first + 3u])), max(max(group_words[first + 4u], group_words[first + 5u]), max(group_words[first + 6u], group_words[first + 7u])));
}

// Descends with a workgroup for each restart, whose WIDTH invocations share the coordinates: `params.steps` steps.
//
// A workgroup takes its restart from the list of those that were running when it was written. The generated parts take the
// places of the `//@` lines, as in descend.wgsl. Whatever decides where a step ends is computed by every invocation from the
// same words in the same order, so all leave together. Twins: src/gpu/spread_descent.rs and src/gpu/spread_print.rs.

var<workgroup> begun: vec4<u32>; // the slot, its status, steps taken, and the bits of the value one step ago

@compute @workgroup_size(WIDTH)
fn descend(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first = group.x + group.y * groups.x;
    if (first >= params.listed) {
        return;
    }
    if (lane == 0u) {
        let chosen = queue.slots[params.list + first];
        let last = bitcast<u32>(values[LAST_VALUE * params.count + chosen]);
        begun = vec4<u32>(chosen, status[chosen], status[params.count + chosen], last);
    }
    let found = workgroupUniformLoad(&begun);
    enter(found.x);
    if ((found.y & 0xffu) != RUNNING) {
        return;
    }
    let own = i32(lane);
    var code = RUNNING;
    var taken = found.z;
    var s0: array<f32, 3>;
    var s0_at_0 = 0.0;
    var s0_at_299 = 0.0;
    var here = 0u;
    var there = 300u;
    for (var at = 0; at < 3; at++) {
        let i = at * 128 + own;
        if (i < 300) {
            x_group[i] = xs[slot * DIM + u32(i)];
            s0[at] = states[(0u * params.count + slot) * DIM + u32(i)];
        }
    }
    s0_at_0 = states[(0u * params.count + slot) * DIM + 0u];
    s0_at_299 = states[(0u * params.count + slot) * DIM + 299u];
    workgroupBarrier();
    let h0 = host[0u];
    let h1 = host[1u];
    let h3 = host[3u];
    for (var k = 0u; k < params.steps; k++) {
        let step = params.step + k + 1u;
        let h2 = host[k * params.advance * HOST_SCALARS + 2u];
        let v1 = x_group[here + u32(0)];
        let b4 = h2 != 0.0f;
        let v7 = 2.0f * v1;
        let v8 = ((-2.0f) + v7);
        let v10 = x_group[here + u32(1)];
        let v11 = v1 * v1;
        let v12 = v10 - v11;
        let v13 = v12 * v1;
        let v14 = ((-400.0f) * v13);
        let v15 = v8 + v14;
        let v17 = s0_at_0;
        let v18 = h0 * v17;
        let v20 = h1 * v15;
        let v21 = v18 + v20;
        let v22 = select(v21, v15, b4);
        let v23 = h3 * v22;
        let v24 = v1 - v23;
        let v25 = magnitude(v24);
        let v26 = max(0u, v25);
        let v27 = magnitude(v15);
        let v28 = max(0u, v27);
        if (lane == 0u) {
            x_group[there + u32(0)] = v24;
        }
        s0_at_0 = v22;
        var v29 = v26;
        var v30 = v28;
        for (var t0 = 0; t0 < 3; t0++) {
            let i0 = t0 * 128 + own - 1;
            if (i0 >= 0 && i0 < 298) {
                let v31 = x_group[here + u32((i0 + 1))];
                let v32 = 2.0f * v31;
                let v33 = ((-2.0f) + v32);
                let v34 = x_group[here + u32((i0 + 2))];
                let v35 = v31 * v31;
                let v36 = v34 - v35;
                let v37 = v36 * v31;
                let v38 = ((-400.0f) * v37);
                let v39 = v33 + v38;
                let v41 = x_group[here + u32((i0))];
                let v42 = v41 * v41;
                let v43 = v31 - v42;
                let v44 = 200.0f * v43;
                let v45 = v39 + v44;
                let v46 = s0[t0];
                let v47 = h0 * v46;
                let v48 = h1 * v45;
                let v49 = v47 + v48;
                let v50 = select(v49, v45, b4);
                let v51 = h3 * v50;
                let v52 = v31 - v51;
                let v53 = magnitude(v52);
                let v54 = max(v29, v53);
                let v55 = magnitude(v45);
                let v56 = max(v30, v55);
                x_group[there + u32((i0 + 1))] = v52;
                s0[t0] = v50;
                v29 = v54;
                v30 = v56;
            }
        }
        lane_words[0u + lane] = v29;
        lane_words[128u + lane] = v30;
        workgroupBarrier();
        if (lane < 8u) {
            group_words[0u + lane - 0u] = lanes_top(0u + lane - 0u);
        }
        if (lane >= 32u && lane < 40u) {
            group_words[8u + lane - 32u] = lanes_top(128u + lane - 32u);
        }
        workgroupBarrier();
        let v29_all = groups_top(0u);
        let v30_all = groups_top(8u);
        let v57 = x_group[here + u32(299)];
        let v58 = x_group[here + u32(298)];
        let v59 = v58 * v58;
        let v60 = v57 - v59;
        let v61 = 200.0f * v60;
        let v62 = s0_at_299;
        let v63 = h0 * v62;
        let v64 = h1 * v61;
        let v65 = v63 + v64;
        let v66 = select(v65, v61, b4);
        let v67 = h3 * v66;
        let v68 = v57 - v67;
        let v69 = magnitude(v68);
        let v70 = max(v29_all, v69);
        let v71 = magnitude(v61);
        let v72 = max(v30_all, v71);
        if (lane == 0u) {
            x_group[there + u32(299)] = v68;
        }
        s0_at_299 = v66;
        workgroupBarrier();
        if (v72 >= INFINITE) {
            code = NONFINITE;
            break;
        }
        if (v70 > GONE) {
            code = DIVERGED;
            break;
        }
        let turn = here;
        here = there;
        there = turn;
        taken += 1u;
    }
    storageBarrier();
    workgroupBarrier();
    for (var at = 0; at < 3; at++) {
        let i = at * 128 + own;
        if (i < 300) {
            xs[slot * DIM + u32(i)] = x_group[here + u32(i)];
            states[(0u * params.count + slot) * DIM + u32(i)] = s0[at];
        }
    }
    if (lane == 0u) {
        states[(0u * params.count + slot) * DIM + 0u] = s0_at_0;
    }
    if (lane == 43u) {
        states[(0u * params.count + slot) * DIM + 299u] = s0_at_299;
    }
    if (lane == 0u) {
        status[slot] = (params.epoch << 8u) | code;
        status[params.count + slot] = taken;
        if (code != RUNNING) {
            atomicAdd(&queue.ended, 1u);
        }
    }
}
