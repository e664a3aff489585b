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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> xs: array<f32>;
@group(0) @binding(2) var<storage, read_write> states: array<f32>;
@group(0) @binding(3) var<storage, read_write> status: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read> host: array<f32>;
@group(0) @binding(8) var<storage, read> drawn: array<f32>;
const RUNNING = 0u;
const DIVERGED = 5u;
const NONFINITE = 6u;
const LAST_VALUE = 2u;
const GONE = 1e18;
const HUGE = 3.4e38;
var<private> slot: u32;
var<private> configuration: u32;
var<private> restart: vec2<u32>;
fn locate(id: vec3<u32>, groups: vec3<u32>) -> bool {
    slot = id.x + id.y * groups.x * 64u;
    if (slot >= params.count) {
        return false;
    }
    let place = params.offset + slot;
    configuration = place / params.restarts;
    let low = place % params.restarts + params.first_low;
    restart = vec2<u32>(low, params.first_high + select(0u, 1u, low < params.first_low));
    return true;
}

fn magnitude(v: f32) -> f32 {
    return bitcast<f32>(min(bitcast<u32>(v) & 0x7fffffffu, 0x7f7fffffu));
}

const HOST_SCALARS = 1u;

// Descends: `params.steps` steps of one restart an invocation, nothing in memory between them.
//
// The generated parts take the places of the `//@` lines: `step` gives worst_x, worst_gradient, value and squared_norm, and
// new parameters and states that `commit` makes the current ones.

@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if (!locate(id, groups)) {
        return;
    }
    if ((status[slot] & 0xffu) != RUNNING) {
        return;
    }
    var taken = status[params.count + slot];
    var before = values[LAST_VALUE * params.count + slot];
    var code = RUNNING;
    var x: array<f32, 80>;
    var here = 0;
    var there = 40;
    for (var i = 0; i < 40; i++) {
        x[i] = xs[u32(i) * params.count + slot];
    }
    for (var k = 0u; k < params.steps; k++) {
        let row = (configuration * params.rows + k * params.advance) * HOST_SCALARS;
        let step = params.step + k + 1u;
        let v0 = x[here + 0];
        let v1 = host[row + 0u];
        let v4 = 1.0f - v0;
        let v5 = ((-2.0f) * v4);
        let v7 = x[here + 1];
        let v9 = v0 * v0;
        let v10 = v7 - v9;
        let v11 = 2.0f * v0;
        let v12 = v10 * v11;
        let v13 = ((-200.0f) * v12);
        let v14 = v5 + v13;
        let v16 = v1 * v14;
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
            let v38 = v1 * v37;
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
        let v49 = v1 * v48;
        let v50 = v44 - v49;
        let v51 = magnitude(v50);
        let v52 = max(v20, v51);
        let v53 = magnitude(v48);
        let v54 = max(v21, v53);
        x[there + 39] = v50;
        let worst_x = v52;
        let worst_gradient = v54;
        if (worst_gradient > HUGE) {
            code = NONFINITE;
            break;
        }
        if (worst_x > GONE) {
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
    values[LAST_VALUE * params.count + slot] = before;
}
