//! Lowering: straight and looped kernels compute what their graph means, for surfaces and for whole steps.

use crate::support::bounds::{Rounded, Running};
use crate::support::catalog::{chains, label, points, some_surfaces, surfaces};
use crate::support::checks;
use crate::support::interpreter::{Lane, interpret};
use crate::support::report::Report;
use crate::support::steps::{advance, initial_states, lane};
use catchment::graph::Graph;
use catchment::kernel::{Kernel, Outputs, lower_nest, lower_straight};
use catchment::step::Evaluation;
use catchment::{Bounds, Plan, Stopping, Surface};

const SEED: u64 = 12;
/// Straight code beyond this is not tried.
const LIMIT: usize = 20_000;

/// Both forms of a graph, by name.
fn kernels(graph: &Graph, outputs: &Outputs, dim: u32) -> Vec<(&'static str, Kernel)> {
    let straight = lower_straight(graph, outputs, dim, LIMIT).map(|k| ("straight", k));
    let loops = lower_nest(graph, outputs, dim).map(|k| ("loops", k));
    straight.into_iter().chain(loops).collect()
}

#[test]
fn kernels_of_surfaces_equal_their_graphs() {
    let mut report = Report::new("surface kernels");
    let (mut straight, mut loops) = (0, 0);
    // Around 8, where reductions are no longer written out, and around multiples of 4, where draws and strides end.
    for surface in surfaces(&[2, 4, 7, 8, 9, 10, 33, 40]) {
        let evaluation = Evaluation::new(&surface);
        let outputs = evaluation.outputs(true);
        for (form, kernel) in kernels(&evaluation.graph, &outputs, surface.dim()) {
            *(if form == "loops" { &mut loops } else { &mut straight }) += 1;
            let row = format!("{} {form}", label(&surface));
            for x in points(&surface, 3, SEED) {
                let lane = Lane::at(x.iter().map(|&v| Rounded::exact(v)).collect());
                checks::kernel(&mut report, &row, &kernel, &evaluation.graph, &outputs, &lane, SEED);
            }
        }
    }
    println!("{straight} straight, {loops} looped");
    assert!(straight > 200 && loops > 200);
    report.finish(15_000);
}

#[test]
fn kernels_of_steps_equal_their_graphs() {
    let mut report = Report::new("step kernels");
    let stopping = Stopping { gradient: Some(0.0), change: Some(0.0), target: None };
    for surface in some_surfaces(&[1, 3, 9, 13], 12) {
        for (number, chain) in chains().into_iter().enumerate() {
            // The bounds take turns.
            let bounds = [Bounds::None, Bounds::Clip, Bounds::Reflect, Bounds::Wrap][number % 4];
            let plan =
                Plan::new(surface.clone()).optimizer(&chain).bounds(bounds).stopping(stopping).steps(12).seed(SEED);
            let plan = plan.resolve().expect("a plan");
            let step = &plan.programs()[0].step;
            let outputs = step.outputs();
            let forms = kernels(&step.graph, &outputs, surface.dim());
            assert_eq!(forms.len(), 2, "{} {chain}", label(&surface));
            for (restart, x) in points(&surface, 2, SEED).iter().enumerate() {
                // Two steps at the point itself: the second has states that are not the initial ones.
                let mut states = initial_states::<Rounded>(&plan, 0);
                for t in [1, 10] {
                    let lane = lane(&plan, 0, restart as u64, t, x, states);
                    for (form, kernel) in &forms {
                        let row = format!("{} {chain} {bounds:?} t={t} {form}", label(&surface));
                        checks::kernel(&mut report, &row, kernel, &step.graph, &outputs, &lane, SEED);
                    }
                    states = advance(step, &lane, t, plan.steps()).1;
                }
            }
        }
    }
    report.finish(15_000);
}

#[test]
fn loops_grow_with_the_pairs_of_coordinates_at_most() {
    // No surface of the catalog needs more than a sum over all pairs: what an inner loop sums is summed once.
    let executed = |name: &str, dim: u32| {
        let surface = Surface::named(name, Some(dim)).expect("a catalog surface");
        let evaluation = Evaluation::new(&surface);
        let kernel = lower_nest(&evaluation.graph, &evaluation.outputs(true), dim).expect("loops");
        let x = points(&surface, 1, SEED).swap_remove(0);
        interpret(&kernel, &Lane::at(x)).operations as f64
    };
    for surface in surfaces(&[40]) {
        let (name, dim) = (surface.name(), surface.dim());
        if dim == 40 {
            let (small, large) = (executed(name, 40), executed(name, 120));
            println!("{name}: {small} operations at 40, {large} at 120");
            assert!(large < 9.9 * small, "{name}: {small} operations at 40, {large} at 120");
        }
    }
}

#[test]
fn small_dimensions_repeat_no_inner_loop() {
    // A slope of a sum over hundreds of terms is a loop of its own: blow-up tests over two slopes must not run it again.
    let plan = Plan::new(Surface::named("random_field", Some(2)).expect("a catalog surface")).optimizer("adam");
    let plan = plan.resolve().expect("a plan");
    let step = &plan.programs()[0].step;
    let kernel = lower_nest(&step.graph, &step.outputs(), 2).expect("loops");
    let x = points(plan.surface(), 1, SEED).swap_remove(0);
    let lane = lane(&plan, 0, 0, 1, &x, initial_states::<Rounded>(&plan, 0));
    let operations = interpret(&kernel, &lane).operations;
    println!("{operations} operations");
    // 300 terms: an angle and its sine, five operations, and for each of two slopes a product and a sum.
    assert!(operations < 300 * 9 + 100, "{operations} operations");
}
