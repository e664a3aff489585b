//! What a residual costs: its square, or less than that where it is large.
//!
//! With `z = (r/S)²` a row costs `S² ρ(z)`: the conventions of `scipy.optimize.least_squares` (there half of it).
//! `squared`: ρ = z. `huber`: ρ = z to 1, then 2√z − 1. `soft_l1`: ρ = 2(√(1 + z) − 1). `cauchy`: ρ = ln(1 + z).

use super::FitError;

/// How rows are weighed against one another.
///
/// ```
/// use catchment::fit::Loss;
/// assert_eq!(Loss::parse("huber:1.5")?, Loss::Huber(1.5));
/// # Ok::<(), catchment::fit::FitError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Loss {
    /// `r²`: least squares.
    #[default]
    Squared,
    /// `r²` up to the scale, linear beyond (Huber 1964).
    Huber(f64),
    /// `S² ln(1 + (r/S)²)`: far rows hardly count.
    Cauchy(f64),
    /// `2 S² (√(1 + (r/S)²) − 1)`: a smooth Huber loss.
    SoftL1(f64),
}

impl Loss {
    /// Reads `squared`, `huber:S`, `cauchy:S` or `soft_l1:S`; S is in the units of the (weighted) residual.
    ///
    /// # Errors
    /// [`FitError::Loss`] for another name or a scale that is not positive and finite.
    pub fn parse(text: &str) -> Result<Loss, FitError> {
        let wrong = || FitError::Loss { text: text.to_owned() };
        let (name, scale) = text.split_once(':').unwrap_or((text, ""));
        if name == "squared" && scale.is_empty() && !text.contains(':') {
            return Ok(Loss::Squared);
        }
        let scale: f64 = scale.parse().map_err(|_| wrong())?;
        let loss = match name {
            "huber" => Loss::Huber(scale),
            "cauchy" => Loss::Cauchy(scale),
            "soft_l1" => Loss::SoftL1(scale),
            _ => return Err(wrong()),
        };
        loss.check().map(|()| loss)
    }

    /// Checks the scale.
    pub(crate) fn check(self) -> Result<(), FitError> {
        match self.scale() {
            Some(scale) if !(scale.is_finite() && scale > 0.0) => Err(FitError::Loss { text: self.to_string() }),
            _ => Ok(()),
        }
    }

    /// The scale S; none for squares.
    pub fn scale(self) -> Option<f64> {
        match self {
            Loss::Squared => None,
            Loss::Huber(s) | Loss::Cauchy(s) | Loss::SoftL1(s) => Some(s),
        }
    }

    /// ρ, ρ' and ρ'' at z.
    fn rho(self, z: f64) -> [f64; 3] {
        match self {
            Loss::Squared => [z, 1.0, 0.0],
            Loss::Huber(_) if z <= 1.0 => [z, 1.0, 0.0],
            Loss::Huber(_) => {
                let root = z.sqrt();
                [2.0 * root - 1.0, 1.0 / root, -0.5 / (root * z)]
            }
            Loss::SoftL1(_) => {
                let root = (1.0 + z).sqrt();
                // 2(√(1 + z) − 1), without its cancellation.
                [2.0 * z / (1.0 + root), 1.0 / root, -0.5 / (root * (1.0 + z))]
            }
            Loss::Cauchy(_) => [z.ln_1p(), 1.0 / (1.0 + z), -1.0 / (1.0 + z).powi(2)],
        }
    }

    /// What a residual costs.
    pub fn cost(self, r: f64) -> f64 {
        match self.scale() {
            None => r * r,
            Some(s) => s * s * self.rho((r / s).powi(2))[0],
        }
    }

    /// ψ = half the cost's derivative, and ψ' .
    pub(crate) fn influence(self, r: f64) -> (f64, f64) {
        match self.scale() {
            None => (r, 1.0),
            Some(s) => {
                let z = (r / s).powi(2);
                let [_, first, second] = self.rho(z);
                (first * r, first + 2.0 * second * z)
            }
        }
    }

    /// The factors on a row's residual and slopes that make a step of plain least squares one for this loss: Triggs'
    /// correction, the curvature ψ' held above a thousandth of ψ/r. A lower floor (scipy's is ε) makes a far row's residual so large
    /// beside its slopes that digits of the gradient are lost; this one leaves convergence nearly quadratic.
    pub(crate) fn correction(self, r: f64) -> (f64, f64) {
        let (psi, curvature) = self.influence(r);
        let first = if r == 0.0 { 1.0 } else { psi / r };
        let slope = curvature.max(1e-3 * first).max(f64::MIN_POSITIVE).sqrt();
        (first / slope, slope)
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Loss::Squared => f.write_str("squared"),
            Loss::Huber(s) => write!(f, "huber:{s}"),
            Loss::Cauchy(s) => write!(f, "cauchy:{s}"),
            Loss::SoftL1(s) => write!(f, "soft_l1:{s}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_curvatures_are_those_of_the_cost() {
        for loss in [Loss::Squared, Loss::Huber(1.5), Loss::Cauchy(0.7), Loss::SoftL1(2.0)] {
            for r in [-9.0, -1.2, -0.3, 0.0, 1e-3, 0.8, 1.4, 1.6, 30.0] {
                let h = 1e-6 * f64::max(1.0, f64::abs(r));
                let (psi, slope) = loss.influence(r);
                let by_difference = (loss.cost(r + h) - loss.cost(r - h)) / (4.0 * h);
                assert!((psi - by_difference).abs() < 1e-7, "{loss} {r}: {psi} {by_difference}");
                let by_difference = (loss.influence(r + h).0 - loss.influence(r - h).0) / (2.0 * h);
                assert!((slope - by_difference).abs() < 1e-6, "{loss} {r}: {slope} {by_difference}");
                let (residual, slopes) = loss.correction(r);
                assert!((residual * slopes * r - psi).abs() < 1e-12, "the gradient stays");
            }
            assert_eq!(Loss::parse(&loss.to_string()).unwrap(), loss);
        }
    }

    #[test]
    fn bad_losses_are_named() {
        for text in ["", "huber", "huber:", "huber:0", "huber:-1", "cauchy:nan", "squared:1", "l1:1", "soft_l1:inf"] {
            assert!(matches!(Loss::parse(text), Err(FitError::Loss { .. })), "{text}");
        }
    }
}
