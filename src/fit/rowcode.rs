//! The row function of a batched fit: residual and slopes as straight code, split into what depends on the parameters
//! alone, computed once an iteration, and what every row needs.

use super::residuals::Residuals;
use crate::cpu::with_large_stack;
use crate::error::Error;
use crate::graph::{Binary, simplify};
use crate::kernel::{Array, Index, Instruction, Kernel, Outputs, Statement, Type, ValueId, lower_straight};

/// Most instructions of a row.
const ROW_LIMIT: usize = 4_000;

/// Straight code over the vector (parameters…, columns…); its scalars are the slopes, then the residual.
#[derive(Clone, Debug)]
pub(crate) struct RowCode {
    /// Its body begins with `prologue` statements that read no column.
    pub(crate) kernel: Kernel,
    pub(crate) prologue: usize,
    pub(crate) parameters: usize,
}

impl RowCode {
    /// Lowers a model; with `roots` one more column multiplies residual and slopes.
    pub(crate) fn new(residuals: &Residuals, roots: bool) -> Result<RowCode, Error> {
        let parameters = residuals.parameters.len();
        let dim = (parameters + residuals.columns.len()) as u32;
        let lowered = with_large_stack(|| {
            let roots: Vec<_> = residuals.slopes.iter().copied().chain([residuals.value]).collect();
            let simple = simplify(&residuals.graph, &roots);
            lower_straight(&simple.graph, &Outputs { scalars: simple.roots, ..Outputs::default() }, dim, ROW_LIMIT)
        });
        let too_large = || Error::TooLarge { surface: "the model".to_owned(), dim, limit: ROW_LIMIT };
        let mut kernel = lowered.ok_or_else(too_large)?;
        for statement in &kernel.body {
            if let Statement::Let(_, Instruction::Constant(bits)) = statement {
                let value = f64::from_bits(*bits);
                if !(value as f32).is_finite() {
                    return Err(Error::ConstantOutOfRange { value });
                }
            }
        }
        if roots {
            multiply(&mut kernel);
        }
        let prologue = split(&mut kernel, parameters);
        Ok(RowCode { kernel, prologue, parameters })
    }
}

/// Multiplies every scalar by an element behind the others.
fn multiply(kernel: &mut Kernel) {
    let index = Index::constant(kernel.dim as i32);
    kernel.dim += 1;
    let mut push = |types: &mut Vec<Type>, instruction| {
        types.push(Type::Number);
        kernel.body.push(Statement::Let(types.len() as ValueId - 1, instruction));
        types.len() as ValueId - 1
    };
    let root = push(&mut kernel.types, Instruction::Load(Array::X, index));
    for scalar in &mut kernel.scalars {
        *scalar = push(&mut kernel.types, Instruction::Binary(Binary::Mul, *scalar, root));
    }
}

/// Moves what reads no column to the front, keeping the order otherwise; says how many statements that is.
fn split(kernel: &mut Kernel, parameters: usize) -> usize {
    let mut varies = vec![false; kernel.types.len()];
    let (mut front, mut back) = (Vec::new(), Vec::new());
    for statement in kernel.body.drain(..) {
        let Statement::Let(value, instruction) = &statement else { continue };
        let on = |v: u32| varies[v as usize];
        let reads = match *instruction {
            Instruction::Load(Array::X, index) => index.offset as usize >= parameters,
            instruction => instruction.operands().any(on),
        };
        varies[*value as usize] = reads;
        if reads { back.push(statement) } else { front.push(statement) }
    }
    let prologue = front.len();
    kernel.body = front;
    kernel.body.extend(back);
    prologue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_alone_come_first() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let model = Residuals::parse("a * exp(-t / (2 * s^2))", "y", &names(&["a", "s"]), &names(&["t", "y"]));
        let code = RowCode::new(&model.expect("a model"), false).expect("lowers");
        let exps = |body: &[Statement]| {
            let exp = |s: &&Statement| matches!(s, Statement::Let(_, Instruction::Unary(crate::graph::Unary::Exp, _)));
            body.iter().filter(exp).count()
        };
        assert!(code.prologue > 2, "2 s² and the loads of a and s come before the rows");
        assert_eq!(exps(&code.kernel.body[..code.prologue]), 0);
        assert_eq!(exps(&code.kernel.body[code.prologue..]), 1, "one exponential a row, shared with the slopes");
        assert_eq!(code.kernel.scalars.len(), 3);
    }
}
