//! A surface compiled once, for values and gradients at many points, many times.

use super::cohort::tiles_near;
use super::engine::{evaluate_tiles, loaded, lower, table_rows, table_values, with_large_stack};
use super::lane::{Lane, Width};
use super::program::{Program, program};
use super::tile::{Task, TileLayout};
use crate::engine::Evaluated;
use crate::error::Error;
use crate::step::Evaluation;
use crate::surface::Surface;
use rayon::prelude::*;

/// A compiled evaluation; it runs on the threads of whoever calls it.
pub(crate) struct Evaluator<F> {
    program: Box<dyn Program<F>>,
    surface: Surface,
    /// The surface's table.
    values: Vec<F>,
}

impl<F: Lane> Evaluator<F> {
    /// Compiles a surface.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub(crate) fn new(surface: &Surface, width: Width) -> Result<Evaluator<F>, Error> {
        let evaluation = Evaluation::new(surface);
        let kernel =
            with_large_stack(|| lower(&evaluation.graph, &evaluation.outputs(true), surface.dim(), surface.name()))?;
        let layout = TileLayout { dim: surface.dim() as usize, states: 0, drawn: 0, gradient: true, puts_down: false };
        let program = program::<F>(kernel, layout, width, Task::Evaluate);
        Ok(Evaluator { program, surface: surface.clone(), values: table_values::<F>(surface) })
    }

    /// Values and gradients at points, row-major.
    pub(crate) fn at(&self, points: &[f64]) -> Evaluated {
        let (program, dim) = (&*self.program, self.surface.dim() as usize);
        let (layout, lanes) = (program.layout(), program.lanes());
        let data = table_rows(&self.surface, &self.values, None);
        let part = lanes * tiles_near(layout.len() * lanes * size_of::<F>(), program.together());
        let evaluate = |points: &[f64]| {
            let count = points.len() / dim;
            let mut memory = loaded::<F>(program, count, |i, column| {
                for (to, point) in column.iter_mut().zip(points.chunks_exact(dim)) {
                    *to = F::of(point[i]);
                }
            });
            evaluate_tiles(program, &mut *program.runner([0, 0], data), &mut memory, 0);
            let numbers = F::numbers(&memory);
            let at = |row: usize, k: usize| numbers[k / lanes * layout.len() * lanes + row * lanes + k % lanes].to();
            let value = (0..count).map(|k| at(layout.outputs(), k)).collect();
            let gradient = (0..count).flat_map(|k| (0..dim).map(move |i| (k, i)));
            Evaluated { value, gradient: gradient.map(|(k, i)| at(layout.gradient() + i, k)).collect() }
        };
        if points.len() <= part * dim {
            return evaluate(points);
        }
        let parts: Vec<Evaluated> = points.par_chunks(part * dim).map(evaluate).collect();
        let count = points.len() / dim;
        let mut all = Evaluated { value: Vec::with_capacity(count), gradient: Vec::with_capacity(points.len()) };
        for part in parts {
            all.value.extend(part.value);
            all.gradient.extend(part.gradient);
        }
        all
    }
}
