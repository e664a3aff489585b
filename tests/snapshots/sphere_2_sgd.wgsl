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
    var x0 = xs[0u * params.count + slot];
    var x1 = xs[1u * params.count + slot];
    for (var k = 0u; k < params.steps; k++) {
        let row = (configuration * params.rows + k * params.advance) * HOST_SCALARS;
        let step = params.step + k + 1u;
        let v3 = 2.0f * x0;
        let v4 = 2.0f * x1;
        let v5 = host[row + 0u];
        let v6 = v5 * x0;
        let v7 = v5 * x1;
        let v8 = x0 - v6;
        let v9 = x1 - v7;
        let v10 = magnitude(v8);
        let v11 = magnitude(v9);
        let v12 = max(v10, v11);
        let v13 = magnitude(v3);
        let v14 = magnitude(v4);
        let v15 = max(v13, v14);
        let x0_new = v8;
        let x1_new = v9;
        let worst_x = v12;
        let worst_gradient = v15;
        if (worst_gradient > HUGE) {
            code = NONFINITE;
            break;
        }
        if (worst_x > GONE) {
            code = DIVERGED;
            break;
        }
        x0 = x0_new;
        x1 = x1_new;
        taken += 1u;
    }
    xs[0u * params.count + slot] = x0;
    xs[1u * params.count + slot] = x1;
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    values[LAST_VALUE * params.count + slot] = before;
}
