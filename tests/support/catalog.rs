//! The catalog as rows for laws to loop over, and seeded points on them.

use super::steps::reachable;
use catchment::optimizer::OptimizerText;
use catchment::random::{Sampler, Starts};
use catchment::{Surface, SurfaceText};

/// The dimensions that laws try on a surface of free dimension, where its rule allows them. From 33 on vectors are
/// longer than anything that is written out.
pub const DIMS: &[u32] = &[1, 2, 3, 5, 8, 10, 33, 40, 100];

/// Every surface of the catalog: in its own dimension, or in its smallest and in each of `dims` that its rule allows.
pub fn surfaces(dims: &[u32]) -> Vec<Surface> {
    let mut all = Vec::new();
    for name in catchment::catalog::surfaces() {
        let text = SurfaceText::named(name).expect("a catalog surface");
        if text.dim().is_some() {
            all.push(text.at(None).expect("its own dimension"));
            continue;
        }
        let mut own: Vec<u32> = dims.to_vec();
        own.push(text.smallest_dim());
        own.sort_unstable();
        own.dedup();
        all.extend(own.into_iter().filter_map(|dim| text.at(Some(dim)).ok()));
    }
    all
}

/// About `count` surfaces, evenly spread over those of [`surfaces`] that are quick.
pub fn some_surfaces(dims: &[u32], count: usize) -> Vec<Surface> {
    let all: Vec<Surface> = surfaces(dims).into_iter().filter(is_linear).collect();
    let stride = all.len().div_ceil(count).max(1);
    // The middle of each stretch: the first of all is no better than another.
    all.into_iter().skip(stride / 2).step_by(stride).collect()
}

/// Whether nothing in a surface is larger than its parameter vector or than a few dozen numbers: the others take too long
/// where many steps are run.
pub fn is_linear(surface: &Surface) -> bool {
    let graph = surface.graph();
    let nodes = reachable(graph, &[surface.value_node(), surface.gradient_node()]);
    nodes.into_iter().all(|id| graph.axes(id).size() <= surface.dim().max(40) as usize)
}

/// Every optimizer of the catalog as a chain: an update rule alone, a transform before plain descent.
pub fn chains() -> Vec<String> {
    let chain = |name: &str| {
        let text = OptimizerText::named(name).expect("a catalog optimizer");
        if text.is_rule() { name.to_owned() } else { format!("{name} | sgd") }
    };
    catchment::catalog::optimizers().map(chain).collect()
}

/// Every chain of [`chains`] with these hyperparameters set wherever a stage has one of that name.
pub fn chains_with(settings: &[(&str, &str)]) -> Vec<String> {
    let call = |name: &str| {
        let text = OptimizerText::named(name).expect("a catalog optimizer");
        let has = |wanted: &str| text.hyper().iter().any(|h| h.0 == wanted);
        let given: Vec<String> = settings.iter().filter(|s| has(s.0)).map(|s| format!("{}={}", s.0, s.1)).collect();
        format!("{name}({})", given.join(", "))
    };
    let chain = |chain: String| chain.split(" | ").map(call).collect::<Vec<_>>().join(" | ");
    chains().into_iter().map(chain).collect()
}

/// How a row is named in reports.
pub fn label(surface: &Surface) -> String {
    format!("{} d={}", surface.label(), surface.dim())
}

/// `count` points uniform in the domain, each coordinate a number that `f32` holds.
pub fn points(surface: &Surface, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let dim = surface.dim() as usize;
    let sampler = Sampler::new(&Starts::Uniform, surface.domain(), seed, count as u64).expect("a domain");
    let mut flat = vec![0.0f32; dim * count];
    sampler.fill(0, count, &mut flat);
    (0..count).map(|r| (0..dim).map(|i| f64::from(flat[i * count + r])).collect()).collect()
}
