//! What is run: a surface, a rule and their numbers.

/// In the order of `descents.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Surface {
    Rastrigin,
    Rosenbrock,
    Ackley,
    Griewank,
    StyblinskiTang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    Sgd,
    Momentum,
    Adam,
}

impl Surface {
    pub fn parse(name: &str) -> Option<Surface> {
        use Surface::*;
        Some(match name {
            "rastrigin" => Rastrigin,
            "rosenbrock" => Rosenbrock,
            "ackley" => Ackley,
            "griewank" => Griewank,
            "styblinski_tang" => StyblinskiTang,
            _ => return None,
        })
    }

    pub fn domain(self) -> (f32, f32) {
        match self {
            Surface::Rastrigin => (-5.12, 5.12),
            Surface::Rosenbrock => (-5.0, 10.0),
            Surface::Ackley => (-32.768, 32.768),
            Surface::Griewank => (-600.0, 600.0),
            Surface::StyblinskiTang => (-5.0, 5.0),
        }
    }
}

impl Rule {
    pub fn parse(name: &str) -> Option<Rule> {
        Some(match name {
            "sgd" => Rule::Sgd,
            "momentum" => Rule::Momentum,
            "adam" => Rule::Adam,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug)]
pub struct Case {
    pub surface: Surface,
    pub rule: Rule,
    pub lr: f32,
    pub dim: usize,
    pub restarts: usize,
    pub steps: usize,
    /// 1, but where a peer is spoilt on purpose: a factor of the surface's first coefficient.
    pub spoil: f32,
}

impl Case {
    /// The surface's first coefficient.
    pub fn first(&self) -> f32 {
        self.spoil
            * match self.surface {
                Surface::Rastrigin => 10.0,
                Surface::Rosenbrock => 100.0,
                Surface::Ackley => 20.0,
                Surface::Griewank => 1.0 / 4000.0,
                Surface::StyblinskiTang => 16.0,
            }
    }
}
