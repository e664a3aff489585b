//! Surveys against what is known in closed form, and random matrices against the exact law of their index.

use catchment::random::{Domain, Starts};
use catchment::survey::{Event, Settings, Surveyed, WalkSettings, goe, survey};
use catchment::{Engine, Error, Flow, Precision, Surface, wilson};
use std::f64::consts::PI;

/// Truth: `goe.json` of tests/data.
fn exact(dim: usize) -> Vec<f64> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/goe.json");
    let data: serde_json::Value = serde_json::from_reader(std::fs::File::open(path).expect("an oracle")).expect("JSON");
    let row = data["goe"].as_array().expect("rows").iter().find(|e| e["k"] == dim).expect("this dimension");
    row["p_index"].as_array().expect("a law").iter().map(|p| p.as_f64().expect("a number")).collect()
}

fn counts(ensemble: goe::Ensemble, samples: u64, seed: u64) -> Vec<u64> {
    goe::spectra(&ensemble, samples, seed, &mut |_, _| Flow::Continue).expect("spectra").index
}

/// The largest distance of counts from a law, in standard deviations of a count; 3 counts more are nothing, for rare ones.
fn far(counts: &[u64], law: &[f64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let one = |(&count, p): (&u64, &f64)| {
        ((count as f64 - total * p).abs() - 3.0).max(0.0) / (total * p * (1.0 - p)).sqrt().max(1.0)
    };
    counts.iter().zip(law).map(one).fold(0.0, f64::max)
}

const BOUND: f64 = 4.5;

#[test]
fn index_laws_of_random_matrices() {
    for (dim, samples) in [(1, 200_000), (2, 400_000), (3, 400_000), (4, 400_000), (5, 1_000_000), (6, 1_000_000)] {
        let law = exact(dim);
        let built_in = goe::exact_law(dim).expect("a law");
        assert!(law.iter().zip(&built_in).all(|(a, b)| (a - b).abs() <= 1e-15), "{dim}");
        let found = counts(goe::Ensemble::orthogonal(dim), samples, 7);
        println!("{dim}: {found:?}, {:.2} standard deviations", far(&found, &law));
        assert!(far(&found, &law) < BOUND, "{dim}: {found:?} {law:?}");
        // Twice the chance by symmetry, and its interval covers the truth.
        let both = found[0] + found[dim];
        let [lo, hi] = wilson(both, samples);
        let middle = 0.5 * (lo + hi);
        let wide = BOUND / 1.96 * (hi - lo) / 2.0;
        assert!((2.0 * law[0] - middle).abs() < wide, "{dim}: {both} of {samples}, {}", 2.0 * law[0]);
        if dim == 1 {
            continue;
        }
        // Coins are another law, and so is one variance on and beside the diagonal: the alarm rings for both.
        assert!(far(&found, &goe::naive_law(dim)) > 10.0 * BOUND, "{dim}");
        let mirrored = counts(goe::Ensemble { dim, off_diagonal: 1.0 }, samples / 4, 7);
        assert!(far(&mirrored, &law) > 2.0 * BOUND, "{dim}: {mirrored:?}");
    }
}

#[test]
fn larger_matrices_have_their_law_and_a_semicircle() {
    for dim in [8, 10] {
        let found = counts(goe::Ensemble::orthogonal(dim), 200_000, 3);
        assert!(far(&found, &exact(dim)) < BOUND, "{dim}: {found:?}");
    }
    let found = goe::spectra(&goe::Ensemble::orthogonal(60), 500, 1, &mut |_, _| Flow::Continue).unwrap();
    let h = found.spectrum.unwrap();
    let total: u64 = h.counts.iter().sum();
    assert_eq!(total, 60 * 500);
    // Half of the semicircle's mass lies within ±0.40397 of its radius.
    let within: u64 = h
        .counts
        .iter()
        .zip(h.edges.windows(2))
        .filter(|(_, e)| (e[0] + e[1]).abs() < 2.0 * 0.40397)
        .map(|(c, _)| c)
        .sum();
    assert!((within as f64 / total as f64 - 0.5).abs() < 0.03, "{within} of {total}");
    assert!((found.largest.q50 / 120f64.sqrt() - 1.0).abs() < 0.06);
    assert!(goe::exact_law(60).is_none());
}

#[test]
fn matrices_do_not_depend_on_threads_and_do_on_the_seed() {
    let of = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| goe::spectra(&goe::Ensemble::orthogonal(4), 30_000, seed, &mut |_, _| Flow::Continue).unwrap())
    };
    let (one, many) = (of(1, 5), of(3, 5));
    assert_eq!((&one.index, one.smallest, one.largest), (&many.index, many.smallest, many.largest));
    assert_eq!(one.spectrum, many.spectrum);
    assert_ne!(one.smallest, of(1, 6).smallest);
    let stopped = goe::spectra(&goe::Ensemble::orthogonal(2), 1 << 30, 1, &mut |_, _| Flow::Stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    for (dim, samples) in [(0, 10), (513, 10)] {
        let bad = goe::spectra(&goe::Ensemble::orthogonal(dim), samples, 1, &mut |_, _| Flow::Continue);
        assert!(matches!(bad, Err(Error::Dimension { .. })));
    }
}

fn look(surface: &Surface, settings: &Settings) -> Surveyed {
    survey(&Engine::cpu(), surface, settings, &mut |_| Flow::Continue).expect("a survey")
}

fn formula(text: &str, dim: usize, lo: f64, hi: f64) -> Surface {
    Surface::formula(text, Domain::cube(dim, lo, hi)).expect("a formula")
}

#[test]
fn distributions_of_a_known_surface() {
    // f = x over [0, 2]: uniform values, gradient 1.
    let found = look(&formula("x[0]", 1, 0.0, 2.0), &Settings { samples: 200_000, seed: 3, ..Settings::default() });
    let value = found.value.unwrap();
    for (got, want) in [(value.q05, 0.1), (value.q25, 0.5), (value.q50, 1.0), (value.q95, 1.9), (value.mean, 1.0)] {
        assert!((got - want).abs() < 0.01, "{got} {want}");
    }
    let norm = found.gradient_norm.unwrap();
    assert_eq!((norm.min, norm.max, found.nonfinite), (1.0, 1.0, 0));
    let flat = found.flat.unwrap();
    assert_eq!((flat.count, flat.of), (0, 200_000));
    assert_eq!(found.values.unwrap().counts.iter().sum::<u64>(), 200_000);
}

#[test]
fn the_flat_share_is_that_of_the_definition() {
    // f = x⁴ over [-1, 1]: the range is 1, ∂f/∂u = 8 x³ is below 1e-3 for |x| < 0.05.
    let settings = Settings { samples: 400_000, seed: 2, hessians: 0, ..Settings::default() };
    let flat = look(&formula("x[0]^4", 1, -1.0, 1.0), &settings).flat.unwrap();
    let [lo, hi] = wilson(flat.count, flat.of);
    assert!((0.05 - 0.5 * (lo + hi)).abs() < 1.2 * (hi - lo), "{flat:?}");
    // Another box of the same function is as flat: sides do not matter.
    let wide = look(&formula("(x[0]/1000)^4", 1, -1000.0, 1000.0), &settings).flat.unwrap();
    assert!((wide.fraction - flat.fraction).abs() < 1e-3, "{wide:?} {flat:?}");
    let constant = look(&formula("3 + 0*x[0]", 1, -1.0, 1.0), &settings);
    assert_eq!((constant.flat.unwrap().fraction, constant.walks.unwrap().correlation_length), (1.0, None));
}

#[test]
fn correlation_lengths_are_those_of_eigenfunctions() {
    // Along the reflected walk cos(mπu) decays by exp(−(mπs)²/2) a step; a product of two decays by both.
    for (text, dim, modes) in [("cos(5*pi*x[0])", 1, 25.0), ("cos(3*pi*x[0])*cos(4*pi*x[1])", 2, 25.0)] {
        let walks = WalkSettings { count: 2000, ..WalkSettings::default() };
        let settings = Settings { samples: 1000, seed: 4, hessians: 0, walks, ..Settings::default() };
        let found = look(&formula(text, dim, 0.0, 1.0), &settings).walks.unwrap();
        let want = 2.0 / (modes * (PI * 0.02) * (PI * 0.02));
        let got = found.correlation_length.unwrap();
        assert!((got / want - 1.0).abs() < 0.03, "{text}: {got} {want}");
        let decay = found.decay.unwrap();
        assert!((decay / want - 1.0).abs() < 0.1, "{text}: {decay} {want}");
    }
    // On a logarithmic axis walks are even in the logarithm.
    let log = Domain { lo: vec![1e-3], hi: vec![1e3], log: vec![true] };
    let text = format!("cos(5*pi*(log(x[0]) + {0})/(2*{0}))", 1e3f64.ln());
    let settings = Settings {
        samples: 1000,
        hessians: 0,
        walks: WalkSettings { count: 2000, ..WalkSettings::default() },
        precision: Precision::F64,
        ..Settings::default()
    };
    let got = look(&Surface::formula(&text, log).unwrap(), &settings).walks.unwrap().correlation_length.unwrap();
    let want = 2.0 / (5.0 * PI * 0.02_f64).powi(2);
    assert!((got / want - 1.0).abs() < 0.03, "{got} {want}");
}

#[test]
fn index_against_value() {
    // A saddle bends both ways everywhere; a quartic well bends down inside |x| < 1/√3 and up outside.
    let saddle = look(&formula("x[0]^2 - x[1]^2", 2, -1.0, 1.0), &Settings::default()).curvature.unwrap();
    assert_eq!((saddle.points, &saddle.index[..], saddle.correlation), (1000, &[0, 1000, 0][..], None));
    let ends = (saddle.smallest.unwrap().q50, saddle.largest.unwrap().q50);
    assert!((ends.0 + 2.0).abs() < 1e-12 && (ends.1 - 2.0).abs() < 1e-12);
    let settings = Settings { hessians: 4000, seed: 1, ..Settings::default() };
    let well = look(&formula("x[0]^4 - 2*x[0]^2", 1, -1.2, 1.2), &settings).curvature.unwrap();
    let share = well.index[1] as f64 / well.points as f64;
    assert!((share - 1.0 / 3f64.sqrt() / 1.2).abs() < 0.03, "{share}");
    assert!(well.correlation.unwrap() > 0.3 && well.deciles.len() == 10);
    assert!(well.deciles[0].fraction < 0.05, "{:?}", well.deciles);
    let plane = look(&formula("x[0] + x[1]", 2, -1.0, 1.0), &Settings::default()).curvature.unwrap();
    assert_eq!((plane.degenerate, plane.index[0]), (1000, 1000));
    let many = Surface::named("sphere", Some(33)).unwrap();
    assert!(look(&many, &Settings { samples: 100, ..Settings::default() }).curvature.is_none());
}

#[test]
fn points_come_in_order_and_pieces_change_nothing() {
    let surface = Surface::named("rastrigin", Some(2)).unwrap();
    let settings = Settings { samples: 150_000, seed: 9, kept: 5000, hessians: 100, ..Settings::default() };
    let (mut seen, mut done, mut best) = (0, 0, f64::INFINITY);
    let found = survey(&Engine::cpu(), &surface, &settings, &mut |event| {
        match event {
            Event::Points(piece) => {
                assert_eq!((piece.first, piece.x.len()), (seen, 2 * piece.value.len()));
                seen += piece.value.len() as u64;
                best = piece.value.iter().fold(best, |best, v| best.min(*v));
            }
            Event::Progress { done: now, total } => {
                assert!(*now > done && now <= total);
                done = *now;
            }
        }
        Flow::Continue
    })
    .unwrap();
    assert_eq!((seen, found.value.unwrap().min), (150_000, best));
    let sample = found.sample.unwrap();
    assert_eq!((sample.points(), sample.dim()), (5000, 2));
    let (value, _) = surface.evaluate(sample.x(4321));
    assert!((value - sample.y()[4321]).abs() < 1e-4);
    for starts in [Starts::Sobol, Starts::LatinHypercube, Starts::Grid] {
        let found = look(&surface, &Settings { starts, samples: 40_000, hessians: 0, ..settings.clone() });
        // 2 · (10 + 5.12²/3 − 10 sin(2π·5.12)/(2π·5.12)).
        let mean = 2.0 * (10.0 + 5.12f64.powi(2) / 3.0 - 10.0 * (2.0 * PI * 5.12).sin() / (2.0 * PI * 5.12));
        assert!((found.value.unwrap().mean - mean).abs() < 0.1);
    }
}

#[test]
fn undefined_places_are_counted() {
    let settings = Settings { samples: 20_000, kept: 100, ..Settings::default() };
    let half = look(&formula("log(x[0])", 1, -1.0, 1.0), &settings);
    assert!((half.nonfinite as f64 / 2e4 - 0.5).abs() < 0.02);
    assert!(half.value.unwrap().max <= 0.0 && half.sample.unwrap().points() < 70);
    assert!(half.curvature.unwrap().points < 600);
    let none = look(&formula("log(x[0])", 1, -2.0, -1.0), &settings);
    assert!(none.value.is_none() && none.flat.is_none() && none.sample.is_none() && none.values.is_none());
    assert_eq!((none.nonfinite, none.curvature.unwrap().points), (20_000, 0));
    let steps = look(&formula("sum(floor(x)) + max(x[0], 0) + abs(x[1])", 2, -3.0, 3.0), &settings);
    assert_eq!(steps.kinks.len(), 3, "{:?}", steps.kinks);
    assert!(look(&formula("sum(x^2)", 2, -3.0, 3.0), &settings).kinks.is_empty());
}

#[test]
fn mistakes_are_told() {
    let surface = Surface::named("sphere", Some(2)).unwrap();
    let bad = |settings: Settings| survey(&Engine::cpu(), &surface, &settings, &mut |_| Flow::Continue).unwrap_err();
    let walks = |walks: WalkSettings| Settings { walks, ..Settings::default() };
    let fine = WalkSettings::default();
    for settings in [
        Settings { samples: 1, ..Settings::default() },
        Settings { hessians: 1 << 30, ..Settings::default() },
        walks(WalkSettings { step: 0.0, ..fine }),
        walks(WalkSettings { step: f64::NAN, ..fine }),
        walks(WalkSettings { length: 1, ..fine }),
        walks(WalkSettings { lags: 256, ..fine }),
    ] {
        assert!(matches!(bad(settings), Error::Setting { .. }));
    }
    let stopped = survey(&Engine::cpu(), &surface, &Settings::default(), &mut |_| Flow::Stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
