//! Numbers as a person reads them.
//!
//! ```
//! use catchment::report::{count, number, percent, seconds};
//! assert_eq!(count(1_234_567), "1,234,567");
//! assert_eq!((number(0.1 + 0.2, 6), number(1.5e-9, 6)), ("0.3".to_owned(), "1.5e-9".to_owned()));
//! assert_eq!(percent(0.02431), "2.43 %");
//! assert_eq!(seconds(0.0125), "12.5 ms");
//! ```

/// A whole number with its thousands apart: `1,000,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in `digits` significant digits, without trailing zeros; with an exponent where it is tiny or huge.
pub fn number(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { format!("{value}") };
    }
    // The exponent after rounding: 9.9999996 in six digits is 10.
    let scientific = format!("{value:.*e}", digits.max(1) - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits.max(7) as i32).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{value:.decimals$}")).to_owned()
    } else {
        format!("{}e{exponent}", trim(mantissa))
    }
}

fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A share as a percentage in three digits. What is not all is never shown as 100 %.
pub fn percent(share: f64) -> String {
    let text = number(100.0 * share, 3);
    if text == "100" && share < 1.0 { "> 99.9 %".to_owned() } else { format!("{text} %") }
}

/// A duration in seconds, in the unit that suits it.
pub fn seconds(s: f64) -> String {
    match s {
        s if s >= 120.0 => format!("{} min {:02.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s >= 1.0 => format!("{} s", number(s, 3)),
        s if s >= 1e-3 => format!("{} ms", number(1e3 * s, 3)),
        s => format!("{} µs", number(1e6 * s, 3)),
    }
}

/// A large number in words: `48.1 million`.
pub fn many(n: f64) -> String {
    match n {
        n if n >= 1e12 => format!("{} trillion", number(n / 1e12, 3)),
        n if n >= 1e9 => format!("{} billion", number(n / 1e9, 3)),
        n if n >= 1e6 => format!("{} million", number(n / 1e6, 3)),
        n => count(n.round() as u64),
    }
}

/// A point in brackets, its first `most` coordinates.
pub fn point(x: &[f64], digits: usize, most: usize) -> String {
    let mut shown: Vec<String> = x.iter().take(most).map(|&v| number(v, digits)).collect();
    if x.len() > most {
        shown.push(format!("… {} more", count((x.len() - most) as u64)));
    }
    format!("({})", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, digits, text) in [
            (-0.0, 6, "0"),
            (1234567.0, 6, "1234567"),
            (12345678.0, 6, "1.23457e7"),
            (9.999_999_6, 6, "10"),
            (0.000_123_456_78, 4, "0.0001235"),
            (0.000_012_345, 4, "1.234e-5"),
            (-418.982_887, 6, "-418.983"),
            (0.1, 17, "0.10000000000000001"),
            (f64::NAN, 6, "NaN"),
            (f64::NEG_INFINITY, 6, "-inf"),
        ] {
            assert_eq!(number(value, digits), text);
        }
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_999), "> 99.9 %");
        assert_eq!([count(0), count(999), count(1000)], ["0", "999", "1,000"]);
        assert_eq!([seconds(125.9), seconds(2.0), seconds(1e-5)], ["2 min 05 s", "2 s", "10 µs"]);
        assert_eq!(point(&[1.0, 2.5, 3.0], 6, 2), "(1, 2.5, … 1 more)");
    }
}
