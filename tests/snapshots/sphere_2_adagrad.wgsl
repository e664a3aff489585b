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
const HOST_SCALARS = 2u;
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
    let begins = 0u;
    let h0 = host[0u];
    for (var k = begins; k < params.steps; k++) {
        let step = params.step + k + 1u;
        let h1 = host[k * params.advance * HOST_SCALARS + 1u];
        let v3 = 2.0f * x0;
        let steep0 = abs(v3) * FAINT;
        let v7 = v3 * v3;
        let v9 = s0_0 + v7;
        let v11 = sqrt(v9);
        let v14 = h0 + v11;
        let v16 = x0 / v14;
        let v19 = h1 * v16;
        let v21 = x0 - v19;
        let far0 = abs(v21);
        let x0_new = v21;
        let s0_0_new = v9;
        let v4 = 2.0f * x1;
        let steep1 = abs(v4) * FAINT;
        let v8 = v4 * v4;
        let v10 = s0_1 + v8;
        let v12 = sqrt(v10);
        let v15 = h0 + v12;
        let v17 = x1 / v15;
        let v20 = h1 * v17;
        let v22 = x1 - v20;
        let far1 = abs(v22);
        let x1_new = v22;
        let s0_1_new = v10;
        s0_0 = s0_0_new;
        s0_1 = s0_1_new;
        if (bitcast<u32>(((far0 + far1) + (steep0 + steep1))) > GONE) {
            let v23 = magnitude(v21);
            let v24 = magnitude(v22);
            let v25 = max(v23, v24);
            let v26 = magnitude(v3);
            let v27 = magnitude(v4);
            let v28 = max(v26, v27);
            if (v28 >= INFINITE) {
                code = NONFINITE;
                break;
            }
            if (v25 > GONE) {
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
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    if (code != RUNNING) {
        atomicAdd(&queue.ended, 1u);
    }
}
