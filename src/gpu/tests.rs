//! Hand-written WGSL on the device itself: known answers of Philox, edges of Box–Muller, ulp bounds of every function.

use super::buffers::{Buffers, Params, Sizes, filled, layout, read};
use super::device::Gpu;
use super::engine::GpuEngine;
use super::library::with_library;
use super::target::HARDWARE;
use crate::engine::Backend;
use crate::graph::{Binary, Unary};
use crate::outcome::{Batch, Event, Flow};
use crate::plan::{Plan, Stopping};
use crate::random::{Domain, Purpose, normal_pair, philox4x32};
use crate::summary::Delivered;
use crate::surface::Surface;
use std::time::Duration;

/// The device under test, by `CATCHMENT_GPU`; without one a line says so.
fn gpu() -> Option<Gpu> {
    let wanted = std::env::var("CATCHMENT_GPU").unwrap_or_default();
    if wanted == "off" {
        return None;
    }
    match Gpu::best(true) {
        Ok(gpu) => Some(gpu),
        Err(error) if wanted == "require" => panic!("CATCHMENT_GPU=require: {error}"),
        Err(_) => {
            println!("no GPU: left out");
            None
        }
    }
}

/// Runs `statements` once for each of `count` slots; they read `input(k)`, four words a slot, and write `xs[...]`, four words a slot.
fn run(gpu: &Gpu, statements: &str, input: &[[u32; 4]]) -> Vec<[u32; 4]> {
    let code = format!(
        "fn input(k: u32) -> u32 {{\n    return bitcast<u32>(host[4u * slot + k]);\n}}\n\n\
         fn output(k: u32, word: u32) {{\n    status[4u * slot + k] = word;\n}}\n\n\
         @compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>, \
         @builtin(num_workgroups) groups: vec3<u32>) {{\n    if (!locate(id, groups)) {{\n        return;\n    }}\n{statements}\n}}\n"
    );
    let text = with_library(&code);
    let count = input.len() as u64;
    let sizes = Sizes { status: 4 * count, host: 4 * count, ..Sizes::default() };
    let buffers = Buffers::new(gpu, sizes).expect("buffers");
    let group_layout = layout(gpu);
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group_layout)],
        immediate_size: 0,
    });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let tables = filled(gpu, "tables", &[]);
    let bindings = buffers.bind(gpu, &group_layout, &tables);
    let params = Params { count: count as u32, restarts: u32::MAX, ..Params::default() };
    gpu.queue.write_buffer(&buffers.params, 0, bytemuck::bytes_of(&params));
    gpu.queue.write_buffer(&buffers.host, 0, bytemuck::cast_slice(input));
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[0]);
        pass.dispatch_workgroups(params.count.div_ceil(64), 1, 1);
    }
    gpu.queue.submit([encoder.finish()]);
    let words = read(gpu, &[(&buffers.status, 0, 4 * count)], &mut |_| Ok(())).expect("read-back").swap_remove(0);
    gpu.check().expect("no device error");
    words.chunks(4).map(|c| [c[0], c[1], c[2], c[3]]).collect()
}

#[test]
fn philox_has_its_known_answers() {
    let Some(gpu) = gpu() else { return };
    // Random123's kat_vectors: counter, key, answer.
    let vectors: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];
    for (counter, key, answer) in vectors {
        let text = format!(
            "let r = philox(vec4<u32>(input(0u), input(1u), input(2u), input(3u)), vec2<u32>({}u, {}u));\n\
             output(0u, r.x);\noutput(1u, r.y);\noutput(2u, r.z);\noutput(3u, r.w);",
            key[0], key[1]
        );
        assert_eq!(run(&gpu, &text, &[counter]), [answer]);
        assert_eq!(philox4x32(counter, key), answer);
    }
}

#[test]
fn box_muller_is_finite_at_its_edges() {
    let Some(gpu) = gpu() else { return };
    let edges = [0, 1, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ff00, u32::MAX];
    let input: Vec<[u32; 4]> = edges.iter().flat_map(|&a| edges.map(|b| [a, b, b, a])).collect();
    let text = "let r = normal4(vec4<u32>(input(0u), input(1u), input(2u), input(3u)));\n\
                output(0u, bitcast<u32>(r.x));\noutput(1u, bitcast<u32>(r.y));\n\
                output(2u, bitcast<u32>(r.z));\noutput(3u, bitcast<u32>(r.w));";
    for (words, got) in input.iter().zip(run(&gpu, text, &input)) {
        let (a, b) = normal_pair(words[0], words[1]);
        for (got, want) in [(f32::from_bits(got[0]), a), (f32::from_bits(got[1]), b)] {
            assert!(got.is_finite() && (got - want).abs() < 1e-5, "{words:x?}: {got} is not {want}");
        }
        assert!(got.iter().all(|&w| f32::from_bits(w).is_finite()), "{words:x?}: {got:x?}");
    }
}

#[test]
fn streams_are_the_cpu_streams() {
    let Some(gpu) = gpu() else { return };
    let input = [[0; 4]; 300];
    let tag = Purpose::Draw(3).tag(5);
    let text =
        format!("let r = words(77u, {tag}u);\noutput(0u, r.x);\noutput(1u, r.y);\noutput(2u, r.z);\noutput(3u, r.w);");
    for (restart, got) in run(&gpu, &text, &input).into_iter().enumerate() {
        assert_eq!(got, philox4x32([restart as u32, 0, 77, tag], [0, 0]), "restart {restart}");
    }
}

/// Error of `got` in units in the last place of the value in `f64`.
fn ulps(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.to_bits() == rounded.to_bits() || got.is_nan() && rounded.is_nan() || f64::from(got) == want {
        return 0.0;
    }
    // Subnormal results may be flushed, infinities replaced by nothing at all.
    if want.abs() < 1.1754944e-38 {
        return if got.abs() <= f32::MIN_POSITIVE { 0.0 } else { f64::INFINITY };
    }
    if !rounded.is_finite() {
        return if got.is_finite() && got.abs() < 1e38 { f64::INFINITY } else { 0.0 };
    }
    let exponent = want.abs().log2().floor().max(-126.0);
    (f64::from(got) - want).abs() / 2f64.powf(exponent - 23.0)
}

/// Floats over the whole range, the ordinary range more densely.
fn sample() -> Vec<f32> {
    let whole = (0..40_000u32).map(|i| f32::from_bits(i.wrapping_mul(107_374)));
    let near = (0..40_000).map(|i| (f64::from(i) * 0.000_731 - 14.62) as f32);
    let large = (0..4_000).map(|i| (f64::from(i) * 1003.7 - 2e6) as f32);
    whole.chain(near).chain(large).filter(|x| x.is_finite() && (*x == 0.0 || x.abs() >= f32::MIN_POSITIVE)).collect()
}

#[test]
fn functions_keep_their_bounds() {
    let Some(gpu) = gpu() else { return };
    let sample = sample();
    let input: Vec<[u32; 4]> = sample.iter().map(|x| [x.to_bits(), 0, 0, 0]).collect();
    let mut failures = Vec::new();
    let all = Unary::ALL.iter().filter(|op| op.wgsl().starts_with("m_"));
    // Those of angles stand for all of them and for small ones; and of a number whose sign a compiler knows, which may make it cancel.
    let forms = all.flat_map(|&op| {
        let all = [(op, f32::MAX, "x"), (op, 6400.0, "x"), (op, 6400.0, "abs(x)")];
        all.into_iter().take(if op.is_of_angle() { 3 } else { 1 })
    });
    for (op, largest, argument) in forms {
        let small = if largest < f32::MAX { "_small($)" } else { "($)" };
        let expression = op.wgsl().replace("($)", small).replace('$', argument);
        let text = format!("let x = bitcast<f32>(input(0u));\noutput(0u, bitcast<u32>({expression}));");
        let mut worst = (0.0, 0.0);
        for (x, got) in sample.iter().zip(run(&gpu, &text, &input)) {
            let want = op.value(f64::from(if argument == "x" { *x } else { x.abs() }));
            // Where a function has no value WGSL promises nothing.
            if want.is_nan() || (op == Unary::SinPi && x.abs() < 1e-30) || x.abs() > largest {
                continue;
            }
            let error = ulps(f32::from_bits(got[0]), want);
            if error > worst.0 {
                worst = (error, f64::from(*x));
            }
        }
        println!("{:10} {:6.2} ulp, at {:e}; bound {}", expression, worst.0, worst.1, op.ulp());
        if worst.0 > op.ulp() {
            failures.push(format!("{expression}: {} ulp at {:e}, bound {}", worst.0, worst.1, op.ulp()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn powers_keep_their_bounds() {
    let Some(gpu) = gpu() else { return };
    let bases = (1..400).map(|i| (f64::from(i) * 0.0371).powi(3) as f32).chain([1e-30, 1e30, 0.999_999, 1.000_001]);
    let pairs: Vec<(f32, f32)> = bases
        .flat_map(|x| (-40..=40).map(move |k| (x, k as f32 * 0.77)))
        .chain((-9..9).map(|k| (-1.7, k as f32)))
        .collect();
    let input: Vec<[u32; 4]> = pairs.iter().map(|p| [p.0.to_bits(), p.1.to_bits(), 0, 0]).collect();
    for op in [Binary::Pow, Binary::Atan2] {
        let expression = op.wgsl().replace('$', "x").replace('@', "y");
        let text = format!(
            "let x = bitcast<f32>(input(0u));\nlet y = bitcast<f32>(input(1u));\noutput(0u, bitcast<u32>({expression}));"
        );
        for ((x, y), got) in pairs.iter().zip(run(&gpu, &text, &input)) {
            let error = ulps(f32::from_bits(got[0]), op.value(f64::from(*x), f64::from(*y)));
            assert!(error <= op.ulp(), "{}({x}, {y}): {error} ulp", op.name());
        }
    }
}

#[test]
fn the_checker_sees_a_wrong_bit() {
    assert!(ulps(f32::from_bits(1.0f32.to_bits() + 6), 1.0) >= 5.9);
    assert!(ulps(0.0, 1.0) > 1e6 && ulps(f32::NAN, 1.0).is_nan() | (ulps(f32::NAN, 1.0) > 0.0));
}

/// Restarts that need between about ten and ten thousand steps: the work dispatched stays near the steps taken, on a device whose
/// shortest dispatch that is worth its overhead is short.
#[test]
fn restarts_that_have_ended_are_not_dispatched() {
    let Some(gpu) = gpu() else { return };
    let engine = GpuEngine::of(gpu).pretending(Duration::from_nanos(1));
    let surface = Surface::named("sphere", Some(2)).expect("a surface");
    let stopping = Stopping { gradient: Some(1e-3), ..Stopping::default() };
    let plan = Plan::new(surface).optimizer("sgd(lr=log_uniform(4e-4, 0.4))").restarts(100_000).steps(12_000);
    let plan = plan.stopping(stopping).resolve().expect("a plan");
    let mut taken = 0u64;
    let receive = &mut |given: &mut [Delivered]| {
        for given in given {
            if let Some(Event::Batch(batch)) = &given.event {
                taken += batch.steps.iter().map(|&s| u64::from(s)).sum::<u64>();
            }
        }
        Flow::Continue
    };
    engine.descend(&plan, &mut Default::default(), receive).expect("runs");
    let dispatched = engine.dispatched.get();
    println!("{taken} steps taken, {dispatched} dispatched");
    assert!(4 * taken < 100_000 * 12_000, "{taken} steps: most end early");
    assert!(dispatched as f64 <= 1.2 * taken as f64, "{dispatched} steps dispatched for {taken}");
}

/// Shaders for hardware tell a blow-up by an alarm; shaders for the software rasterizer compare every magnitude. Both must leave the same restart at the same step for the same reason.
#[test]
fn alarms_ring_where_magnitudes_say_so() {
    let engines = [true, false].map(|hardware| {
        let engine = GpuEngine::of(gpu()?);
        Some(if hardware { engine.aiming(HARDWARE.clone()) } else { engine })
    });
    let [Some(hardware), Some(software)] = engines else { return };
    let formula = |text: &str, dim| Surface::formula(text, Domain::cube(dim, -3.0, 3.0)).expect("a formula");
    let named = |name: &str, dim| Surface::named(name, Some(dim)).expect("a surface");
    let surfaces = [
        formula("sum(x^4)", 2),
        formula("sum(log(x + 2))", 3),
        formula("1e30*sum(x^2)", 1),
        // Slopes that overflow, of which `lion` takes the sign alone: the parameters stay finite.
        formula("sum(exp(40*x))", 2),
        named("rosenbrock", 9),
        named("rastrigin", 50),
    ];
    let stops = [
        Stopping::default(),
        Stopping { gradient: Some(1e-2), target: Some(1e-3), ..Stopping::default() },
        Stopping { change: Some(1e-6), ..Stopping::default() },
    ];
    let mut statuses = std::collections::BTreeMap::new();
    for (surface, optimizer) in
        surfaces.iter().flat_map(|s| [(s, "sgd(lr=0.05)"), (s, "adam(lr=0.3)"), (s, "lion(lr=0.1)")])
    {
        for stopping in stops {
            let plan = Plan::new(surface.clone()).optimizer(optimizer).restarts(300).steps(107).stopping(stopping);
            let plan = plan.resolve().expect("a plan");
            let run = |engine: &GpuEngine| -> Vec<Batch> {
                let mut batches = Vec::new();
                let receive = &mut |given: &mut [Delivered]| {
                    for given in given {
                        if let Some(Event::Batch(batch)) = &given.event {
                            batches.push(batch.clone());
                        }
                    }
                    Flow::Continue
                };
                engine.descend(&plan, &mut Default::default(), receive).expect("runs");
                batches
            };
            let (a, b) = (run(&hardware), run(&software));
            for (a, b) in a.iter().zip(&b) {
                assert_eq!((&a.status, &a.steps), (&b.status, &b.steps), "{} by {optimizer}", surface.label());
                a.status.iter().for_each(|s| *statuses.entry(s.name()).or_insert(0) += 1);
            }
        }
    }
    println!("{statuses:?}");
    for status in ["diverged", "nonfinite", "converged", "stalled", "target", "max_steps"] {
        assert!(statuses.contains_key(status), "no restart ended as {status}");
    }
}

/// Steps that hardware has in registers, or spread over a workgroup, where the software rasterizer has something else: both go the
/// same way.
#[test]
fn what_hardware_would_run_goes_the_same_way() {
    let Some(gpu_) = gpu() else { return };
    let engines = [GpuEngine::of(gpu_).aiming(HARDWARE.clone()), GpuEngine::of(gpu().expect("a GPU that was there"))];
    let mut layouts = std::collections::BTreeSet::new();
    for (name, dim, rule) in [
        ("styblinski_tang", 100, "sgd(lr=0.001)"),
        ("rosenbrock", 70, "momentum(lr=1e-5)"),
        ("ackley", 64, "sgd(lr=0.1)"),
        ("griewank", 50, "momentum(lr=0.1)"),
        ("rastrigin", 80, "adam(lr=0.01)"),
        ("griewank", 80, "adam(lr=0.1)"),
    ] {
        let surface = Surface::named(name, Some(dim)).expect("a surface");
        let plan = Plan::new(surface).optimizer(rule).restarts(70).steps(4).resolve().expect("a plan");
        let run = |engine: &GpuEngine| -> Vec<f64> {
            let mut values = Vec::new();
            let receive = &mut |given: &mut [Delivered]| {
                for given in given {
                    if let Some(Event::Batch(batch)) = &given.event {
                        values.extend(batch.x.iter().chain(batch.value.iter()));
                    }
                }
                Flow::Continue
            };
            engine.descend(&plan, &mut Default::default(), receive).expect("runs");
            values
        };
        let (a, b) = (run(&engines[0]), run(&engines[1]));
        assert_eq!(a.len(), 70 * (dim as usize + 1));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + b.abs()), "{name} {dim} {rule}: {a} and {b}");
        }
        layouts.insert(engines[0].layout(&plan).expect("a layout"));
    }
    assert_eq!(layouts.into_iter().collect::<Vec<_>>(), ["loops", "spread", "straight"]);
}
