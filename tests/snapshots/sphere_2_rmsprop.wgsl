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
@group(0) @binding(3) var<storage, read_write> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> queue: Queue;
@group(0) @binding(7) var<storage, read> host: array<f32>;
const RUNNING = 0u;
const DIVERGED = 5u;
const NONFINITE = 6u;
const BEYOND = 7u;
const GONE = 0x5d5e0b6bu;
const INFINITE = 0x7f800000u;
const FAINT = 1e-21f;
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
const HOST_SCALARS = 5u;
@group(0) @binding(1) var<storage, read_write> packed_xs: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> packed_states: array<vec2<f32>>;

// Descends: `params.steps` steps of ABREAST restarts an invocation, nothing in memory between them.
//
// An invocation takes its restarts from the list of those that were running when it was written, 64 apart. The generated
// parts take the places of the `//@` lines: `enter` loads restarts, `begins` says at which of the steps they begin, `steady`
// and `host` load the host scalars that are the same at every step and those that are not, `step` makes a step of each and says
// whether it stands, `leave` stores. A step stands here once: of two copies a compiler may contract one otherwise than the
// other, and a step's bits would depend on its dispatch.

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
    let x0_group = packed_xs[0u * params.count + slot];
    var x0 = x0_group.x;
    var x1 = x0_group.y;
    let s0_0_group = packed_states[0u * params.count + slot];
    var s0_0 = s0_0_group.x;
    var s0_1 = s0_0_group.y;
    let s1_0_group = packed_states[1u * params.count + slot];
    var s1_0 = s1_0_group.x;
    var s1_1 = s1_0_group.y;
    let begins = 0u;
    let h0 = host[0u];
    let h1 = host[1u];
    let h2 = host[2u];
    let h3 = host[3u];
    let h4 = host[4u];
    for (var k = begins; k < params.steps; k++) {
        let step = params.step + k + 1u;
        let v20 = h2 * s1_0;
        let v10 = h0 * s0_0;
        let v3 = 2.0f * x0;
        let steep0 = abs(v3) * FAINT;
        let v12 = v3 * v3;
        let v15 = h1 * v12;
        let v17 = v10 + v15;
        let v22 = sqrt(v17);
        let v25 = h3 + v22;
        let v27 = x0 / v25;
        let v29 = 2.0f * v27;
        let v31 = v20 + v29;
        let v34 = h4 * v31;
        let v36 = x0 - v34;
        let far0 = abs(v36);
        let x0_new = v36;
        let s0_0_new = v17;
        let s1_0_new = v31;
        let v21 = h2 * s1_1;
        let v11 = h0 * s0_1;
        let v4 = 2.0f * x1;
        let steep1 = abs(v4) * FAINT;
        let v13 = v4 * v4;
        let v16 = h1 * v13;
        let v18 = v11 + v16;
        let v23 = sqrt(v18);
        let v26 = h3 + v23;
        let v28 = x1 / v26;
        let v30 = 2.0f * v28;
        let v32 = v21 + v30;
        let v35 = h4 * v32;
        let v37 = x1 - v35;
        let far1 = abs(v37);
        let x1_new = v37;
        let s0_1_new = v18;
        let s1_1_new = v32;
        s0_0 = s0_0_new;
        s0_1 = s0_1_new;
        s1_0 = s1_0_new;
        s1_1 = s1_1_new;
        if (bitcast<u32>(((far0 + far1) + (steep0 + steep1))) > GONE) {
            let v38 = magnitude(v36);
            let v39 = magnitude(v37);
            let v40 = max(v38, v39);
            let v41 = magnitude(v3);
            let v42 = magnitude(v4);
            let v43 = max(v41, v42);
            if (v43 >= INFINITE) {
                code = NONFINITE;
                break;
            }
            if (v40 > GONE) {
                code = DIVERGED;
                break;
            }
        }
        x0 = x0_new;
        x1 = x1_new;
        taken += 1u;
    }
    packed_xs[0u * params.count + slot] = vec2<f32>(x0, x1);
    packed_states[0u * params.count + slot] = vec2<f32>(s0_0, s0_1);
    packed_states[1u * params.count + slot] = vec2<f32>(s1_0, s1_1);
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    if (code != RUNNING) {
        atomicAdd(&queue.ended, 1u);
    }
}
