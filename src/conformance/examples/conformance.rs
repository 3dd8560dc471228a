//! Compiles packages to tables, and judges files by them: `conformance compile TABLES PACKAGE…`,
//! `conformance judge TABLES FILE…`. Each file's verdict is a line of JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::error::Error;
use std::path::Path;

use afferent_conformance::compile::{Package, compile};
use afferent_conformance::table::Tables;
use afferent_conformance::{Severity, Validator};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, tables, inputs @ ..] = arguments.as_slice() else { return Err("compile|judge TABLES INPUT…".into()) };
    if mode == "compile" {
        let packages: Result<Vec<_>, _> = inputs.iter().map(|input| Package::read(Path::new(input))).collect();
        let mut made = Tables::default();
        for remark in compile(&mut made, &packages?) {
            eprintln!("{remark}");
        }
        Validator::new(made.clone())?;
        std::fs::write(tables, made.pack()?)?;
        return Ok(());
    }
    let validator = Validator::unpack(&std::fs::read(tables)?)?;
    for input in inputs {
        let mut files = vec![Path::new(input).to_owned()];
        if files[0].is_dir() {
            files = std::fs::read_dir(input)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
            files.sort();
        }
        for file in files {
            let issues = validator.validate(&std::fs::read(&file)?, &[]);
            let errors = issues.iter().filter(|issue| issue.severity == Severity::Error).count();
            println!("{}", serde_json::json!({ "file": file, "errors": errors, "issues": issues }));
        }
    }
    Ok(())
}
