// What every entry point shares: the bindings, and how an invocation finds its restart.
//
// A launch runs `count` slots; a slot is one restart of one configuration. Arrays of a restart lie coordinate-major
// (element i of slot s at i * count + s), so that neighbours read neighbouring words; parameters and states of straight code
// lie PACK elements together, which one instruction loads. Twin: src/gpu/buffers.rs.
// Modules that call `packed_place` declare PACK.

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
@group(0) @binding(1) var<storage, read_write> xs: array<f32>;       // parameters
@group(0) @binding(2) var<storage, read_write> states: array<f32>;   // optimizer states
@group(0) @binding(3) var<storage, read_write> status: array<u32>;   // status, then steps taken
@group(0) @binding(4) var<storage, read_write> values: array<f32>;   // regions of one number a slot, then the drawn hyperparameters
@group(0) @binding(5) var<storage, read_write> extra: array<f32>;    // gradient out, scratch
@group(0) @binding(6) var<storage, read_write> queue: Queue;         // which slots still run
@group(0) @binding(7) var<storage, read> host: array<f32>;           // host scalars
@group(0) @binding(8) var<storage, read> tables: array<f32>;         // constant tables; in `begin` the box and initial states

const RUNNING = 0u;
const CONVERGED = 1u;
const TARGET = 2u;
const STALLED = 3u;
const MAX_STEPS = 4u;
const DIVERGED = 5u;
const NONFINITE = 6u;
const BEYOND = 7u;           // runs on, by the kernel that knows all angles
const SETTLES_NOBODY = 0u;
const SETTLES_ALL = 2u;       // 1: all but those that are BEYOND
const LAST_VALUE = 2u;       // region of the value one step ago
const GONE = 0x5d5e0b6bu;    // a `magnitude` above is a blow-up: 1e18
const INFINITE = 0x7f800000u; // a `magnitude` of at least this is not finite
const FAINT = 1e-21f;         // brings slopes up to the largest number below GONE
const FAR = 1.6e14f;          // brings angles that are not small above GONE

var<private> slot: u32;
var<private> configuration: u32;
var<private> restart: vec2<u32>; // low word, high word

// Makes a slot the current one and finds its restart.
fn enter(chosen: u32) {
    slot = chosen;
    let place = params.offset + slot;
    configuration = place / params.restarts;
    let low = place % params.restarts + params.first_low;
    restart = vec2<u32>(low, params.first_high + select(0u, 1u, low < params.first_low));
}

// Where element i of the current slot's parameters lies in `xs`.
fn packed_place(i: u32) -> u32 {
    return ((i / PACK) * params.count + slot) * PACK + i % PACK;
}

// Enters the invocation's own slot of all; false for an invocation without one.
fn locate(id: vec3<u32>, groups: vec3<u32>) -> bool {
    let own = id.x + id.y * groups.x * 64u;
    if (own >= params.count) {
        return false;
    }
    enter(own);
    return true;
}

// |v| as bits, which are in the order of the numbers, NaN above all: a compiler may assume that neither NaN nor infinity occurs.
fn magnitude(v: f32) -> u32 {
    return bitcast<u32>(v) & 0x7fffffffu;
}

// Four words of this restart's stream at a step.
fn words(step: u32, tag: u32) -> vec4<u32> {
    return philox(vec4<u32>(restart.x, restart.y, step, tag), vec2<u32>(params.seed_low, params.seed_high));
}

fn draw_normal(step: u32, tag: u32) -> vec4<f32> {
    return normal4(words(step, tag));
}

fn draw_uniform(step: u32, tag: u32) -> vec4<f32> {
    let w = words(step, tag);
    return vec4<f32>(uniform_from(w.x), uniform_from(w.y), uniform_from(w.z), uniform_from(w.w));
}

// Whether a restart with this status runs.
fn runs(code: u32) -> bool {
    return (code == RUNNING) | (code == BEYOND);
}

// Why a restart stops at a point, for a reason other than a blow-up; RUNNING where it does not. `before` is the value one
// step ago, known where `known`.
fn reason(value: f32, squared_norm: f32, before: f32, known: bool) -> u32 {
    let converged = ((params.tests & 1u) != 0u) & (squared_norm <= params.gradient_squared);
    let target_met = ((params.tests & 2u) != 0u) & (value <= params.goal);
    let still = abs(value - before) <= params.change * max(1.0, abs(value));
    let stalled = ((params.tests & 4u) != 0u) & known & still;
    return select(select(select(RUNNING, STALLED, stalled), TARGET, target_met), CONVERGED, converged);
}

// Stores what an evaluation found; the one that ends a launch settles how the restart ended.
fn conclude(value: f32, squared_norm: f32) {
    values[params.region * params.count + slot] = value;
    values[(params.region + 1u) * params.count + slot] = sqrt(squared_norm);
    if (params.settles == SETTLES_NOBODY) {
        return;
    }
    var code = status[slot] & 0xffu;
    if (code == BEYOND && params.settles != SETTLES_ALL) {
        return;
    }
    if (runs(code)) {
        let taken = status[params.count + slot];
        code = reason(value, squared_norm, values[LAST_VALUE * params.count + slot], taken > 0u);
        if (magnitude(value) >= INFINITE || magnitude(squared_norm) > INFINITE) {
            code = NONFINITE;
        }
        if (runs(code)) {
            code = MAX_STEPS;
        }
    }
    status[slot] = (params.epoch << 8u) | code;
}
