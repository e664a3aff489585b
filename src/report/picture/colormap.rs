//! Colours for numbers and for kinds that readers with every kind of colour vision can tell apart.
//!
//! Values: viridis (Smith & van der Walt 2015), even in lightness. Kinds: Okabe & Ito's and Tol's colours; tests hold them apart in
//! OKLab as seen with deuteranopia and protanopia (Viénot, Brettel & Mollon 1999).

use super::Color;
use super::color::{BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, WHITE, YELLOW};

/// Viridis at tenths.
const VIRIDIS: [Color; 11] = [
    Color::new(68, 1, 84),
    Color::new(72, 36, 117),
    Color::new(65, 68, 135),
    Color::new(53, 95, 141),
    Color::new(42, 120, 142),
    Color::new(33, 145, 140),
    Color::new(34, 168, 132),
    Color::new(68, 191, 112),
    Color::new(122, 209, 81),
    Color::new(189, 223, 38),
    Color::new(253, 231, 37),
];

/// Kinds, the most distinct first.
pub const KINDS: [Color; 10] = [
    BLUE,
    ORANGE,
    GREEN,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    Color::new(51, 34, 136),
    Color::new(136, 34, 85),
    Color::new(187, 187, 187),
];

/// Where there is no number.
pub const NO_NUMBER: Color = Color::new(160, 160, 160);
/// What did not arrive.
pub const ON_ITS_WAY: Color = Color::new(222, 222, 222);
/// What ran away.
pub const GONE: Color = Color::new(24, 24, 27);

/// The colour of a number between 0 (dark) and 1 (bright); [`NO_NUMBER`] for NaN.
pub fn sequential(t: f64) -> Color {
    if t.is_nan() { NO_NUMBER } else { along(&VIRIDIS, t) }
}

/// A paler one, over which lines stand out.
pub fn pale(t: f64) -> Color {
    if t.is_nan() { NO_NUMBER } else { mix(sequential(t), WHITE, 0.62) }
}

/// How soon it converged, from 0 (at once) to 1.
pub fn converging(t: f64) -> Color {
    along(&[Color::new(226, 239, 250), Color::new(120, 180, 226), BLUE, Color::new(0, 52, 98)], t)
}

/// How soon it ran away, from 0 (at once) to 1.
pub fn diverging(t: f64) -> Color {
    along(&[Color::new(255, 240, 222), Color::new(246, 187, 120), VERMILLION, Color::new(110, 38, 0)], t)
}

/// A darker shade, from 0 (as it is) to 1.
pub fn darkened(color: Color, t: f64) -> Color {
    mix(color, Color { opacity: color.opacity, ..Color::new(10, 10, 20) }, 0.6 * t.clamp(0.0, 1.0))
}

/// The part `t` of the way from one colour to another.
pub fn mix(a: Color, b: Color, t: f64) -> Color {
    let part = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    Color {
        red: part(a.red, b.red),
        green: part(a.green, b.green),
        blue: part(a.blue, b.blue),
        opacity: part(a.opacity, b.opacity),
    }
}

fn along(stops: &[Color], t: f64) -> Color {
    let place = t.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let i = (place.floor() as usize).min(stops.len() - 2);
    mix(stops[i], stops[i + 1], place - i as f64)
}

/// A kind for each of `count` things, so that neighbours differ: their own while there are enough, else the least used
/// one that no neighbour has. `touching` holds pairs.
pub fn kinds(count: usize, touching: &[(u32, u32)]) -> Vec<usize> {
    if count <= KINDS.len() {
        return (0..count).collect();
    }
    let mut near: Vec<Vec<u32>> = vec![Vec::new(); count];
    for &(a, b) in touching {
        near[a as usize].push(b);
        near[b as usize].push(a);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(near[i].len()));
    let mut kind = vec![usize::MAX; count];
    let mut used = [0u32; KINDS.len()];
    for i in order {
        let taken: Vec<usize> = near[i].iter().map(|&other| kind[other as usize]).collect();
        let free = (0..KINDS.len()).filter(|k| !taken.contains(k)).min_by_key(|&k| used[k]);
        // More neighbours than colours: the one that fewest of them have.
        let of = |k: &usize| taken.iter().filter(|t| *t == k).count();
        let chosen = free.or_else(|| (0..KINDS.len()).min_by_key(of)).unwrap_or(0);
        kind[i] = chosen;
        used[chosen] += 1;
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(c: Color) -> [f64; 3] {
        [c.red, c.green, c.blue].map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// OKLab (Ottosson 2020).
    fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
        let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
        let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    /// Normal, protanope, deuteranope.
    fn seen(c: Color) -> [[f64; 3]; 3] {
        let rgb = linear(c);
        let by = |m: [[f64; 3]; 3]| m.map(|row| row.iter().zip(&rgb).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0));
        let protan = [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]];
        let deutan = [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]];
        [lab(rgb), lab(by(protan)), lab(by(deutan))]
    }

    fn apart(a: Color, b: Color) -> f64 {
        let far = |(a, b): (&[f64; 3], &[f64; 3])| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        seen(a).iter().zip(&seen(b)).map(far).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn kinds_are_told_apart_by_everyone() {
        for (i, &a) in KINDS.iter().enumerate() {
            for &b in &KINDS[..i] {
                assert!(apart(a, b) > 0.06, "{a:?} {b:?}: {}", apart(a, b));
            }
            assert!(apart(a, GONE) > 0.15, "{a:?}");
        }
        for t in [0.2, 0.5, 0.8] {
            assert!(apart(converging(t), diverging(t)) > 0.06, "{t}: {}", apart(converging(t), diverging(t)));
        }
    }

    #[test]
    fn numbers_grow_lighter_for_everyone() {
        let lightness: Vec<[f64; 3]> =
            (0..=40).map(|i| seen(sequential(f64::from(i) / 40.0)).map(|lab| lab[0])).collect();
        for pair in lightness.windows(2) {
            assert!((0..3).all(|k| pair[1][k] > pair[0][k]), "{pair:?}");
        }
        assert_eq!((sequential(0.0), sequential(1.0), sequential(f64::NAN)), (VIRIDIS[0], VIRIDIS[10], NO_NUMBER));
    }

    #[test]
    fn neighbours_differ_where_colours_repeat() {
        // A ring of 41 with chords.
        let pairs: Vec<(u32, u32)> = (0..41).flat_map(|i| [(i, (i + 1) % 41), (i, (i + 7) % 41)]).collect();
        let kinds = kinds(41, &pairs);
        assert!(pairs.iter().all(|&(a, b)| kinds[a as usize] != kinds[b as usize]));
        assert!(kinds.iter().all(|&k| k < KINDS.len()));
    }
}
