//! How much was missed: what the counts of hits say about minima that no restart has reached.
//!
//! All of it takes restarts for independent draws, each ending in one of an unknown number of minima.

/// Estimates from the numbers of hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// How many different points were reached.
    pub observed: u64,
    /// Good and Turing's estimate of the share of restarts that would end in a point that none has reached: those that were reached
    /// once over all (Good 1953).
    pub unseen_mass: f64,
    /// Its 95 % limits (Esty 1983); the upper one at least `3/n`.
    pub unseen_interval: [f64; 2],
    /// Chao's estimate of the number of points (Chao 1984, bias-corrected).
    pub chao1: f64,
    /// Its 95 % interval by a log-normal law (Chao 1987).
    pub interval: [f64; 2],
    /// The expected number of points after Boender and Rinnooy Kan (1987), all numbers and shares equally likely before:
    /// `w(n − 1)/(n − w − 2)`; `None` where there are too few restarts.
    pub boender_rinnooy_kan: Option<f64>,
    /// Their expected share of the domain that drains into points that were reached: `(n − w − 1)(n + w)/(n(n − 1))`.
    pub covered: Option<f64>,
    /// Points reached once, and twice.
    pub once_twice: [u64; 2],
}

const Z: f64 = 1.959_963_984_540_054;

impl Coverage {
    /// From how often each point was reached.
    pub fn of(hits: &[u64]) -> Coverage {
        let n: u64 = hits.iter().sum();
        let observed = hits.iter().filter(|h| **h > 0).count() as u64;
        let count = |k: u64| hits.iter().filter(|h| **h == k).count() as u64;
        let (once, twice) = (count(1), count(2));
        let (nf, w, f1, f2) = (n as f64, observed as f64, once as f64, twice as f64);
        let more = if n == 0 { 0.0 } else { (nf - 1.0) / nf * f1 * (f1 - 1.0) / (2.0 * (f2 + 1.0)) };
        let chao1 = w + more;
        let enough = n > observed + 2;
        Coverage {
            observed,
            unseen_mass: if n == 0 { 1.0 } else { f1 / nf },
            unseen_interval: unseen_interval(n, once, twice),
            chao1,
            interval: chao_interval(nf, w, f1, f2, more),
            boender_rinnooy_kan: enough.then(|| w * (nf - 1.0) / (nf - w - 2.0)),
            covered: (n > observed + 1).then(|| (nf - w - 1.0) * (nf + w) / (nf * (nf - 1.0))),
            once_twice: [once, twice],
        }
    }
}

/// Limits of the unseen mass.
pub(crate) fn unseen_interval(n: u64, once: u64, twice: u64) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, f1, f2) = (n as f64, once as f64, twice as f64);
    let spread = Z * ((f1 * (1.0 - f1 / n) + 2.0 * f2).max(0.0)).sqrt() / n;
    [(f1 / n - spread).max(0.0), (f1 / n + spread).max(3.0 / n).min(1.0)]
}

/// The 95 % interval of Chao's estimate.
fn chao_interval(n: f64, w: f64, f1: f64, f2: f64, more: f64) -> [f64; 2] {
    if n == 0.0 {
        return [0.0, f64::INFINITY];
    }
    if more <= 0.0 {
        // Nothing was reached once, or one point: what little the binomial law leaves (Chao 1987).
        let missed = (-n / w.max(1.0)).exp();
        let variance = w * missed * (1.0 - missed).max(0.0) + if f1 > 0.0 { f1 } else { 0.0 };
        return [w, w + Z * variance.sqrt()];
    }
    let share = (n - 1.0) / n;
    let variance = if f2 > 0.0 {
        let r = f1 / f2;
        f2 * (0.5 * share * r * r + share * share * r.powi(3) + 0.25 * share * share * r.powi(4))
    } else {
        let chao = w + more;
        share * f1 * (f1 - 1.0) / 2.0 + share * share * f1 * (2.0 * f1 - 1.0).powi(2) / 4.0
            - share * share * f1.powi(4) / (4.0 * chao)
    };
    let k = (Z * (1.0 + variance.max(0.0) / (more * more)).ln().sqrt()).exp();
    [w + more / k, w + more * k]
}

/// The expected number of different points among `m` of the restarts, drawn without replacement, and its standard deviation
/// (Hurlbert 1971; Heck, van Belle & Simberloff 1975 without the covariances, which makes it a little too wide).
pub fn rarefaction(hits: &[u64], m: u64) -> [f64; 2] {
    let n: u64 = hits.iter().sum();
    if m >= n {
        return [hits.iter().filter(|h| **h > 0).count() as f64, 0.0];
    }
    let (mut mean, mut variance) = (0.0, 0.0);
    for &h in hits.iter().filter(|h| **h > 0) {
        // The chance that none of the m is among the h.
        let missed = if h > n - m { 0.0 } else { (log_choose(n - h, m) - log_choose(n, m)).exp() };
        mean += 1.0 - missed;
        variance += missed * (1.0 - missed);
    }
    [mean, variance.sqrt()]
}

fn log_choose(n: u64, k: u64) -> f64 {
    log_gamma(n as f64 + 1.0) - log_gamma(k as f64 + 1.0) - log_gamma((n - k) as f64 + 1.0)
}

/// ln Γ(x) for x ≥ 1: Stirling's series, carried up to 12 by the recurrence.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0f64);
    while x < 12.0 {
        product *= x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y * (1.0 / 1680.0 - y / 1188.0)))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_of_a_small_sample() {
        // Five species: hits 10, 4, 2, 1, 1.
        let c = Coverage::of(&[10, 4, 2, 1, 1]);
        assert_eq!((c.observed, c.once_twice), (5, [2, 1]));
        assert!((c.unseen_mass - 2.0 / 18.0).abs() < 1e-15);
        // 5 + 17/18 · 2·1/(2·2)
        assert!((c.chao1 - (5.0 + 17.0 / 18.0 * 0.5)).abs() < 1e-12);
        assert!((c.boender_rinnooy_kan.unwrap() - 5.0 * 17.0 / 11.0).abs() < 1e-12);
        assert!((c.covered.unwrap() - 12.0 * 23.0 / (18.0 * 17.0)).abs() < 1e-12);
        assert!(c.interval[0] >= 5.0 && c.interval[1] > c.chao1);
        let none = Coverage::of(&[]);
        assert_eq!((none.observed, none.unseen_mass, none.boender_rinnooy_kan), (0, 1.0, None));
    }

    #[test]
    fn rarefaction_is_the_hypergeometric_law() {
        assert!((log_gamma(5.0) - 24f64.ln()).abs() < 1e-13);
        assert!((log_gamma(1.0)).abs() < 1e-13);
        // Two of three restarts, hits 2 and 1: of the three pairs one sees one point, two see both.
        assert!((rarefaction(&[2, 1], 2)[0] - 5.0 / 3.0).abs() < 1e-12);
        assert_eq!(rarefaction(&[2, 1], 3), [2.0, 0.0]);
        assert!((rarefaction(&[5, 7, 9], 1)[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_unseen_mass_of_many_equal_points() {
        // 1,000 equally likely points, 2,000 draws by a fixed recurrence: about e⁻² of them are missing.
        let mut hits = vec![0u64; 1000];
        let mut state = 1u64;
        for _ in 0..2000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            hits[(state >> 33) as usize % 1000] += 1;
        }
        let missing = hits.iter().filter(|h| **h == 0).count() as f64 / 1000.0;
        let c = Coverage::of(&hits);
        assert!(c.unseen_interval[0] < missing && missing < c.unseen_interval[1]);
        assert!(c.interval[0] < 1000.0 && 1000.0 < c.interval[1], "{c:?}");
    }
}
