//! Result files: whole or absent, read back to the same numbers, the same for every chunk and thread count.

use super::{catchment, output, stdout};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const RUN: [&str; 14] = [
    "run",
    "rastrigin",
    "-d",
    "3",
    "-n",
    "300",
    "--steps",
    "50",
    "-o",
    "adam(lr=[0.1, 0.01])",
    "--seed",
    "9",
    "--device",
    "cpu",
];

fn with_out(path: &Path, more: &[&str]) -> String {
    stdout(&[&RUN[..], &["--out", path.to_str().unwrap()], more].concat());
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn csv_has_every_restart() {
    let folder = tempfile::tempdir().unwrap();
    let text = with_out(&folder.path().join("all.csv"), &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "configuration,restart,value,gradient_norm,steps,status,start_value,x0,x1,x2");
    assert_eq!(lines.len(), 601);
    for (i, line) in lines[1..].iter().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!((cells[0], cells[1]), ((i / 300).to_string().as_str(), (i % 300).to_string().as_str()));
        assert_eq!((cells[4], cells[5], cells.len()), ("50", "max_steps", 10));
        assert!(cells[2].parse::<f32>().unwrap() <= cells[6].parse::<f32>().unwrap() + 20.0);
    }
}

#[test]
fn chunks_threads_and_shards_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let all = with_out(&file("all.csv"), &[]);
    assert_eq!(all, with_out(&file("chunk.csv"), &["--chunk", "7"]));
    assert_eq!(all, with_out(&file("thread.csv"), &["--threads", "1"]));
    // A shard is the rows that it would have been among all.
    let shard = with_out(&file("shard.csv"), &["--first", "120"]);
    let rows = |text: &str, keep: &dyn Fn(u64) -> bool| -> Vec<String> {
        let restart = |line: &str| line.split(',').nth(1).and_then(|c| c.parse().ok());
        text.lines().filter(|l| restart(l).is_some_and(keep)).map(str::to_owned).collect()
    };
    assert_eq!(rows(&shard, &|r| r < 300), rows(&all, &|r| r >= 120));
}

#[test]
fn a_trace_has_its_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("way.csv");
    stdout(
        &[&RUN[..], &["--trace", path.to_str().unwrap(), "--trace-steps", "5,0,50", "--trace-restarts", "4"]].concat(),
    );
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "configuration,restart,step,value,gradient_norm,x0,x1,x2");
    assert_eq!(lines.len(), 1 + 2 * 4 * 3);
    let mut steps: Vec<u64> = lines[1..].iter().map(|l| l.split(',').nth(2).unwrap().parse().unwrap()).collect();
    steps.sort_unstable();
    steps.dedup();
    assert_eq!(steps, [0, 5, 50]);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_and_csv_hold_the_same() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Int32Type, UInt32Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let folder = tempfile::tempdir().unwrap();
    let text = with_out(&folder.path().join("all.csv"), &[]);
    let path = folder.path().join("all.parquet");
    with_out(&path, &["--chunk", "64"]);
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().unwrap();
    let record = metadata.iter().find(|m| m.key == "catchment").unwrap().value.clone().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&record).unwrap()["seed"], 9);
    let mut rows = Vec::new();
    for batch in builder.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let status = column("status").as_dictionary::<Int32Type>();
        let names = status.values().as_string::<i32>();
        let real = |name: &str, r: usize| format!("{:?}", column(name).as_primitive::<Float32Type>().value(r));
        for r in 0..batch.num_rows() {
            let mut cells = vec![
                column("configuration").as_primitive::<UInt32Type>().value(r).to_string(),
                column("restart").as_primitive::<UInt64Type>().value(r).to_string(),
                real("value", r),
                real("gradient_norm", r),
                column("steps").as_primitive::<UInt32Type>().value(r).to_string(),
                names.value(status.keys().value(r) as usize).to_owned(),
                real("start_value", r),
            ];
            let x = column("x").as_fixed_size_list().value(r);
            cells.extend(x.as_primitive::<Float32Type>().values().iter().map(|v| format!("{v:?}")));
            rows.push(cells.join(","));
        }
    }
    assert_eq!(rows, text.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn what_exists_is_kept_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    std::fs::write(&path, "mine").unwrap();
    let args = [&RUN[..], &["--out", path.to_str().unwrap()]].concat();
    assert_eq!(output(&args).status.code(), Some(73));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_ne!(with_out(&path, &["--force"]), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let args = [
        "run",
        "rastrigin",
        "-d",
        "20",
        "-n",
        "1e6",
        "--steps",
        "1e6",
        "--device",
        "cpu",
        "--out",
        path.to_str().unwrap(),
    ];
    let mut child = catchment(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while std::fs::read_dir(folder.path()).unwrap().count() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no file was opened");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let killed = Instant::now();
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if killed.elapsed() > Duration::from_secs(10) => {
                child.kill().unwrap();
                panic!("the run went on");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let took = killed.elapsed();
    assert_eq!(status.code(), Some(130));
    assert!(took < Duration::from_secs(3), "it took {took:?} to stop");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
