//! The generated kernel against WGSL written by hand for the same steps: gradient descent on Rosenbrock's and Rastrigin's
//! functions in two dimensions, with the same tests for blow-ups.
//!
//! `cargo bench --bench handwritten_wgsl` runs both by turns on the best GPU, a software one included, and prints the best of
//! each. The generated side is a whole run (starts, descent, final values, read-back), the hand-written one its dispatches.

use catchment::{DeviceChoice, Engine, Plan, Surface, devices};
use std::time::Instant;

/// Restarts and steps: enough to fill the device.
#[derive(Clone, Copy)]
struct Work {
    restarts: u32,
    steps: u32,
}
const SOFTWARE: Work = Work { restarts: 1 << 15, steps: 1000 };
const HARDWARE: Work = Work { restarts: 1 << 20, steps: 5000 };
/// Steps of a dispatch of the hand-written kernel: short enough for a watchdog.
const CUT: u32 = 250;
const TURNS: usize = 5;

/// What a step by hand is called, its surface, and its gradient of `p`. WGSL's own `sin` is one instruction of some devices, and promised
/// to 2^-11 between -π and π alone; the generated step keeps 1.5 ulp everywhere, as the last one does.
const KERNELS: [(&str, &str, &str); 3] = [
    (
        "rosenbrock",
        "rosenbrock",
        "let rise = p.y - p.x * p.x;\n        let g = vec2<f32>(-400.0 * p.x * rise - 2.0 * (1.0 - p.x), 200.0 * rise);",
    ),
    ("rastrigin, WGSL's sin", "rastrigin", "let g = 2.0 * p + 62.831853 * sin(6.2831853 * p);"),
    ("rastrigin, its own sine", "rastrigin", "let g = 2.0 * p + 62.831853 * sine_of_turns(p);"),
];
/// The rate of all.
const RATE: &str = "1e-4";

/// The sine of an angle in turns: exact to the nearest half turn, then Taylor's polynomial.
const SINE: &str = "fn sine_of_turns(p: vec2<f32>) -> vec2<f32> {
    let half = round(2.0 * p);
    let h = p - 0.5 * half;
    let s = h * h;
    let sine = h * (6.2831853 + s * (-41.341702 + s * (81.605249 + s * (-76.705860 + s * (42.058694 - s * 15.094643)))));
    return select(sine, -sine, fract(0.5 * half) != vec2<f32>(0.0));
}
";

fn text(restarts: u32, gradient: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> points: array<vec2<f32>>;

{SINE}
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>) {{
    if (id.x >= {restarts}u) {{
        return;
    }}
    var p = points[id.x];
    for (var k = 0; k < {CUT}; k++) {{
        {gradient}
        let next = p - {RATE} * g;
        let size = max(abs(next), abs(g));
        if (!(max(size.x, size.y) < 1e18)) {{
            break;
        }}
        p = next;
    }}
    points[id.x] = p;
}}
"
    )
}

struct Handwritten {
    work: Work,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
}

impl Handwritten {
    /// Compiles for the adapter of this name.
    fn new(name: &str, work: Work, text: String) -> Handwritten {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let adapter = adapters.into_iter().find(|a| a.get_info().name == name).expect("the engine's adapter");
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
        let descriptor = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(text.into()) };
        let checks = wgpu::ShaderRuntimeChecks {
            bounds_checks: false,
            force_loop_bounding: false,
            ..wgpu::ShaderRuntimeChecks::checked()
        };
        // SAFETY: the loop's trip count is constant, and the index is tested. The generated module is compiled so too.
        let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("descend"),
            compilation_options: Default::default(),
            cache: None,
        });
        let points = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 8 * u64::from(work.restarts),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let starts: Vec<f32> = (0..2 * work.restarts).map(|i| (i % 1009) as f32 / 252.0 - 2.0).collect();
        queue.write_buffer(&points, 0, bytemuck::cast_slice(&starts));
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: points.as_entire_binding() }],
        });
        Handwritten { work, device, queue, pipeline, bindings }
    }

    /// Seconds of all steps.
    fn run(&self) -> f64 {
        let begun = Instant::now();
        for _ in 0..self.work.steps / CUT {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.bindings, &[]);
                pass.dispatch_workgroups(self.work.restarts.div_ceil(64), 1, 1);
            }
            self.queue.submit([encoder.finish()]);
        }
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
        self.device.poll(wait).expect("the device answers");
        begun.elapsed().as_secs_f64()
    }
}

fn main() {
    let Ok(engine) = Engine::open(&DeviceChoice::Gpu, 0) else {
        println!("no GPU: nothing to compare");
        return;
    };
    let name = engine.device().name;
    let software = devices().iter().any(|d| d.name == name && d.kind == "software");
    let work = if software { SOFTWARE } else { HARDWARE };
    let Work { restarts, steps } = work;
    println!("{name}: {restarts} restarts, {steps} steps, coordinate steps a second");
    let coordinates = 2.0 * f64::from(restarts) * f64::from(steps);
    for (step, surface, gradient) in KERNELS {
        let by_hand = Handwritten::new(&name, work, text(restarts, gradient));
        let plan = Plan::new(Surface::named(surface, Some(2)).expect("a catalog surface"));
        let plan = plan.optimizer(format!("sgd(lr={RATE})")).restarts(restarts.into()).steps(steps.into());
        let plan = plan.points(false).resolve().expect("a plan");
        let generated = || engine.run(&plan).expect("runs").timing.run;
        // The first of each compiles.
        let _ = (by_hand.run(), generated());
        let (mut hand, mut own) = (f64::MAX, f64::MAX);
        for _ in 0..TURNS {
            hand = hand.min(by_hand.run());
            own = own.min(generated());
        }
        let (hand, own) = (coordinates / hand, coordinates / own);
        println!("{step:24} by hand {hand:9.3e}, generated {own:9.3e}: {:.2}", own / hand);
    }
}
