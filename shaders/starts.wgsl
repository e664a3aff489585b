// A starting coordinate from its word: clamp(lo + width · uniform_from(word), lo, hi).
//
// Twin of `Axis::of_word` in src/random/sampler.rs, with the same bits: product and sum are rounded
// one after the other, which WGSL alone does not promise (a driver may contract them). So the
// product passes through an integer xor with `zero`, a 0 that the driver cannot know because it
// comes from a buffer. lo, width and hi are the host's f32 (`Sampler::affine`, which also says when
// a device's flushing of subnormal numbers cannot matter).

fn start_uniform(word: u32, lo: f32, width: f32, hi: f32, zero: u32) -> f32 {
    let product = width * uniform_from(word);
    let sum = lo + bitcast<f32>(bitcast<u32>(product) ^ zero);
    return min(max(sum, lo), hi);
}
