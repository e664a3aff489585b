use catchment::fit::{Fit, Fitted, Residuals};
use catchment::random::Domain;
use flate2::read::GzDecoder;
use serde_json::Value;

struct Problem { name: String, residuals: Residuals, columns: Vec<Vec<f64>>, starts: Vec<Vec<f64>>, polished: Vec<f64>, sd: Vec<f64>, rss: f64 }

fn numbers(v: &Value) -> Vec<f64> { v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() }
fn problems() -> Vec<Problem> {
    let d: Value = serde_json::from_reader(GzDecoder::new(std::fs::File::open("tests/data/nist_strd.json.gz").unwrap())).unwrap();
    d["problems"].as_array().unwrap().iter().map(|p| {
        let np = p["p"].as_u64().unwrap();
        let names: Vec<String> = (1..=np).map(|i| format!("b{i}")).collect();
        let mut cols: Vec<String> = p["predictors"].as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect();
        let mut columns: Vec<Vec<f64>> = cols.iter().map(|c| numbers(&p[c])).collect();
        cols.push("y".into()); columns.push(numbers(&p["y"]));
        let y = if p["response_transform"] == "ln" || p["response_transform"] == "log" { "log(y)" } else { "y" };
        Problem { name: p["name"].as_str().unwrap().into(), residuals: Residuals::parse(p["model"].as_str().unwrap(), y, &names, &cols).unwrap(), columns,
          starts: p["starts"].as_array().unwrap().iter().map(numbers).collect(), polished: numbers(&p["polished"]), sd: numbers(&p["certified_sd"]), rss: p["polished_rss"].as_f64().unwrap() }
    }).collect()
}
fn digits(got: f64, want: f64) -> f64 { let e = ((got-want)/want).abs(); if e.is_nan() { return 0.0 } (-e.max(1e-16).log10()).max(0.0) }
fn show(p: &Problem, f: &Fitted) -> String {
    let sol = f.solutions.iter().take_while(|s| s.rss <= f.rss*(1.0+1e-6)).max_by(|a,b| {
        let d = |s: &catchment::fit::Solution| s.parameters.iter().zip(&p.polished).map(|(a,b)| digits(*a,*b)).fold(99.0, f64::min);
        d(a).total_cmp(&d(b)) }).unwrap();
    let dp = sol.parameters.iter().zip(&p.polished).map(|(a,b)| digits(*a,*b)).fold(99.0, f64::min);
    let ds = f.parameters.iter().zip(&p.sd).map(|(a,b)| a.standard_error.map_or(0.0, |s| digits(s,*b))).fold(99.0, f64::min);
    format!("{:5.1} {:5.1} {:5.1} it {:5} {:?} sols {} rss {:.10e}", dp, digits(f.rss, p.rss), ds, f.iterations, f.stops, f.solutions.len(), f.rss)
}
#[test]
fn explore() {
    for p in problems() {
        let cols: Vec<&[f64]> = p.columns.iter().map(|c| &c[..]).collect();
        for (k, s) in p.starts.iter().enumerate() {
            match Fit::new(&p.residuals, &cols).start(s).run() { Ok(f) => println!("{:10} s{} {}", p.name, k+1, show(&p,&f)), Err(e) => println!("{} {e}", p.name) }
        }
        let n = p.polished.len();
        let mut b = Domain { lo: vec![0.;n], hi: vec![0.;n], log: vec![false;n] };
        for j in 0..n { let v: Vec<f64> = p.starts.iter().map(|s| s[j]).collect();
            let (small, large) = (v[0].abs().min(v[1].abs())/10.0, v[0].abs().max(v[1].abs())*10.0);
            if v.iter().all(|v| *v > 0.0) { b.lo[j]=small; b.hi[j]=large; b.log[j]=true } else if v.iter().all(|v| *v<0.0) { b.lo[j]=-large; b.hi[j]=-small } else { b.lo[j]=-large; b.hi[j]=large } }
        let t = std::time::Instant::now();
        let r = Fit::new(&p.residuals, &cols).boxes(b).restarts(1000).seed(1).run();
        let t = t.elapsed().as_secs_f64();
        match r { Ok(f) => println!("{:10} rnd {} hits {} {:.2}s", p.name, show(&p,&f), f.solutions.iter().filter(|s| s.rss<=p.rss*(1.0+1e-6)).map(|s| s.hits).sum::<u64>(), t), Err(e) => println!("{} {e}", p.name) }
    }
}
