//! `a=0:10,k=1e-4:10:log`, `a=1,k=2` and `y=column`: what is said of names.

use super::mistake::FitMistake;
use crate::cli::Failure;
use crate::cli::args::{Interval, interval};

/// Reads `name=…` parts of an option that may be repeated; a name is given once.
fn parts<'a, V>(
    option: &'static str,
    expected: &'static str,
    text: &'a str,
    into: &mut Vec<(String, V)>,
    read: impl Fn(&'a str) -> Result<V, Failure>,
) -> Result<(), Failure> {
    for part in text.split(',') {
        let wrong = || FitMistake::Assignment { option, text: part.trim().to_owned(), expected };
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(wrong().into());
        }
        if into.iter().any(|(known, _)| known == name) {
            return Err(FitMistake::Twice { option, name: name.to_owned() }.into());
        }
        into.push((name.to_owned(), read(value)?));
    }
    Ok(())
}

/// Boxes by name.
pub fn boxes(texts: &[String]) -> Result<Vec<(String, Interval)>, Failure> {
    let mut all = Vec::new();
    for text in texts {
        parts("--box", "a box is NAME=LO:HI or NAME=LO:HI:log", text, &mut all, interval)?;
    }
    Ok(all)
}

/// Numbers by name.
pub fn numbers(option: &'static str, text: &str, into: &mut Vec<(String, f64)>) -> Result<(), Failure> {
    const EXPECTED: &str = "it is NAME=NUMBER, with commas between several";
    parts(option, EXPECTED, text, into, |value| {
        let number = value.parse().ok().filter(|v: &f64| v.is_finite());
        number.ok_or_else(|| FitMistake::Assignment { option, text: value.to_owned(), expected: EXPECTED }.into())
    })
}

/// Columns by the names that formulas have for them. A column's name may hold commas: one binding an option.
pub fn bindings(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut all: Vec<(String, String)> = Vec::new();
    for text in texts {
        let parts = text.split_once('=').map(|(name, column)| (name.trim(), column.trim()));
        let Some((name, column)) = parts.filter(|(name, column)| !name.is_empty() && !column.is_empty()) else {
            let expected = "a binding is NAME=COLUMN";
            return Err(FitMistake::Assignment { option: "--bind", text: text.clone(), expected }.into());
        };
        if all.iter().any(|(known, _)| known == name) {
            return Err(FitMistake::Twice { option: "--bind", name: name.to_owned() }.into());
        }
        all.push((name.to_owned(), column.to_owned()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read() {
        let owned = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let read = boxes(&owned(&["a = 0:10, k=1e-4:10:log", "c=-1:1"])).unwrap();
        assert_eq!(read[1], ("k".to_owned(), (1e-4, 10.0, true)));
        assert_eq!(read.len(), 3);
        for text in ["a", "a=", "=0:1", "a=1", "a=0:1,a=0:1", "a=1:0", "a=0:1,,", "a=x:y", "a=0:1:log"] {
            assert!(boxes(&owned(&[text])).is_err(), "{text}");
        }
        let mut found = Vec::new();
        numbers("--start", "a=1,k=-2e3", &mut found).unwrap();
        assert_eq!(found, [("a".to_owned(), 1.0), ("k".to_owned(), -2e3)]);
        assert!(numbers("--start", "q=inf", &mut found).is_err() && numbers("--start", "a=2", &mut found).is_err());
        assert_eq!(bindings(&owned(&["y=a, b=c"])).unwrap(), [("y".to_owned(), "a, b=c".to_owned())]);
        assert!(bindings(&owned(&["y"])).is_err() && bindings(&owned(&["y=a", "y=b"])).is_err());
    }
}
