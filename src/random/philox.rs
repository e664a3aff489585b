//! Counter-based random words that belong to a restart, not to a thread, batch, chunk or device.
//!
//! `words = philox4x32(counter, key)` with `key = [seed lo, seed hi]` and `counter = [restart lo,
//! restart hi, step, (purpose << 24) | block]`; a block is four words. Two different addresses
//! never share a counter, so any restart can be replayed alone.
//!
//! The function is Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3" (SC 2011); `shaders/philox.wgsl` gives the same bits.
//!
//! ```
//! use catchment::random::{Purpose, Stream, philox4x32};
//! assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
//! assert_eq!(Stream::new(0, 0, 0, Purpose::Start).block(0), philox4x32([0; 4], [0; 2]));
//! ```

use std::convert::Infallible;

use rand::TryRng;

const MULTIPLIER: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// Restarts that [`philox_lanes`] serves at once.
pub(super) const LANES: usize = 16;

/// The four words at one counter: Philox4x32 with 10 rounds.
#[inline]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    rounds(counter, key, ROUNDS)
}

#[inline(always)]
fn rounds(mut c: [u32; 4], mut key: [u32; 2], count: u32) -> [u32; 4] {
    for _ in 0..count {
        let a = u64::from(MULTIPLIER[0]) * u64::from(c[0]);
        let b = u64::from(MULTIPLIER[1]) * u64::from(c[2]);
        c = [(b >> 32) as u32 ^ c[1] ^ key[0], b as u32, (a >> 32) as u32 ^ c[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    c
}

/// `words[j][lane]` is word `j` at counter `[low[lane], high, step, tag]`: the same function, laid
/// out for SIMD. Inlined, so that it is compiled for the vector instructions of its caller.
#[inline(always)]
pub(super) fn philox_lanes(low: [u32; LANES], high: u32, step: u32, tag: u32, key: [u32; 2]) -> [[u32; LANES]; 4] {
    // Words stand in the low halves of 64-bit lanes, whose high halves hold what is left of products: a vector's multiplication
    // of low halves reads nothing else, and no lane is ever moved.
    const LOW: u64 = 0xffff_ffff;
    let wide = |word: u32| [u64::from(word); LANES];
    let (mut c0, mut c1, mut c2, mut c3) = (wide(0), wide(high), wide(step), wide(tag));
    c0.iter_mut().zip(low).for_each(|(c, word)| *c = u64::from(word));
    let mut key = key;
    for _ in 0..ROUNDS {
        for lane in 0..LANES {
            let a = u64::from(MULTIPLIER[0]) * (c0[lane] & LOW);
            let b = u64::from(MULTIPLIER[1]) * (c2[lane] & LOW);
            c0[lane] = (b >> 32) ^ c1[lane] ^ u64::from(key[0]);
            c1[lane] = b;
            c2[lane] = (a >> 32) ^ c3[lane] ^ u64::from(key[1]);
            c3[lane] = a;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let mut words = [[0; LANES]; 4];
    for (words, wide) in words.iter_mut().zip([c0, c1, c2, c3]) {
        words.iter_mut().zip(wide).for_each(|(word, wide)| *word = wide as u32);
    }
    words
}

/// The Philox key of a seed: its low word, then its high word.
#[inline]
pub fn key_of(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// What random words are for; streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Where a restart starts.
    Start,
    /// Seeds of scrambles and permutations; the "restart" is then a coordinate.
    Scramble,
    /// Hyperparameters drawn per restart.
    Hyper,
    /// Which rows of a data set a step sees.
    Batch,
    /// A draw site of the optimizer or the surface, numbered from 0; sites are taken modulo
    /// [`Purpose::SITES`].
    Draw(u8),
}

impl Purpose {
    /// How many draw sites there are.
    pub const SITES: u8 = 240;

    /// The byte that stands in the counter: 0 to 3, or 16 + site. WGSL uses the same numbers.
    #[inline]
    pub const fn code(self) -> u8 {
        match self {
            Self::Start => 0,
            Self::Scramble => 1,
            Self::Hyper => 2,
            Self::Batch => 3,
            Self::Draw(site) => 16 + site % Self::SITES,
        }
    }

    /// The last counter word: purpose in the high byte, `block` modulo 2^24 below.
    #[inline]
    pub const fn tag(self, block: u32) -> u32 {
        (self.code() as u32) << 24 | (block & 0x00ff_ffff)
    }
}

/// The words of one (seed, restart, step, purpose): readable in any order by
/// [`block`](Stream::block) and [`word`](Stream::word), or one after the other through `rand`'s
/// traits, so that its distributions work over it.
///
/// A stream holds 2^26 words and then repeats. `next_u64` takes the low word first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    seed: u64,
    restart: u64,
    step: u32,
    purpose: Purpose,
    /// Index of the next word that `rand`'s traits hand out.
    next: u32,
    buffer: [u32; 4],
}

impl Stream {
    /// The stream at this address, at its first word.
    #[inline]
    pub fn new(seed: u64, restart: u64, step: u32, purpose: Purpose) -> Self {
        Self { seed, restart, step, purpose, next: 0, buffer: [0; 4] }
    }

    /// Words `4 * block` to `4 * block + 3`; `block` is taken modulo 2^24.
    #[inline]
    pub fn block(&self, block: u32) -> [u32; 4] {
        let counter = [self.restart as u32, (self.restart >> 32) as u32, self.step, self.purpose.tag(block)];
        philox4x32(counter, key_of(self.seed))
    }

    /// Word `index` of the stream.
    #[inline]
    pub fn word(&self, index: u32) -> u32 {
        self.block(index / 4)[index as usize % 4]
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let lane = self.next as usize % 4;
        if lane == 0 {
            self.buffer = self.block(self.next / 4);
        }
        self.next = self.next.wrapping_add(1);
        Ok(self.buffer[lane])
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand::rand_core::utils::next_u64_via_u32(self)
    }

    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        rand::rand_core::utils::fill_bytes_via_next_word(bytes, || self.try_next_u32())
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt};

    use super::*;

    /// `kat_vectors` of Random123, rows `philox4x32 10`: counter, key, words.
    const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];

    #[test]
    fn known_answers() {
        for (counter, key, words) in KNOWN {
            assert_eq!(philox4x32(counter, key), words);
            let lanes = philox_lanes([counter[0]; LANES], counter[1], counter[2], counter[3], key);
            assert_eq!(lanes, words.map(|word| [word; LANES]));
        }
    }

    #[test]
    fn the_alarm_rings_for_a_wrong_round_count() {
        for (counter, key, words) in KNOWN {
            for count in [ROUNDS - 1, ROUNDS + 1] {
                assert_ne!(rounds(counter, key, count), words);
            }
            assert_ne!(rounds([counter[1], counter[0], counter[2], counter[3] ^ 1], key, ROUNDS), words);
        }
    }

    #[test]
    fn every_part_of_the_address_changes_the_words() {
        let base = Stream::new(1, 2, 3, Purpose::Start).block(0);
        let others = [
            Stream::new(1 + (1 << 32), 2, 3, Purpose::Start).block(0),
            Stream::new(1, 2 + (1 << 32), 3, Purpose::Start).block(0),
            Stream::new(1, 2, 4, Purpose::Start).block(0),
            Stream::new(1, 2, 3, Purpose::Scramble).block(0),
            Stream::new(1, 2, 3, Purpose::Start).block(1),
        ];
        assert!(others.iter().all(|other| *other != base));
        let codes: std::collections::BTreeSet<u8> = [Purpose::Start, Purpose::Scramble, Purpose::Hyper, Purpose::Batch]
            .into_iter()
            .chain((0..Purpose::SITES).map(Purpose::Draw))
            .map(Purpose::code)
            .collect();
        assert_eq!(codes.len(), 4 + usize::from(Purpose::SITES));
    }

    #[test]
    fn rand_reads_the_same_words_in_order() {
        let stream = Stream::new(7, 1 << 40, 5, Purpose::Draw(3));
        let mut reader = stream.clone();
        for index in 0..11 {
            assert_eq!(reader.next_u32(), stream.word(index));
        }
        assert_eq!(reader.next_u64(), u64::from(stream.word(11)) | u64::from(stream.word(12)) << 32);
        let mut bytes = [0; 4];
        reader.fill_bytes(&mut bytes);
        assert_eq!(u32::from_le_bytes(bytes), stream.word(13));
        let die = reader.random_range(1..=6);
        assert!((1..=6).contains(&die));
    }
}
