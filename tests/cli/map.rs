//! `catchment map`: each kind of picture, its document, and what is refused.

use super::mistakes::mistake;
use super::{document, output, stdout};
use std::path::Path;

/// Width and height of a PNG file, from its header.
fn size(path: &str) -> (u32, u32) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n", "{path}");
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert!(bytes.len() > 5_000, "{path}: {} bytes are no picture", bytes.len());
    (word(16), word(20))
}

fn map<'a>(surface: &'a [&'a str], more: &'a [&'a str], out: &'a str) -> Vec<&'a str> {
    [&["map"], surface, &["--device", "cpu", "--out", out], more].concat()
}

#[test]
fn every_kind_is_drawn_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let five = ["styblinski_tang", "-d", "5"];
    let rows: [(&str, &[&str], &[&str]); 9] = [
        ("contour", &["rosenbrock"], &["--view", "x0=-2:2,x1=-1:3"]),
        ("contour", &five, &["--view", "x1=-5:5", "--at", "x0=0.5,x2=1,x4=-1"]),
        ("surface3d", &["himmelblau"], &[]),
        ("basins", &["himmelblau"], &["-o", "momentum(lr=0.002)"]),
        ("trajectories", &["beale"], &["--start", "x0=3,x1=-3", "-o", "adam(lr=0.1)", "-o", "rprop"]),
        ("learning-rate", &["himmelblau"], &["--lr", "1e-3:0.1:log", "--against", "x0=-5:5"]),
        ("learning-rate", &["rastrigin", "-d", "2"], &["-o", "momentum", "--against", "beta=0:0.99"]),
        ("slice", &five, &["--directions", "hessian", "--point", "0.1,0.2,0.3,0.4,0.5"]),
        ("line", &five, &["--directions", "random", "--point", "best", "--seed", "3"]),
    ];
    for (i, (what, surface, more)) in rows.into_iter().enumerate() {
        let out = path(&format!("{i}.png"));
        let more = [&["--what", what, "--size", "300"], more].concat();
        let told = document(&map(surface, &more, &out));
        assert_eq!((&told["what"], &told["file"], &told["schema"]), (&what.into(), &out.clone().into(), &1.into()));
        let (wide, high) = size(&out);
        // The square with its axes and words; a line has its own proportions.
        let expected = if what == "line" { (900, 640) } else { (wide, 76 + 300 + 62) };
        assert_eq!((wide, high), expected, "{what}");
        assert!((400..=900).contains(&wide), "{what}: {wide}");
        assert!(told["timing"]["total_s"].as_f64().unwrap() > 0.0 && told["device"]["kind"] == "cpu");
    }
}

#[test]
fn basins_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("b.svg").to_str().unwrap().to_owned();
    let told = document(&map(&["himmelblau"], &["--what", "basins", "--size", "200"], &out));
    let basins = told["basins"].as_array().unwrap();
    let minima: Vec<_> = basins.iter().filter(|b| b["kind"] == "minimum").collect();
    assert_eq!(minima.len(), 4);
    let all: u64 = basins.iter().map(|b| b["pixels"].as_u64().unwrap()).sum();
    let others: u64 = told["pixels"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(all + others, 200 * 200);
    assert!(told["gtol"].as_f64().unwrap() > 0.0 && told["optimizers"][0].as_str().unwrap().starts_with("sgd(lr="));
    let drawn = std::fs::read_to_string(&out).unwrap();
    assert!(drawn.contains("data:image/png;base64,") && drawn.contains("himmelblau · basins of sgd"));
    // The same in words; the file is not replaced unless that is asked for.
    mistake(73, &map(&["himmelblau"], &["--what", "basins"], &out));
    let text = stdout(&map(&["himmelblau"], &["--what", "basins", "--size", "200", "--force"], &out));
    assert!(text.contains("ended at 4 minima") && text.contains("on the CPU"), "{text}");
}

#[test]
fn what_makes_no_map_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let out = path("no.png");
    let wrong = |code: i32, surface: &[&str], more: &[&str]| mistake(code, &map(surface, more, &out));
    let five = ["styblinski_tang", "-d", "5"];
    let said = wrong(2, &five, &[]);
    assert!(said.contains("--view") && said.contains("--at") && said.contains("--what slice"), "{said}");
    assert!(wrong(2, &five, &["--view", "x0=-1:1,x1=-1:1"]).contains("x2, x3, x4"));
    assert!(wrong(2, &five, &["--what", "basins", "--view", "x0=-1:1,x9=-1:1", "--at", "x2=0"]).contains("x9"));
    assert!(wrong(2, &["forrester"], &[]).contains("--what line"));
    let h = ["himmelblau"];
    wrong(2, &h, &["--view", "x0=1:1"]);
    wrong(2, &h, &["--view", "x0=2:1"]);
    wrong(2, &h, &["--view", "x0=0:inf"]);
    wrong(2, &h, &["--view", "x0"]);
    wrong(2, &h, &["--view", "x0=1:1.0000000001"]);
    wrong(2, &h, &["--view", "x7=0:1,x0=0:1"]);
    wrong(2, &h, &["--view", "x0=0:1", "--at", "x0=1"]);
    assert!(wrong(2, &h, &["--size", "4"]).contains("between 16 and 8192"));
    wrong(2, &h, &["--size", "1e5"]);
    wrong(2, &five, &["--what", "basins", "--size", "8192", "--view", "x0=-1:1,x1=-1:1", "--at", "x2=0,x3=0,x4=0"]);
    assert!(wrong(2, &h, &["--directions", "random"]).contains("--directions"));
    assert!(wrong(2, &h, &["-o", "adam"]).contains("--optimizer"));
    wrong(2, &h, &["--what", "basins", "-o", "adam", "-o", "sgd"]);
    wrong(2, &h, &["--what", "basins", "-o", "sgd(lr=[0.1, 0.2])"]);
    assert!(wrong(2, &h, &["--what", "basins", "-o", "adm"]).contains("did you mean `adam`?"));
    wrong(2, &h, &["--what", "basins", "--gtol", "-1"]);
    wrong(2, &h, &["--what", "basins", "--steps", "0"]);
    assert!(wrong(2, &h, &["--what", "learning-rate", "--against", "beta=0:1"]).contains("no hyperparameter `beta`"));
    wrong(2, &h, &["--what", "learning-rate", "--lr", "0:1:log"]);
    wrong(2, &h, &["--what", "learning-rate", "--lr", "1"]);
    assert!(wrong(2, &h, &["--what", "learning-rate", "--against", "lr=0:1"]).contains("lr goes across"));
    wrong(2, &h, &["--what", "trajectories", "--start", "x5=1"]);
    wrong(2, &h, &["--what", "trajectories", "-n", "1e9"]);
    wrong(2, &h, &["--what", "slice", "--point", "1,2,3"]);
    wrong(2, &h, &["--what", "slice", "--point", "nonsense"]);
    wrong(66, &h, &["--what", "slice", "--point", "no/such.csv"]);
    wrong(2, &h, &["--what", "slice", "--directions", "x0"]);
    wrong(2, &["saddle"], &["--what", "slice", "--point", "minimum"]);
    wrong(65, &["--expr", "log(-1 - x[0]^2)", "--box", "0:1", "-d", "2"], &[]);
    mistake(2, &map(&h, &[], &path("no.jpg")));
    mistake(2, &map(&h, &[], &path("none")));
    mistake(74, &map(&h, &["--size", "100"], &path("no/such/folder/map.png")));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(output(&["map", "himmelblau"]).status.code(), Some(2));
    assert!(!Path::new(&out).exists());
}
