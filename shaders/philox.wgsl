// Random words that belong to (seed, restart, step, purpose), and numbers made from them.
//
// counter = (restart lo, restart hi, step, (purpose << 24) | block), key = (seed lo, seed hi);
// block counts groups of four words. Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011). Twin of src/random/philox.rs and normal.rs: `philox` and
// `uniform_from` have the same bits there and on every device; `normal4` differs by the rounding of
// `m_log`, `m_sinpi` and `m_cospi` (math.wgsl), the square root and the products.

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

// ((word >> 8) | 1) · 2^-24: exact, symmetric about 1/2, never 0 or 1.
fn uniform_from(word: u32) -> f32 {
    return f32((word >> 8u) | 1u) * 0x1p-24f;
}

// Box and Muller's pair from two words; at most 5.77 in size.
fn normal2(first: u32, second: u32) -> vec2<f32> {
    // m_log may return a tiny positive number just below 1.
    let radius = sqrt(max(0.0, -2.0 * m_log(uniform_from(first))));
    let half_turns = 2.0 * uniform_from(second);
    return vec2<f32>(radius * m_cospi(half_turns), radius * m_sinpi(half_turns));
}

// Four independent standard normal numbers, the first two from words.xy.
fn normal4(words: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(normal2(words.x, words.y), normal2(words.z, words.w));
}
