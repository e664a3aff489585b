//! What is read from files, and what is said of those that are wrong.

use super::*;

/// A file that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Scratch {
        let path = std::env::temp_dir().join(format!("catchment-table-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn read(name: &str, content: &str) -> Result<Table, Error> {
    Table::read(&Scratch::new(name, content.as_bytes()).0)
}

/// What is said of a file that is no table.
fn refused(name: &str, content: &[u8]) -> String {
    let error = Table::read(&Scratch::new(name, content).0).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    let said = error.to_string();
    assert!(said.contains(name), "{said}");
    said.split_once(": ").unwrap().1.to_owned()
}

/// What is said of a column of a table.
fn column(table: &Table, name: &str) -> String {
    table.numbers(name).unwrap_err().problem.to_string()
}

#[test]
fn text_is_read() {
    let table = read("plain.csv", "\u{feff}# decay\n t , \"y, mV\"\n\n0,1.5e-3\n# half way\n +1 ,\"-2\"\n").unwrap();
    assert_eq!((table.rows(), table.names()), (2, &["t".to_owned(), "y, mV".to_owned()][..]));
    assert_eq!(table.numbers("t").unwrap(), [0.0, 1.0]);
    assert_eq!(table.numbers("y, mV").unwrap(), [1.5e-3, -2.0]);
    assert_eq!(table.shared("t").unwrap()[..], [0.0, 1.0]);
    let quoted = read("quoted.csv", "t,\"a \"\"b\"\"\"\n\"1\",5\"\n\"2\",\"x\ny\"\n3,4\n").unwrap();
    assert_eq!(quoted.names(), ["t", "a \"b\""]);
    assert_eq!(quoted.numbers("t").unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(column(&quoted, "a \"b\""), "row 1 (line 2), column `a \"b\"`: `5\"` is not a number");
    for (name, text) in [("semicolon.csv", "a;b\n1;2\r\n"), ("tab.tsv", "a\tb\n1\t2"), ("one.txt", "b\n2\n")] {
        assert_eq!(read(name, text).unwrap().numbers("b").unwrap(), [2.0], "{name}");
    }
}

#[test]
fn a_bad_cell_matters_where_its_column_is_asked_for() {
    let text = "t,y,z,w,where\n0,1,1,inf,here\n\n1,n/a,,2,there\n2,3,3,nan,here\n";
    let table = read("cells.csv", text).unwrap();
    assert_eq!(table.numbers("t").unwrap(), [0.0, 1.0, 2.0]);
    assert_eq!(column(&table, "y"), "row 2 (line 4), column `y`: `n/a` is not a number");
    assert_eq!(column(&table, "z"), "row 2 (line 4), column `z`: the cell is empty");
    assert_eq!(column(&table, "w"), "row 1 (line 2), column `w`: `inf` is not a finite number");
    assert_eq!(column(&table, "where"), "row 1 (line 2), column `where`: `here` is not a number");
    assert_eq!(column(&table, "tt"), "there is no column `tt`; there are t, y, z, w, where");
    assert_eq!(
        column(&table, "wher"),
        "there is no column `wher` (did you mean `where`?); there are t, y, z, w, where"
    );
    assert_eq!(table.labels("t").unwrap_err().problem.to_string(), "column `t` was not read as labels");
    let long = read("long.csv", &format!("t\n{}\n", "é".repeat(99))).unwrap();
    assert_eq!(column(&long, "t"), format!("row 1 (line 2), column `t`: `{}…` is not a number", "é".repeat(40)));
}

#[test]
fn labels_are_text_as_it_stands() {
    let file = Scratch::new("labels.csv", b"id,y\n001,1\n1,2\n001,3\n");
    let both = |name: &str| if name == "id" { Wanted::LABELS } else { Wanted::NOTHING };
    let table = Table::read_with(&file.0, both).unwrap();
    let labels = table.labels("id").unwrap();
    assert_eq!((labels.names(), labels.keys()), (&["001".to_owned(), "1".to_owned()][..], &[0, 1, 0][..]));
    assert_eq!((labels.label(1), labels.label(3)), (Some("1"), None));
    assert_eq!(column(&table, "y"), "column `y` was not read as numbers");
    let table = Table::from_columns(vec![("y".to_owned(), vec![1.0, 2.0])]).unwrap();
    let table = table.with_labels("of", &["a", "b"]).unwrap();
    assert_eq!(table.labels("of").unwrap().label(1), Some("b"));
    assert!(table.clone().with_labels("of", &["a", "b"]).is_err());
    assert!(table.with_labels("other", &["a"]).is_err());
}

/// More lines than cores have pieces: whichever core reads a line, it is told as if one had read all.
#[test]
fn long_files_are_read_in_pieces() {
    let mut text = String::from("id,v,w\n# a note\n");
    (0..5000).for_each(|i| {
        text += &format!("g{},{i},{}\n{}", i % 7, 0.5 * f64::from(i), if i % 100 == 0 { "\n" } else { "" })
    });
    let wanted = |name: &str| if name == "id" { Wanted::LABELS } else { Wanted::NUMBERS };
    let table = Table::read_with(&Scratch::new("pieces.csv", text.as_bytes()).0, wanted).unwrap();
    assert_eq!(table.numbers("v").unwrap(), (0..5000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(table.labels("id").unwrap().names().len(), 7);
    assert!((0..5000).all(|r| table.labels("id").unwrap().label(r) == Some(&format!("g{}", r % 7))));
    // Before row 4001 stand the heading, a note, 4000 rows and 40 blank lines.
    let bad = read("piece.csv", &text.replace(",4000,", ",x,").replace(",4500,", ",,")).unwrap();
    assert_eq!(column(&bad, "v"), "row 4001 (line 4043), column `v`: `x` is not a number");
    let short = refused("short.csv", text.replace(",4000,2000\n", ",4000\n").as_bytes());
    assert_eq!(short, "row 4001 (line 4043) has 2 cells, the heading 3");
    let quoted = read("late.csv", &text.replace(",4000,2000\n", ",\"4000\",2000\n")).unwrap();
    assert_eq!(quoted.numbers("v").unwrap()[4000..4002], [4000.0, 4001.0]);
}

#[test]
fn files_that_are_no_tables() {
    assert!(refused("empty.csv", b"").contains("the file is empty"));
    assert!(refused("notes.csv", b"# only a note\n\n").contains("the file is empty"));
    assert_eq!(refused("bare.csv", b"t,y\n"), "the table has no rows");
    assert_eq!(refused("ragged.csv", b"t,y\n1,2\n\n3\n"), "row 2 (line 4) has 1 cells, the heading 2");
    assert_eq!(refused("twice.csv", b"t,y,t\n1,2,3\n"), "column 1 and column 3 are both called `t`");
    assert_eq!(refused("quote.csv", b"t,y\n1,2\n\"3,4\n5,6\n"), "line 3 opens a double quote that nothing closes");
    assert!(refused("numbers.csv", b"0,1\n2,3\n").starts_with("line 1 should name the columns"));
    assert!(refused("sheet.xlsx", b"PK\x03\x04 and more").contains("spreadsheet"));
    assert!(refused("wide.csv", b"t\0,\0y\0").contains("no table of text"));
    assert_eq!(refused("text.parquet", b"t,y\n1,2\n"), "this is not a Parquet file");
    assert_eq!(Table::read(Path::new("no/such/file.csv")).unwrap_err().exit_code(), 66);
    assert_eq!(Table::read(&std::env::temp_dir()).unwrap_err().exit_code(), 74);
    // An index without a name, as pandas writes it, is in nobody's way.
    assert_eq!(read("index.csv", ",t,\n0,1,2\n").unwrap().numbers("t").unwrap(), [1.0]);
}

#[test]
fn columns_from_memory() {
    let column = |name: &str, values: &[f64]| (name.to_owned(), values.to_vec());
    let said = |columns| Table::from_columns(columns).unwrap_err().to_string();
    assert_eq!(said(vec![]), "the table has no rows");
    assert_eq!(said(vec![column("a", &[])]), "the table has no rows");
    assert_eq!(said(vec![column("a", &[1.0]), column("b", &[1.0, 2.0])]), "column `b` has 2 rows, the others 1");
    assert!(said(vec![column("a", &[1.0]), column("a", &[1.0])]).contains("both called"));
    let table = Table::from_columns(vec![column("a", &[1.0, f64::NAN])]).unwrap();
    assert_eq!(table.numbers("a").unwrap_err().to_string(), "row 2, column `a`: `NaN` is not a finite number");
}

#[cfg(all(feature = "parquet", feature = "report"))]
mod parquet_files {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampSecondArray,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    fn written(name: &str, columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Scratch {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        Scratch::new(name, &writer.into_inner().unwrap())
    }

    #[test]
    fn types_and_compressions_are_read() {
        let dictionary: DictionaryArray<Int32Type> = vec!["b", "a", "b"].into_iter().collect();
        let compressions = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::LZ4_RAW,
            Compression::GZIP(GzipLevel::default()),
            Compression::ZSTD(ZstdLevel::default()),
        ];
        for compression in compressions {
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("whole", Arc::new(Int64Array::from(vec![1, -2, 3]))),
                ("real", Arc::new(Float32Array::from(vec![0.5, 1.5, 2.5]))),
                ("truth", Arc::new(BooleanArray::from(vec![true, false, true]))),
                ("city", Arc::new(dictionary.clone())),
                ("gaps", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN)]))),
                ("nan", Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]))),
                ("name", Arc::new(StringArray::from(vec!["x", "y", "x"]))),
                ("when", Arc::new(TimestampSecondArray::from(vec![1, 2, 3]))),
            ];
            // What it is, and not what it is called, tells a Parquet file.
            let file = written("table.data", columns, compression);
            let table = Table::read_with(&file.0, |_| Wanted { numbers: true, labels: true }).unwrap();
            assert_eq!(table.numbers("whole").unwrap(), [1.0, -2.0, 3.0]);
            assert_eq!(table.numbers("real").unwrap(), [0.5, 1.5, 2.5]);
            assert_eq!(table.numbers("truth").unwrap(), [1.0, 0.0, 1.0]);
            assert_eq!(table.labels("city").unwrap().names(), ["b", "a"]);
            assert_eq!(table.labels("city").unwrap().keys(), [0, 1, 0]);
            assert_eq!(table.labels("whole").unwrap().label(1), Some("-2"));
            assert_eq!(column(&table, "gaps"), "row 2, column `gaps`: the cell is empty");
            assert_eq!(column(&table, "nan"), "row 2, column `nan`: `NaN` is not a finite number");
            assert_eq!(column(&table, "name"), "column `name` holds text, and cannot be read as numbers");
            assert!(column(&table, "when").starts_with("column `when` holds values of type Timestamp"));
        }
    }

    #[test]
    fn a_run_s_own_file_is_read_back() {
        let plan = crate::Plan::new(crate::Surface::named("sphere", Some(2)).unwrap()).restarts(100).steps(3);
        let plan = plan.optimizer("sgd").resolve().unwrap();
        let file = Scratch::new("run.parquet", b"");
        let output = crate::report::OutputFile::create(&file.0, true).unwrap();
        let layout = crate::report::Layout::results(&plan);
        let mut rows = crate::report::RowWriter::new(output, crate::report::Format::Parquet, layout, "{}").unwrap();
        let mut values = Vec::new();
        crate::Engine::cpu()
            .stream(&plan, |event| {
                if let crate::Event::Batch(batch) = event {
                    values.extend((0..batch.len()).map(|r| batch.value.at(r)));
                    rows.results(batch).unwrap();
                }
                crate::Flow::Continue
            })
            .unwrap();
        rows.finish().unwrap();
        let table = Table::read_with(&file.0, |name| match name {
            "status" => Wanted::LABELS,
            _ => Wanted::NUMBERS,
        });
        let table = table.unwrap();
        assert_eq!(table.numbers("value").unwrap(), values);
        assert_eq!(table.labels("status").unwrap().names(), ["max_steps"]);
        assert!(column(&table, "x").contains("FixedSizeList"));
    }

    #[test]
    fn broken_files_are_told() {
        assert!(refused("cut.parquet", b"PAR1 and no more").starts_with("the Parquet file cannot be read"));
    }
}
