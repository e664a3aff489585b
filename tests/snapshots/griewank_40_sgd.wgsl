const M_MAGIC: f32 = 12582912.0;
const M_SIGN: u32 = 0x80000000u;
const M_SMALL_ANGLE_BITS: u32 = 0x45c80000u;
fn m_flip(x: f32, sign: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ (sign & M_SIGN));
}

fn m_rounded(t: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(t) & 0x4bffffffu) - M_MAGIC;
}

struct MAngle {
    q: u32,
    r: f32,
    lo: f32,
}

fn m_reduce_small(a: f32) -> MAngle {
    let t = a * 0.63661975 + M_MAGIC;
    let n = m_rounded(t);
    let b = (a - n * 1.5703125) - n * 0.0004838705;
    let c = n * -4.3713953e-8;
    let r = b - c;
    // Were the compiler to cancel, the rounding of r would be lost and no more.
    let lo = ((b - r) - c) - n * 2.563344e-12;
    return MAngle(bitcast<u32>(t), r, lo);
}

fn m_sin_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = -0.00019518095 * z + 0.008332188;
    p = p * z - 0.16666655;
    return r + (r * z * p + lo);
}

fn m_cos_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = 2.4432327e-5 * z - 0.001388731;
    p = p * z + 0.041666646;
    return 1.0 - (0.5 * z - (z * z * p - r * lo));
}

fn m_sincos_of(angle: MAngle) -> vec2<f32> {
    let s = m_sin_kernel(angle.r, angle.lo);
    let c = m_cos_kernel(angle.r, angle.lo);
    let even = (angle.q & 1u) == 0u;
    return vec2<f32>(
        m_flip(select(c, s, even), angle.q << 30u),
        m_flip(select(s, c, even), (angle.q + 1u) << 30u),
    );
}

fn m_sincos_small(x: f32) -> vec2<f32> {
    return m_sincos_of(m_reduce_small(x));
}

fn m_sin_small(x: f32) -> f32 {
    return m_sincos_small(x).x;
}

fn m_cos_small(x: f32) -> f32 {
    return m_sincos_small(x).y;
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
const FAR = 1.6e14f;
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

fn runs(code: u32) -> bool {
    return (code == RUNNING) | (code == BEYOND);
}

const ABREAST = 1u;
const HOST_SCALARS = 1u;
@group(0) @binding(1) var<storage, read_write> packed_xs: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> packed_states: array<vec4<f32>>;

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
    var x2 = x0_group.z;
    var x3 = x0_group.w;
    let x4_group = packed_xs[1u * params.count + slot];
    var x4 = x4_group.x;
    var x5 = x4_group.y;
    var x6 = x4_group.z;
    var x7 = x4_group.w;
    let x8_group = packed_xs[2u * params.count + slot];
    var x8 = x8_group.x;
    var x9 = x8_group.y;
    var x10 = x8_group.z;
    var x11 = x8_group.w;
    let x12_group = packed_xs[3u * params.count + slot];
    var x12 = x12_group.x;
    var x13 = x12_group.y;
    var x14 = x12_group.z;
    var x15 = x12_group.w;
    let x16_group = packed_xs[4u * params.count + slot];
    var x16 = x16_group.x;
    var x17 = x16_group.y;
    var x18 = x16_group.z;
    var x19 = x16_group.w;
    let x20_group = packed_xs[5u * params.count + slot];
    var x20 = x20_group.x;
    var x21 = x20_group.y;
    var x22 = x20_group.z;
    var x23 = x20_group.w;
    let x24_group = packed_xs[6u * params.count + slot];
    var x24 = x24_group.x;
    var x25 = x24_group.y;
    var x26 = x24_group.z;
    var x27 = x24_group.w;
    let x28_group = packed_xs[7u * params.count + slot];
    var x28 = x28_group.x;
    var x29 = x28_group.y;
    var x30 = x28_group.z;
    var x31 = x28_group.w;
    let x32_group = packed_xs[8u * params.count + slot];
    var x32 = x32_group.x;
    var x33 = x32_group.y;
    var x34 = x32_group.z;
    var x35 = x32_group.w;
    let x36_group = packed_xs[9u * params.count + slot];
    var x36 = x36_group.x;
    var x37 = x36_group.y;
    var x38 = x36_group.z;
    var x39 = x36_group.w;
    let begins = 0u;
    let h0 = host[0u];
    for (var k = begins; k < params.steps; k++) {
        let step = params.step + k + 1u;
        let v118 = 0.15811388f * x39;
        let v158 = m_cos_small(v118);
        let wide0 = abs(v118);
        let v314 = m_sin_small(v118);
        let v117 = 0.16012815f * x38;
        let v157 = m_cos_small(v117);
        let wide1 = abs(v117);
        let v313 = m_sin_small(v117);
        let v198 = v158 * v157;
        let v116 = 0.16222142f * x37;
        let v156 = m_cos_small(v116);
        let wide2 = abs(v116);
        let v312 = m_sin_small(v116);
        let v199 = v198 * v156;
        let v115 = 0.16439898f * x36;
        let v155 = m_cos_small(v115);
        let wide3 = abs(v115);
        let v311 = m_sin_small(v115);
        let v200 = v199 * v155;
        let v114 = 0.16666667f * x35;
        let v154 = m_cos_small(v114);
        let wide4 = max(wide0, abs(v114));
        let v310 = m_sin_small(v114);
        let v201 = v200 * v154;
        let v113 = 0.16903085f * x34;
        let v153 = m_cos_small(v113);
        let wide5 = max(wide1, abs(v113));
        let v309 = m_sin_small(v113);
        let v202 = v201 * v153;
        let v112 = 0.17149858f * x33;
        let v152 = m_cos_small(v112);
        let wide6 = max(wide2, abs(v112));
        let v308 = m_sin_small(v112);
        let v203 = v202 * v152;
        let v111 = 0.17407766f * x32;
        let v151 = m_cos_small(v111);
        let wide7 = max(wide3, abs(v111));
        let v307 = m_sin_small(v111);
        let v204 = v203 * v151;
        let v110 = 0.17677669f * x31;
        let v150 = m_cos_small(v110);
        let wide8 = max(wide4, abs(v110));
        let v306 = m_sin_small(v110);
        let v205 = v204 * v150;
        let v109 = 0.1796053f * x30;
        let v149 = m_cos_small(v109);
        let wide9 = max(wide5, abs(v109));
        let v305 = m_sin_small(v109);
        let v206 = v205 * v149;
        let v108 = 0.18257418f * x29;
        let v148 = m_cos_small(v108);
        let wide10 = max(wide6, abs(v108));
        let v304 = m_sin_small(v108);
        let v207 = v206 * v148;
        let v107 = 0.18569534f * x28;
        let v147 = m_cos_small(v107);
        let wide11 = max(wide7, abs(v107));
        let v303 = m_sin_small(v107);
        let v208 = v207 * v147;
        let v106 = 0.18898223f * x27;
        let v146 = m_cos_small(v106);
        let wide12 = max(wide8, abs(v106));
        let v302 = m_sin_small(v106);
        let v209 = v208 * v146;
        let v105 = 0.19245009f * x26;
        let v145 = m_cos_small(v105);
        let wide13 = max(wide9, abs(v105));
        let v301 = m_sin_small(v105);
        let v210 = v209 * v145;
        let v104 = 0.19611613f * x25;
        let v144 = m_cos_small(v104);
        let wide14 = max(wide10, abs(v104));
        let v300 = m_sin_small(v104);
        let v211 = v210 * v144;
        let v103 = 0.2f * x24;
        let v143 = m_cos_small(v103);
        let wide15 = max(wide11, abs(v103));
        let v299 = m_sin_small(v103);
        let v212 = v211 * v143;
        let v102 = 0.20412415f * x23;
        let v142 = m_cos_small(v102);
        let wide16 = max(wide12, abs(v102));
        let v298 = m_sin_small(v102);
        let v213 = v212 * v142;
        let v101 = 0.2085144f * x22;
        let v141 = m_cos_small(v101);
        let wide17 = max(wide13, abs(v101));
        let v297 = m_sin_small(v101);
        let v214 = v213 * v141;
        let v100 = 0.21320072f * x21;
        let v140 = m_cos_small(v100);
        let wide18 = max(wide14, abs(v100));
        let v296 = m_sin_small(v100);
        let v215 = v214 * v140;
        let v99 = 0.2182179f * x20;
        let v139 = m_cos_small(v99);
        let wide19 = max(wide15, abs(v99));
        let v295 = m_sin_small(v99);
        let v216 = v215 * v139;
        let v98 = 0.2236068f * x19;
        let v138 = m_cos_small(v98);
        let wide20 = max(wide16, abs(v98));
        let v294 = m_sin_small(v98);
        let v217 = v216 * v138;
        let v97 = 0.22941573f * x18;
        let v137 = m_cos_small(v97);
        let wide21 = max(wide17, abs(v97));
        let v293 = m_sin_small(v97);
        let v218 = v217 * v137;
        let v96 = 0.23570226f * x17;
        let v136 = m_cos_small(v96);
        let wide22 = max(wide18, abs(v96));
        let v292 = m_sin_small(v96);
        let v219 = v218 * v136;
        let v95 = 0.24253562f * x16;
        let v135 = m_cos_small(v95);
        let wide23 = max(wide19, abs(v95));
        let v291 = m_sin_small(v95);
        let v220 = v219 * v135;
        let v94 = 0.25f * x15;
        let v134 = m_cos_small(v94);
        let wide24 = max(wide20, abs(v94));
        let v290 = m_sin_small(v94);
        let v221 = v220 * v134;
        let v93 = 0.2581989f * x14;
        let v133 = m_cos_small(v93);
        let wide25 = max(wide21, abs(v93));
        let v289 = m_sin_small(v93);
        let v222 = v221 * v133;
        let v92 = 0.26726124f * x13;
        let v132 = m_cos_small(v92);
        let wide26 = max(wide22, abs(v92));
        let v288 = m_sin_small(v92);
        let v223 = v222 * v132;
        let v91 = 0.2773501f * x12;
        let v131 = m_cos_small(v91);
        let wide27 = max(wide23, abs(v91));
        let v287 = m_sin_small(v91);
        let v224 = v223 * v131;
        let v90 = 0.28867513f * x11;
        let v130 = m_cos_small(v90);
        let wide28 = max(wide24, abs(v90));
        let v286 = m_sin_small(v90);
        let v225 = v224 * v130;
        let v89 = 0.30151135f * x10;
        let v129 = m_cos_small(v89);
        let wide29 = max(wide25, abs(v89));
        let v285 = m_sin_small(v89);
        let v226 = v225 * v129;
        let v88 = 0.31622776f * x9;
        let v128 = m_cos_small(v88);
        let wide30 = max(wide26, abs(v88));
        let v284 = m_sin_small(v88);
        let v227 = v226 * v128;
        let v87 = 0.33333334f * x8;
        let v127 = m_cos_small(v87);
        let wide31 = max(wide27, abs(v87));
        let v283 = m_sin_small(v87);
        let v228 = v227 * v127;
        let v86 = 0.35355338f * x7;
        let v126 = m_cos_small(v86);
        let wide32 = max(wide28, abs(v86));
        let v282 = m_sin_small(v86);
        let v229 = v228 * v126;
        let v85 = 0.37796447f * x6;
        let v125 = m_cos_small(v85);
        let wide33 = max(wide29, abs(v85));
        let v281 = m_sin_small(v85);
        let v230 = v229 * v125;
        let v84 = 0.4082483f * x5;
        let v124 = m_cos_small(v84);
        let wide34 = max(wide30, abs(v84));
        let v280 = m_sin_small(v84);
        let v231 = v230 * v124;
        let v83 = 0.4472136f * x4;
        let v123 = m_cos_small(v83);
        let wide35 = max(wide31, abs(v83));
        let v279 = m_sin_small(v83);
        let v232 = v231 * v123;
        let v82 = 0.5f * x3;
        let v122 = m_cos_small(v82);
        let wide36 = max(wide32, abs(v82));
        let v278 = m_sin_small(v82);
        let v233 = v232 * v122;
        let v81 = 0.57735026f * x2;
        let v121 = m_cos_small(v81);
        let wide37 = max(wide33, abs(v81));
        let v277 = m_sin_small(v81);
        let v234 = v233 * v121;
        let v80 = 0.70710677f * x1;
        let v120 = m_cos_small(v80);
        let wide38 = max(wide34, abs(v80));
        let v276 = m_sin_small(v80);
        let v235 = v234 * v120;
        let v119 = m_cos_small(x0);
        let wide39 = max(wide35, abs(x0));
        let v275 = m_sin_small(x0);
        let v315 = v235 * v275;
        let v395 = 0.0005f * x0;
        let v435 = v315 + v395;
        let v476 = h0 * v435;
        let v516 = x0 - v476;
        let far0 = abs(v516);
        let x0_new = v516;
        let v237 = v119 * v234;
        let v316 = v237 * v276;
        let v355 = 0.70710677f * v316;
        let v396 = 0.0005f * x1;
        let v436 = v355 + v396;
        let v477 = h0 * v436;
        let v517 = x1 - v477;
        let far1 = abs(v517);
        let x1_new = v517;
        let v159 = v119 * v120;
        let v238 = v159 * v233;
        let v317 = v238 * v277;
        let v356 = 0.57735026f * v317;
        let v397 = 0.0005f * x2;
        let v437 = v356 + v397;
        let v478 = h0 * v437;
        let v518 = x2 - v478;
        let far2 = abs(v518);
        let x2_new = v518;
        let v160 = v159 * v121;
        let v239 = v160 * v232;
        let v318 = v239 * v278;
        let v357 = 0.5f * v318;
        let v398 = 0.0005f * x3;
        let v438 = v357 + v398;
        let v479 = h0 * v438;
        let v519 = x3 - v479;
        let far3 = abs(v519);
        let x3_new = v519;
        let v161 = v160 * v122;
        let v240 = v161 * v231;
        let v319 = v240 * v279;
        let v358 = 0.4472136f * v319;
        let v399 = 0.0005f * x4;
        let v439 = v358 + v399;
        let v480 = h0 * v439;
        let v520 = x4 - v480;
        let far4 = far0 + abs(v520);
        let x4_new = v520;
        let v162 = v161 * v123;
        let v241 = v162 * v230;
        let v320 = v241 * v280;
        let v359 = 0.4082483f * v320;
        let v400 = 0.0005f * x5;
        let v440 = v359 + v400;
        let v481 = h0 * v440;
        let v521 = x5 - v481;
        let far5 = far1 + abs(v521);
        let x5_new = v521;
        let v163 = v162 * v124;
        let v242 = v163 * v229;
        let v321 = v242 * v281;
        let v360 = 0.37796447f * v321;
        let v401 = 0.0005f * x6;
        let v441 = v360 + v401;
        let v482 = h0 * v441;
        let v522 = x6 - v482;
        let far6 = far2 + abs(v522);
        let x6_new = v522;
        let v164 = v163 * v125;
        let v243 = v164 * v228;
        let v322 = v243 * v282;
        let v361 = 0.35355338f * v322;
        let v402 = 0.0005f * x7;
        let v442 = v361 + v402;
        let v483 = h0 * v442;
        let v523 = x7 - v483;
        let far7 = far3 + abs(v523);
        let x7_new = v523;
        let v165 = v164 * v126;
        let v244 = v165 * v227;
        let v323 = v244 * v283;
        let v362 = 0.33333334f * v323;
        let v403 = 0.0005f * x8;
        let v443 = v362 + v403;
        let v484 = h0 * v443;
        let v524 = x8 - v484;
        let far8 = far4 + abs(v524);
        let x8_new = v524;
        let v166 = v165 * v127;
        let v245 = v166 * v226;
        let v324 = v245 * v284;
        let v363 = 0.31622776f * v324;
        let v404 = 0.0005f * x9;
        let v444 = v363 + v404;
        let v485 = h0 * v444;
        let v525 = x9 - v485;
        let far9 = far5 + abs(v525);
        let x9_new = v525;
        let v167 = v166 * v128;
        let v246 = v167 * v225;
        let v325 = v246 * v285;
        let v364 = 0.30151135f * v325;
        let v405 = 0.0005f * x10;
        let v445 = v364 + v405;
        let v486 = h0 * v445;
        let v526 = x10 - v486;
        let far10 = far6 + abs(v526);
        let x10_new = v526;
        let v168 = v167 * v129;
        let v247 = v168 * v224;
        let v326 = v247 * v286;
        let v365 = 0.28867513f * v326;
        let v406 = 0.0005f * x11;
        let v446 = v365 + v406;
        let v487 = h0 * v446;
        let v527 = x11 - v487;
        let far11 = far7 + abs(v527);
        let x11_new = v527;
        let v169 = v168 * v130;
        let v248 = v169 * v223;
        let v327 = v248 * v287;
        let v366 = 0.2773501f * v327;
        let v407 = 0.0005f * x12;
        let v447 = v366 + v407;
        let v488 = h0 * v447;
        let v528 = x12 - v488;
        let far12 = far8 + abs(v528);
        let x12_new = v528;
        let v170 = v169 * v131;
        let v249 = v170 * v222;
        let v328 = v249 * v288;
        let v367 = 0.26726124f * v328;
        let v408 = 0.0005f * x13;
        let v448 = v367 + v408;
        let v489 = h0 * v448;
        let v529 = x13 - v489;
        let far13 = far9 + abs(v529);
        let x13_new = v529;
        let v171 = v170 * v132;
        let v250 = v171 * v221;
        let v329 = v250 * v289;
        let v368 = 0.2581989f * v329;
        let v409 = 0.0005f * x14;
        let v449 = v368 + v409;
        let v490 = h0 * v449;
        let v530 = x14 - v490;
        let far14 = far10 + abs(v530);
        let x14_new = v530;
        let v172 = v171 * v133;
        let v251 = v172 * v220;
        let v330 = v251 * v290;
        let v369 = 0.25f * v330;
        let v410 = 0.0005f * x15;
        let v450 = v369 + v410;
        let v491 = h0 * v450;
        let v531 = x15 - v491;
        let far15 = far11 + abs(v531);
        let x15_new = v531;
        let v173 = v172 * v134;
        let v252 = v173 * v219;
        let v331 = v252 * v291;
        let v370 = 0.24253562f * v331;
        let v411 = 0.0005f * x16;
        let v451 = v370 + v411;
        let v492 = h0 * v451;
        let v532 = x16 - v492;
        let far16 = far12 + abs(v532);
        let x16_new = v532;
        let v174 = v173 * v135;
        let v253 = v174 * v218;
        let v332 = v253 * v292;
        let v371 = 0.23570226f * v332;
        let v412 = 0.0005f * x17;
        let v452 = v371 + v412;
        let v493 = h0 * v452;
        let v533 = x17 - v493;
        let far17 = far13 + abs(v533);
        let x17_new = v533;
        let v175 = v174 * v136;
        let v254 = v175 * v217;
        let v333 = v254 * v293;
        let v372 = 0.22941573f * v333;
        let v413 = 0.0005f * x18;
        let v453 = v372 + v413;
        let v494 = h0 * v453;
        let v534 = x18 - v494;
        let far18 = far14 + abs(v534);
        let x18_new = v534;
        let v176 = v175 * v137;
        let v255 = v176 * v216;
        let v334 = v255 * v294;
        let v373 = 0.2236068f * v334;
        let v414 = 0.0005f * x19;
        let v454 = v373 + v414;
        let v495 = h0 * v454;
        let v535 = x19 - v495;
        let far19 = far15 + abs(v535);
        let x19_new = v535;
        let v177 = v176 * v138;
        let v256 = v177 * v215;
        let v335 = v256 * v295;
        let v374 = 0.2182179f * v335;
        let v415 = 0.0005f * x20;
        let v455 = v374 + v415;
        let v496 = h0 * v455;
        let v536 = x20 - v496;
        let far20 = far16 + abs(v536);
        let x20_new = v536;
        let v178 = v177 * v139;
        let v257 = v178 * v214;
        let v336 = v257 * v296;
        let v375 = 0.21320072f * v336;
        let v416 = 0.0005f * x21;
        let v456 = v375 + v416;
        let v497 = h0 * v456;
        let v537 = x21 - v497;
        let far21 = far17 + abs(v537);
        let x21_new = v537;
        let v179 = v178 * v140;
        let v258 = v179 * v213;
        let v337 = v258 * v297;
        let v376 = 0.2085144f * v337;
        let v417 = 0.0005f * x22;
        let v457 = v376 + v417;
        let v498 = h0 * v457;
        let v538 = x22 - v498;
        let far22 = far18 + abs(v538);
        let x22_new = v538;
        let v180 = v179 * v141;
        let v259 = v180 * v212;
        let v338 = v259 * v298;
        let v377 = 0.20412415f * v338;
        let v418 = 0.0005f * x23;
        let v458 = v377 + v418;
        let v499 = h0 * v458;
        let v539 = x23 - v499;
        let far23 = far19 + abs(v539);
        let x23_new = v539;
        let v181 = v180 * v142;
        let v260 = v181 * v211;
        let v339 = v260 * v299;
        let v378 = 0.2f * v339;
        let v419 = 0.0005f * x24;
        let v459 = v378 + v419;
        let v500 = h0 * v459;
        let v540 = x24 - v500;
        let far24 = far20 + abs(v540);
        let x24_new = v540;
        let v182 = v181 * v143;
        let v261 = v182 * v210;
        let v340 = v261 * v300;
        let v379 = 0.19611613f * v340;
        let v420 = 0.0005f * x25;
        let v460 = v379 + v420;
        let v501 = h0 * v460;
        let v541 = x25 - v501;
        let far25 = far21 + abs(v541);
        let x25_new = v541;
        let v183 = v182 * v144;
        let v262 = v183 * v209;
        let v341 = v262 * v301;
        let v380 = 0.19245009f * v341;
        let v421 = 0.0005f * x26;
        let v461 = v380 + v421;
        let v502 = h0 * v461;
        let v542 = x26 - v502;
        let far26 = far22 + abs(v542);
        let x26_new = v542;
        let v184 = v183 * v145;
        let v263 = v184 * v208;
        let v342 = v263 * v302;
        let v381 = 0.18898223f * v342;
        let v422 = 0.0005f * x27;
        let v462 = v381 + v422;
        let v503 = h0 * v462;
        let v543 = x27 - v503;
        let far27 = far23 + abs(v543);
        let x27_new = v543;
        let v185 = v184 * v146;
        let v264 = v185 * v207;
        let v343 = v264 * v303;
        let v382 = 0.18569534f * v343;
        let v423 = 0.0005f * x28;
        let v463 = v382 + v423;
        let v504 = h0 * v463;
        let v544 = x28 - v504;
        let far28 = far24 + abs(v544);
        let x28_new = v544;
        let v186 = v185 * v147;
        let v265 = v186 * v206;
        let v344 = v265 * v304;
        let v383 = 0.18257418f * v344;
        let v424 = 0.0005f * x29;
        let v464 = v383 + v424;
        let v505 = h0 * v464;
        let v545 = x29 - v505;
        let far29 = far25 + abs(v545);
        let x29_new = v545;
        let v187 = v186 * v148;
        let v266 = v187 * v205;
        let v345 = v266 * v305;
        let v384 = 0.1796053f * v345;
        let v425 = 0.0005f * x30;
        let v465 = v384 + v425;
        let v506 = h0 * v465;
        let v546 = x30 - v506;
        let far30 = far26 + abs(v546);
        let x30_new = v546;
        let v188 = v187 * v149;
        let v267 = v188 * v204;
        let v346 = v267 * v306;
        let v385 = 0.17677669f * v346;
        let v426 = 0.0005f * x31;
        let v466 = v385 + v426;
        let v507 = h0 * v466;
        let v547 = x31 - v507;
        let far31 = far27 + abs(v547);
        let x31_new = v547;
        let v189 = v188 * v150;
        let v268 = v189 * v203;
        let v347 = v268 * v307;
        let v386 = 0.17407766f * v347;
        let v427 = 0.0005f * x32;
        let v467 = v386 + v427;
        let v508 = h0 * v467;
        let v548 = x32 - v508;
        let far32 = far28 + abs(v548);
        let x32_new = v548;
        let v190 = v189 * v151;
        let v269 = v190 * v202;
        let v348 = v269 * v308;
        let v387 = 0.17149858f * v348;
        let v428 = 0.0005f * x33;
        let v468 = v387 + v428;
        let v509 = h0 * v468;
        let v549 = x33 - v509;
        let far33 = far29 + abs(v549);
        let x33_new = v549;
        let v191 = v190 * v152;
        let v270 = v191 * v201;
        let v349 = v270 * v309;
        let v388 = 0.16903085f * v349;
        let v429 = 0.0005f * x34;
        let v469 = v388 + v429;
        let v510 = h0 * v469;
        let v550 = x34 - v510;
        let far34 = far30 + abs(v550);
        let x34_new = v550;
        let v192 = v191 * v153;
        let v271 = v192 * v200;
        let v350 = v271 * v310;
        let v389 = 0.16666667f * v350;
        let v430 = 0.0005f * x35;
        let v470 = v389 + v430;
        let v511 = h0 * v470;
        let v551 = x35 - v511;
        let far35 = far31 + abs(v551);
        let x35_new = v551;
        let v193 = v192 * v154;
        let v272 = v193 * v199;
        let v351 = v272 * v311;
        let v390 = 0.16439898f * v351;
        let v431 = 0.0005f * x36;
        let v471 = v390 + v431;
        let v512 = h0 * v471;
        let v552 = x36 - v512;
        let far36 = far32 + abs(v552);
        let x36_new = v552;
        let v194 = v193 * v155;
        let v273 = v194 * v198;
        let v352 = v273 * v312;
        let v391 = 0.16222142f * v352;
        let v432 = 0.0005f * x37;
        let v472 = v391 + v432;
        let v513 = h0 * v472;
        let v553 = x37 - v513;
        let far37 = far33 + abs(v553);
        let x37_new = v553;
        let v195 = v194 * v156;
        let v274 = v195 * v158;
        let v353 = v274 * v313;
        let v392 = 0.16012815f * v353;
        let v433 = 0.0005f * x38;
        let v473 = v392 + v433;
        let v514 = h0 * v473;
        let v554 = x38 - v514;
        let far38 = far34 + abs(v554);
        let x38_new = v554;
        let v196 = v195 * v157;
        let v354 = v196 * v314;
        let v393 = 0.15811388f * v354;
        let v434 = 0.0005f * x39;
        let v474 = v393 + v434;
        let v515 = h0 * v474;
        let v555 = x39 - v515;
        let far39 = far35 + abs(v555);
        let x39_new = v555;
        let widest = max(max(wide36, wide37), max(wide38, wide39));
        if (bitcast<u32>(((far36 + far37) + (far38 + (far39 + widest * FAR)))) > GONE) {
            if (bitcast<u32>(widest) > M_SMALL_ANGLE_BITS) {
                code = BEYOND;
                break;
            }
            let v556 = magnitude(v516);
            let v557 = magnitude(v517);
            let v596 = max(v556, v557);
            let v558 = magnitude(v518);
            let v559 = magnitude(v519);
            let v597 = max(v558, v559);
            let v616 = max(v596, v597);
            let v560 = magnitude(v520);
            let v561 = magnitude(v521);
            let v598 = max(v560, v561);
            let v562 = magnitude(v522);
            let v563 = magnitude(v523);
            let v599 = max(v562, v563);
            let v617 = max(v598, v599);
            let v626 = max(v616, v617);
            let v564 = magnitude(v524);
            let v565 = magnitude(v525);
            let v600 = max(v564, v565);
            let v566 = magnitude(v526);
            let v567 = magnitude(v527);
            let v601 = max(v566, v567);
            let v618 = max(v600, v601);
            let v568 = magnitude(v528);
            let v569 = magnitude(v529);
            let v602 = max(v568, v569);
            let v570 = magnitude(v530);
            let v571 = magnitude(v531);
            let v603 = max(v570, v571);
            let v619 = max(v602, v603);
            let v627 = max(v618, v619);
            let v631 = max(v626, v627);
            let v572 = magnitude(v532);
            let v573 = magnitude(v533);
            let v604 = max(v572, v573);
            let v574 = magnitude(v534);
            let v575 = magnitude(v535);
            let v605 = max(v574, v575);
            let v620 = max(v604, v605);
            let v576 = magnitude(v536);
            let v577 = magnitude(v537);
            let v606 = max(v576, v577);
            let v578 = magnitude(v538);
            let v579 = magnitude(v539);
            let v607 = max(v578, v579);
            let v621 = max(v606, v607);
            let v628 = max(v620, v621);
            let v580 = magnitude(v540);
            let v581 = magnitude(v541);
            let v608 = max(v580, v581);
            let v582 = magnitude(v542);
            let v583 = magnitude(v543);
            let v609 = max(v582, v583);
            let v622 = max(v608, v609);
            let v584 = magnitude(v544);
            let v585 = magnitude(v545);
            let v610 = max(v584, v585);
            let v586 = magnitude(v546);
            let v587 = magnitude(v547);
            let v611 = max(v586, v587);
            let v623 = max(v610, v611);
            let v629 = max(v622, v623);
            let v632 = max(v628, v629);
            let v633 = max(v631, v632);
            let v588 = magnitude(v548);
            let v589 = magnitude(v549);
            let v612 = max(v588, v589);
            let v590 = magnitude(v550);
            let v591 = magnitude(v551);
            let v613 = max(v590, v591);
            let v624 = max(v612, v613);
            let v592 = magnitude(v552);
            let v593 = magnitude(v553);
            let v614 = max(v592, v593);
            let v594 = magnitude(v554);
            let v595 = magnitude(v555);
            let v615 = max(v594, v595);
            let v625 = max(v614, v615);
            let v630 = max(v624, v625);
            let v634 = max(v633, v630);
            let v635 = magnitude(v435);
            let v636 = magnitude(v436);
            let v675 = max(v635, v636);
            let v637 = magnitude(v437);
            let v638 = magnitude(v438);
            let v676 = max(v637, v638);
            let v695 = max(v675, v676);
            let v639 = magnitude(v439);
            let v640 = magnitude(v440);
            let v677 = max(v639, v640);
            let v641 = magnitude(v441);
            let v642 = magnitude(v442);
            let v678 = max(v641, v642);
            let v696 = max(v677, v678);
            let v705 = max(v695, v696);
            let v643 = magnitude(v443);
            let v644 = magnitude(v444);
            let v679 = max(v643, v644);
            let v645 = magnitude(v445);
            let v646 = magnitude(v446);
            let v680 = max(v645, v646);
            let v697 = max(v679, v680);
            let v647 = magnitude(v447);
            let v648 = magnitude(v448);
            let v681 = max(v647, v648);
            let v649 = magnitude(v449);
            let v650 = magnitude(v450);
            let v682 = max(v649, v650);
            let v698 = max(v681, v682);
            let v706 = max(v697, v698);
            let v710 = max(v705, v706);
            let v651 = magnitude(v451);
            let v652 = magnitude(v452);
            let v683 = max(v651, v652);
            let v653 = magnitude(v453);
            let v654 = magnitude(v454);
            let v684 = max(v653, v654);
            let v699 = max(v683, v684);
            let v655 = magnitude(v455);
            let v656 = magnitude(v456);
            let v685 = max(v655, v656);
            let v657 = magnitude(v457);
            let v658 = magnitude(v458);
            let v686 = max(v657, v658);
            let v700 = max(v685, v686);
            let v707 = max(v699, v700);
            let v659 = magnitude(v459);
            let v660 = magnitude(v460);
            let v687 = max(v659, v660);
            let v661 = magnitude(v461);
            let v662 = magnitude(v462);
            let v688 = max(v661, v662);
            let v701 = max(v687, v688);
            let v663 = magnitude(v463);
            let v664 = magnitude(v464);
            let v689 = max(v663, v664);
            let v665 = magnitude(v465);
            let v666 = magnitude(v466);
            let v690 = max(v665, v666);
            let v702 = max(v689, v690);
            let v708 = max(v701, v702);
            let v711 = max(v707, v708);
            let v712 = max(v710, v711);
            let v667 = magnitude(v467);
            let v668 = magnitude(v468);
            let v691 = max(v667, v668);
            let v669 = magnitude(v469);
            let v670 = magnitude(v470);
            let v692 = max(v669, v670);
            let v703 = max(v691, v692);
            let v671 = magnitude(v471);
            let v672 = magnitude(v472);
            let v693 = max(v671, v672);
            let v673 = magnitude(v473);
            let v674 = magnitude(v474);
            let v694 = max(v673, v674);
            let v704 = max(v693, v694);
            let v709 = max(v703, v704);
            let v713 = max(v712, v709);
            if (v713 >= INFINITE) {
                code = NONFINITE;
                break;
            }
            if (v634 > GONE) {
                code = DIVERGED;
                break;
            }
        }
        x0 = x0_new;
        x1 = x1_new;
        x2 = x2_new;
        x3 = x3_new;
        x4 = x4_new;
        x5 = x5_new;
        x6 = x6_new;
        x7 = x7_new;
        x8 = x8_new;
        x9 = x9_new;
        x10 = x10_new;
        x11 = x11_new;
        x12 = x12_new;
        x13 = x13_new;
        x14 = x14_new;
        x15 = x15_new;
        x16 = x16_new;
        x17 = x17_new;
        x18 = x18_new;
        x19 = x19_new;
        x20 = x20_new;
        x21 = x21_new;
        x22 = x22_new;
        x23 = x23_new;
        x24 = x24_new;
        x25 = x25_new;
        x26 = x26_new;
        x27 = x27_new;
        x28 = x28_new;
        x29 = x29_new;
        x30 = x30_new;
        x31 = x31_new;
        x32 = x32_new;
        x33 = x33_new;
        x34 = x34_new;
        x35 = x35_new;
        x36 = x36_new;
        x37 = x37_new;
        x38 = x38_new;
        x39 = x39_new;
        taken += 1u;
    }
    packed_xs[0u * params.count + slot] = vec4<f32>(x0, x1, x2, x3);
    packed_xs[1u * params.count + slot] = vec4<f32>(x4, x5, x6, x7);
    packed_xs[2u * params.count + slot] = vec4<f32>(x8, x9, x10, x11);
    packed_xs[3u * params.count + slot] = vec4<f32>(x12, x13, x14, x15);
    packed_xs[4u * params.count + slot] = vec4<f32>(x16, x17, x18, x19);
    packed_xs[5u * params.count + slot] = vec4<f32>(x20, x21, x22, x23);
    packed_xs[6u * params.count + slot] = vec4<f32>(x24, x25, x26, x27);
    packed_xs[7u * params.count + slot] = vec4<f32>(x28, x29, x30, x31);
    packed_xs[8u * params.count + slot] = vec4<f32>(x32, x33, x34, x35);
    packed_xs[9u * params.count + slot] = vec4<f32>(x36, x37, x38, x39);
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    if (code == BEYOND) {
        atomicAdd(&queue.beyond, 1u);
    }
    if (!runs(code)) {
        atomicAdd(&queue.ended, 1u);
    }
}
