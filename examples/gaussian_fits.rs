//! The two-dimensional Gaussian test of the batched-fit literature (Przybylski et al., Gpufit, Scientific Reports 7, 15722,
//! 2017): how many fits a second, and how near their errors come to the Cramér–Rao bound.
//!
//! A window of 5 × 5 pixels, amplitude 500, centre in the middle pixel, width 1, offset 10; normal noise with a standard
//! deviation of a tenth of the amplitude; starts within 10 % of the truth; tolerance 1e-4; at most 10 iterations. All
//! numbers are Philox words of (fit, purpose): the same data on every machine.
//!
//! `cargo run --release --example gaussian_fits -- [--fits N] [--repeat N] [--threads N] [--device cpu|gpu] [--write DIR]
//! [--json]`; `--write` saves data, starts and truth as .npy for other programs, see benches/peers/gaussian_fits.py.

use catchment::fit::{
    BatchedFit, BatchedOutcome, BatchedSettings, BatchedStatus, FitColumn, FitRows, Residuals, run_batched,
};
use catchment::random::{normal_pair, philox4x32, uniform};
use catchment::{DeviceChoice, Engine};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const SIDE: usize = 5;
const PIXELS: usize = SIDE * SIDE;
const NAMES: [&str; 5] = ["amplitude", "x0", "y0", "sigma", "offset"];
const NOISE: f64 = 50.0;

/// Pixels, data fit by fit, starts and truth parameter-major.
struct Data {
    u: Vec<f32>,
    v: Vec<f32>,
    pixels: Vec<f32>,
    starts: Vec<f32>,
    truth: Vec<f32>,
}

fn model(x: &[f64; 5], u: f64, v: f64) -> f64 {
    x[0] * (-((u - x[1]).powi(2) + (v - x[2]).powi(2)) / (2.0 * x[3] * x[3])).exp() + x[4]
}

fn place(pixel: usize) -> (f64, f64) {
    ((pixel % SIDE) as f64, (pixel / SIDE) as f64)
}

fn truth(fit: usize) -> [f64; 5] {
    let w = philox4x32([fit as u32, 0, 0, 0], [2017, 0]);
    [500.0, 1.5 + f64::from(uniform(w[0])), 1.5 + f64::from(uniform(w[1])), 1.0, 10.0]
}

fn data(fits: usize) -> Data {
    let mut pixels = Vec::with_capacity(PIXELS * fits);
    let (mut starts, mut all) = (vec![0f32; 5 * fits], vec![0f32; 5 * fits]);
    for k in 0..fits {
        let x = truth(k);
        for block in 0..PIXELS.div_ceil(4) {
            let w = philox4x32([k as u32, 0, 1, block as u32], [2017, 0]);
            let ((a, b), (c, d)) = (normal_pair(w[0], w[1]), normal_pair(w[2], w[3]));
            for (r, noise) in (4 * block..PIXELS).zip([a, b, c, d]) {
                let (u, v) = place(r);
                pixels.push((model(&x, u, v) + NOISE * f64::from(noise)) as f32);
            }
        }
        let w = [2, 3].map(|purpose| philox4x32([k as u32, 0, purpose, 0], [2017, 0])).concat();
        for i in 0..5 {
            all[i * fits + k] = x[i] as f32;
            starts[i * fits + k] = (x[i] * (0.9 + 0.2 * f64::from(uniform(w[i])))) as f32;
        }
    }
    let (u, v) = (0..PIXELS).map(|r| (place(r).0 as f32, place(r).1 as f32)).unzip();
    Data { u, v, pixels, starts, truth: all }
}

/// Cramér–Rao bounds of the standard deviations, root mean square over the first fits: `noise² (JᵀJ)⁻¹`.
fn bounds(fits: usize) -> [f64; 5] {
    let mut sums = [0.0; 5];
    for k in 0..fits {
        let x = truth(k);
        let mut a = [[0.0; 10]; 5];
        for pixel in 0..PIXELS {
            let (u, v) = place(pixel);
            let (du, dv, e) = (u - x[1], v - x[2], (model(&x, u, v) - x[4]) / x[0]);
            let square = x[3] * x[3];
            let slopes = [
                e,
                x[0] * e * du / square,
                x[0] * e * dv / square,
                x[0] * e * (du * du + dv * dv) / (square * x[3]),
                1.0,
            ];
            for i in 0..5 {
                for j in 0..5 {
                    a[i][j] += slopes[i] * slopes[j] / (NOISE * NOISE);
                }
            }
        }
        // Gauss–Jordan on [A | 1]: A is positive definite, so no pivoting is needed.
        for i in 0..5 {
            a[i][5 + i] = 1.0;
        }
        for c in 0..5 {
            let scale = 1.0 / a[c][c];
            a[c].iter_mut().for_each(|value| *value *= scale);
            let row = a[c];
            for (_, other) in a.iter_mut().enumerate().filter(|(i, _)| *i != c) {
                let factor = other[c];
                other.iter_mut().zip(row).for_each(|(value, r)| *value -= factor * r);
            }
        }
        (0..5).for_each(|i| sums[i] += a[i][5 + i]);
    }
    sums.map(|sum| (sum / fits as f64).sqrt())
}

/// Mean and standard deviation of each parameter's error, over fits that converged.
fn errors(data: &Data, outcome: &BatchedOutcome) -> ([f64; 5], [f64; 5], usize) {
    let fits = outcome.rss.len();
    let good: Vec<usize> = (0..fits).filter(|&k| outcome.status[k] == BatchedStatus::Converged).collect();
    let n = good.len().max(1) as f64;
    let error = |i: usize, k: usize| f64::from(outcome.parameters[i * fits + k]) - f64::from(data.truth[i * fits + k]);
    let mean = [0, 1, 2, 3, 4].map(|i| good.iter().map(|&k| error(i, k)).sum::<f64>() / n);
    let sd = [0, 1, 2, 3, 4].map(|i| (good.iter().map(|&k| (error(i, k) - mean[i]).powi(2)).sum::<f64>() / n).sqrt());
    (mean, sd, good.len())
}

/// A .npy file of `f32`, row-major (the format's own description: numpy.lib.format).
fn save(path: &Path, shape: (usize, usize), values: &[f32]) -> std::io::Result<()> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", shape.0, shape.1);
    let padded = (header.len() + 11).next_multiple_of(64) - 10;
    header = format!("{header:<width$}\n", width = padded - 1);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    values.iter().try_for_each(|v| file.write_all(&v.to_le_bytes()))?;
    file.flush()
}

/// Processor time that this process has used, seconds; 0 where the system does not tell. On a machine that others use it
/// says more than the clock.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let number = |name: &str, default: usize| option(name).map_or(Ok(default), |text| text.parse::<usize>());
    let (fits, repeat, threads) = (number("--fits", 100_000)?, number("--repeat", 3)?, number("--threads", 0)?);
    let json = arguments.iter().any(|a| a == "--json");
    let data = data(fits);
    if let Some(folder) = option("--write") {
        std::fs::create_dir_all(folder)?;
        save(&Path::new(folder).join("pixels.npy"), (fits, PIXELS), &data.pixels)?;
        save(&Path::new(folder).join("starts.npy"), (5, fits), &data.starts)?;
        save(&Path::new(folder).join("truth.npy"), (5, fits), &data.truth)?;
    }
    let choice = DeviceChoice::parse(option("--device").map_or("cpu", String::as_str));
    let engine = Engine::open(&choice, threads)?;
    let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let formula = "amplitude * exp(-((u - x0)^2 + (v - y0)^2) / (2 * sigma^2)) + offset";
    let residuals = Residuals::parse(formula, "z", &names(&NAMES), &names(&["u", "v", "z"]))?;
    let fit = BatchedFit {
        columns: vec![FitColumn::Shared(&data.u), FitColumn::Shared(&data.v), FitColumn::Own(&data.pixels)],
        settings: BatchedSettings { max_iterations: 10, tolerance: 1e-4 },
        ..BatchedFit::new(&residuals, FitRows::Equal(PIXELS), &data.starts)
    };
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..repeat.max(1) {
        let (begun, used) = (Instant::now(), processor_time());
        let outcome = run_batched(&fit, &engine)?;
        seconds.push((begun.elapsed().as_secs_f64(), processor_time() - used));
        last = Some(outcome);
    }
    let Some(outcome) = last else { return Ok(()) };
    let (mean, sd, converged) = errors(&data, &outcome);
    let bound = bounds(fits.min(2_000));
    let iterations = outcome.iterations.iter().map(|&n| f64::from(n)).sum::<f64>() / fits as f64;
    seconds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (run, _) = seconds[seconds.len() / 2];
    let used = seconds.iter().map(|s| s.1).sum::<f64>() / seconds.len() as f64;
    let device = format!("{}, {}", outcome.device.name, outcome.device.driver);
    if json {
        let all: Vec<String> = seconds.iter().map(|s| format!("{:.6}", s.0)).collect();
        println!(
            "{{\"device\": {device:?}, \"fits\": {fits}, \"seconds\": [{}], \"cpu_seconds\": {used:.4}, \"fits_per_second\": {:.1}, \
             \"converged\": {converged}, \"iterations\": {iterations:.3}, \"mean\": {mean:?}, \"sd\": {sd:?}, \
             \"bound\": {bound:?}}}",
            all.join(", "),
            fits as f64 / run
        );
        return Ok(());
    }
    println!("{fits} fits on {device}");
    println!("{:.3e} fits/s (median of {}), {iterations:.2} iterations", fits as f64 / run, seconds.len());
    println!("{:.3e} fits a second of processor time", fits as f64 / used);
    for status in BatchedStatus::ALL {
        println!("{:>14}: {}", status.name(), outcome.count(status));
    }
    println!("{:>10} {:>12} {:>12} {:>12} {:>7}", "parameter", "mean error", "sd", "Cramér–Rao", "ratio");
    for i in 0..5 {
        println!("{:>10} {:>12.5} {:>12.5} {:>12.5} {:>7.3}", NAMES[i], mean[i], sd[i], bound[i], sd[i] / bound[i]);
    }
    Ok(())
}
