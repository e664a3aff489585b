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
        let v4 = 1.0f - v0;
        let v5 = ((-2.0f) * v4);
        let v7 = x[here + 1];
        let v9 = v0 * v0;
        let v10 = v7 - v9;
        let v11 = 2.0f * v0;
        let v12 = v10 * v11;
        let v13 = ((-200.0f) * v12);
        let v14 = v5 + v13;
        let v16 = h0 * v14;
        let v17 = v0 - v16;
        let v18 = magnitude(v17);
        let v19 = magnitude(v14);
        x[there + 0] = v17;
        var v20 = v18;
        var v21 = v19;
        for (var i0 = 0; i0 < 38; i0++) {
            let v22 = x[here + (i0 + 1)];
            let v23 = 1.0f - v22;
            let v24 = ((-2.0f) * v23);
            let v25 = x[here + (i0 + 2)];
            let v26 = v22 * v22;
            let v27 = v25 - v26;
            let v28 = 2.0f * v22;
            let v29 = v27 * v28;
            let v30 = ((-200.0f) * v29);
            let v31 = v24 + v30;
            let v33 = x[here + (i0)];
            let v34 = v33 * v33;
            let v35 = v22 - v34;
            let v36 = 200.0f * v35;
            let v37 = v31 + v36;
            let v38 = h0 * v37;
            let v39 = v22 - v38;
            let v40 = magnitude(v39);
            let v41 = max(v20, v40);
            let v42 = magnitude(v37);
            let v43 = max(v21, v42);
            x[there + (i0 + 1)] = v39;
            v20 = v41;
            v21 = v43;
        }
        let v44 = x[here + 39];
        let v45 = x[here + 38];
        let v46 = v45 * v45;
        let v47 = v44 - v46;
        let v48 = 200.0f * v47;
        let v49 = h0 * v48;
        let v50 = v44 - v49;
        let v51 = magnitude(v50);
        let v52 = max(v20, v51);
        let v53 = magnitude(v48);
        let v54 = max(v21, v53);
        x[there + 39] = v50;
        if (v54 >= INFINITE) {
            code = NONFINITE;
            break;
        }
        if (v52 > GONE) {
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
