//! Computing again what is stored: the same rows change nothing, others show what they would.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ecg, Server, everything, own_code};

fn run(server: &Server, arguments: &[&str]) -> Value {
    let output = server.admin(&[&["rederive", "--format", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["streams"][0].clone()
}

#[test]
fn the_same_rows_change_nothing_and_others_show_what_they_would() {
    let server = Server::start();
    let client = server.client();
    client.link_device("chest-1", "p1").expect(201);
    Ecg::new(330).packets("chest-1").chunks(50).for_each(|batch| client.ingest_all(batch));
    client.settle();
    let before = everything(&client);

    let same = run(&server, &["--device", "chest-1"]);
    assert!(same["same"].as_u64().unwrap() > 40, "{same}");
    assert_eq!((&same["changed"], &same["new"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    run(&server, &["--device", "chest-1", "--write"]);
    assert!(everything(&client) == before, "byte for byte");

    let rows = tempfile::tempdir().unwrap();
    fs::create_dir(rows.path().join("signal")).unwrap();
    let row = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("registry/signal/heart-rate.toml");
    let whole_beats = fs::read_to_string(row).unwrap().replace("precision = 1", "precision = 0");
    fs::write(rows.path().join("signal/heart-rate.toml"), whole_beats).unwrap();
    let other = ["--device", "chest-1", "--registry", rows.path().to_str().unwrap()];
    let shown = run(&server, &other);
    assert_eq!(shown["changed"].as_array().unwrap().len(), 6, "{shown}");
    assert!(everything(&client) == before, "shown, not written");
    let rest = run(&server, &[&other[..], &["--algorithm", "hrv"]].concat());
    assert_eq!(rest["changed"].as_array().unwrap().len(), 0, "{rest}");

    run(&server, &[&other[..], &["--write"]].concat());
    let amended: Vec<Value> = client.search("Observation?patient=p1&_count=200");
    let amended: Vec<&Value> = amended.iter().filter(|o| o["status"] == "amended").collect();
    assert!(amended.len() == 6 && amended.iter().all(|o| own_code(o) == "heart-rate"), "{amended:?}");
    assert!(amended.iter().all(|o| o["valueQuantity"]["value"].as_f64().unwrap().fract() == 0.0));
}

#[test]
fn what_is_not_there_is_named() {
    let server = Server::start();
    for (arguments, named) in [
        (vec!["rederive", "--device", "nobody"], "nobody"),
        (vec!["rederive", "--episode", "none"], "none"),
        (vec!["rederive", "--device", "x", "--algorithm", "magic"], "magic"),
        (vec!["rederive", "--device", "x", "--algorithm", "hrv@0.0.1"], "hrv in version"),
    ] {
        let output = server.admin(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(named), "{arguments:?}: {text}");
    }
}
