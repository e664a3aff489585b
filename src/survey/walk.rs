//! Random walks: how long values stay alike (Weinberger 1990).
//!
//! A walk begins anywhere in the unit box u and adds a normal step of a share s of each side to every coordinate, reflected at the
//! sides, so that every place is equally likely at every step. Along it the autocorrelation is
//! `r(k) = 1 − E[(f(u_t) − f(u_{t+k}))²] / (2 var f)`: the form by differences, which near 1 has less noise than the one by
//! products and the same mean. The correlation length is −1/ln |r(1)| steps. On the eigenfunction cos(mπu) it is known:
//! r(k) = exp(−k (mπs)²/2).

use super::unit_box::UnitBox;
use super::{PIECE, PIECE_COORDINATES, Settings, Work};
use crate::error::Error;
use crate::random::{Purpose, Stream, normal_pair_f64, uniform};
use crate::{Engine, Surface};

/// How to walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WalkSettings {
    /// Walks; 0 for none.
    pub count: usize,
    /// Points of each.
    pub length: usize,
    /// Standard deviation of a step, as a share of each side of the box.
    pub step: f64,
    /// Distances in steps for which the correlation is told.
    pub lags: usize,
}

impl Default for WalkSettings {
    fn default() -> WalkSettings {
        WalkSettings { count: 256, length: 256, step: 0.02, lags: 64 }
    }
}

impl WalkSettings {
    /// Points in all.
    pub(super) fn evaluations(&self) -> u64 {
        (self.count * self.length) as u64
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let outside = |name, value: f64, expected| Err(Error::Setting { name, value, expected });
        match self {
            s if s.count > 1 << 20 => outside("the number of walks", s.count as f64, "at most 2^20"),
            s if s.count == 0 => Ok(()),
            s if !(2..=1 << 16).contains(&s.length) => {
                outside("the length of a walk", s.length as f64, "from 2 to 65536")
            }
            s if !(s.step > 0.0 && s.step <= 1.0) => {
                outside("the step of a walk", s.step, "above 0, and at most 1: the whole box")
            }
            s if !(1..s.length).contains(&s.lags) => {
                outside("the number of lags", s.lags as f64, "from 1 to below the length")
            }
            _ => Ok(()),
        }
    }
}

/// What walks told.
#[derive(Clone, Debug, PartialEq)]
pub struct Walks {
    /// How they went.
    pub settings: WalkSettings,
    /// r(k) for k from 0; empty where the values are constant or none is finite.
    pub autocorrelation: Vec<f64>,
    /// −1/ln |r(1)| in steps; `None` where r(1) is not above 0, or where the values are constant.
    pub correlation_length: Option<f64>,
    /// The first k, interpolated, at which r(k) is 1/e; `None` where it is beyond the last lag.
    pub decay: Option<f64>,
}

/// The draw site of walks.
const SITE: u8 = 224;

/// Walks, and evaluates the values on the way.
pub(super) fn walks(
    engine: &Engine,
    surface: &Surface,
    unit: &UnitBox,
    settings: &Settings,
    work: &mut Work,
) -> Result<Option<Walks>, Error> {
    let WalkSettings { count, length, .. } = settings.walks;
    if count == 0 {
        return Ok(None);
    }
    let dim = unit.dim();
    let mut values = Vec::with_capacity(count * length);
    // Whole walks at a time, or parts of one where it has very many coordinates.
    let together = (PIECE / length).min(PIECE_COORDINATES / (length * dim)).max(1);
    let part = (PIECE_COORDINATES / dim).clamp(1, PIECE);
    for first in (0..count).step_by(together) {
        let mut x = Vec::new();
        for walk in first..count.min(first + together) {
            let mut u = vec![0.0; dim];
            for step in 0..length {
                go(settings.seed, walk as u64, step as u32, settings.walks.step, &mut u);
                x.extend(unit.point(&u));
                if x.len() == part * dim || step + 1 == length && (walk + 1 == count.min(first + together)) {
                    values.extend(engine.evaluate(surface, &x, settings.precision)?.value);
                    work.advance((x.len() / dim) as u64)?;
                    x.clear();
                }
            }
        }
    }
    Ok(Some(Walks::of(settings.walks, &values)))
}

/// The next point of a walk; at step 0 the first.
fn go(seed: u64, walk: u64, step: u32, share: f64, u: &mut [f64]) {
    let stream = Stream::new(seed, walk, step, Purpose::Draw(SITE));
    for (block, u) in u.chunks_mut(4).enumerate() {
        let words = stream.block(block as u32);
        let (a, b) = normal_pair_f64(words[0], words[1]);
        let (c, d) = normal_pair_f64(words[2], words[3]);
        for ((u, word), z) in u.iter_mut().zip(words).zip([a, b, c, d]) {
            *u = if step == 0 { f64::from(uniform(word)) } else { reflect(*u + share * z) };
        }
    }
}

/// Folds the line onto [0, 1].
fn reflect(u: f64) -> f64 {
    let turned = u.rem_euclid(2.0);
    if turned > 1.0 { 2.0 - turned } else { turned }
}

impl Walks {
    /// From the values of walks, one after the other; pairs with one that is not finite are left out.
    fn of(settings: WalkSettings, values: &[f64]) -> Walks {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        let variance = finite.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / finite.len() as f64;
        let none = Walks { settings, autocorrelation: Vec::new(), correlation_length: None, decay: None };
        if !(variance > 0.0 && variance.is_finite()) {
            return none;
        }
        let at = |lag: usize| {
            let (mut sum, mut pairs) = (0.0, 0u64);
            for walk in values.chunks_exact(settings.length) {
                for (a, b) in walk.iter().zip(&walk[lag..]).filter(|(a, b)| a.is_finite() && b.is_finite()) {
                    sum += (a - b) * (a - b) / variance;
                    pairs += 1;
                }
            }
            1.0 - 0.5 * sum / pairs as f64
        };
        let autocorrelation: Vec<f64> = (0..=settings.lags).map(at).collect();
        let edge = (-1f64).exp();
        let below = autocorrelation.iter().position(|&r| r < edge);
        let decay = below.map(|k| {
            let (before, after) = (autocorrelation[k - 1], autocorrelation[k]);
            (k - 1) as f64 + (before - edge) / (before - after)
        });
        let correlation_length = Some(autocorrelation[1]).filter(|r| *r > 0.0 && *r < 1.0).map(|r| -1.0 / r.ln());
        Walks { autocorrelation, correlation_length, decay, ..none }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_stay_inside_and_turn_at_the_sides() {
        for (u, want) in
            [(0.25, 0.25), (-0.25, 0.25), (1.25, 0.75), (2.25, 0.25), (-1.25, 0.75), (1.0, 1.0), (-3.0, 1.0)]
        {
            assert_eq!(reflect(u), want);
        }
        let mut u = vec![0.0; 9];
        let mut sums = [0.0; 2];
        for step in 0..20_000 {
            go(3, 1, step, 0.3, &mut u);
            assert!(u.iter().all(|u| (0.0..=1.0).contains(u)));
            sums[0] += u[8];
            sums[1] += u[8] * u[8];
        }
        assert!((sums[0] / 2e4 - 0.5).abs() < 0.02 && (sums[1] / 2e4 - 1.0 / 3.0).abs() < 0.02, "{sums:?}");
    }

    #[test]
    fn steps_of_noise_and_of_nothing() {
        let settings = WalkSettings { count: 2, length: 500, step: 0.1, lags: 5 };
        let words = Stream::new(1, 0, 0, Purpose::Draw(0));
        let noise: Vec<f64> = (0..1000).map(|i| f64::from(uniform(words.word(i)))).collect();
        let walks = Walks::of(settings, &noise);
        assert!(walks.autocorrelation[1].abs() < 0.1 && walks.autocorrelation[0] == 1.0);
        assert!(walks.decay.unwrap() < 1.0);
        assert!(Walks::of(settings, &[2.0; 1000]).autocorrelation.is_empty());
        let holes: Vec<f64> = noise.iter().enumerate().map(|(i, v)| if i % 3 == 0 { f64::NAN } else { *v }).collect();
        assert!(Walks::of(settings, &holes).autocorrelation[1].abs() < 0.15);
    }
}
