//! Delivered to Medplum's own code, where `../shared/receiver` has it and Node is there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{delivered, enrol, export, operations, record};
use crate::support::{Client, Server, shared};

struct Medplum {
    process: Child,
    url: String,
}

impl Drop for Medplum {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Installs it into `target/` where it is not yet, and starts it.
fn start(transactions: bool) -> Medplum {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receiver");
    if !place.join("node_modules").exists() {
        std::fs::create_dir_all(&place).unwrap();
        for file in ["package.json", "package-lock.json", "polyfill.mjs", "receiver.mjs"] {
            let text = std::fs::read(shared().join("receiver").join(file)).unwrap();
            std::fs::write(place.join(file), text).unwrap();
        }
        let installed = Command::new("npm").args(["ci", "--silent"]).current_dir(&place).status().unwrap();
        assert!(installed.success());
    }
    let mut process = Command::new("node")
        .arg("receiver.mjs")
        .current_dir(&place)
        .env("TRANSACTIONS", transactions.to_string())
        .env("CHECK_REFERENCES", "true")
        .env("FHIR_QUOTA", "-1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    Medplum { process, url: ready["url"].as_str().unwrap().to_owned() }
}

fn dump(client: &Client, medplum: &Medplum) -> Vec<Value> {
    let bundle = client.with_key("").get(&format!("{}/_control/dump", medplum.url)).expect(200).json();
    bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
}

fn of<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|one| one["resourceType"] == kind).collect()
}

#[test]
#[ignore = "needs AFFERENT_SHARED and Node"]
fn an_episode_closes_and_medplum_holds_it() {
    for (transactions, binding) in [(true, "medplum_demo"), (false, "medplum_demo"), (true, "provider_logical")] {
        let medplum = start(transactions);
        let server = Server::shared();
        let client = server.tenant();
        let provider = json!({
            "name": "Medplum", "token_url": format!("{}/oauth2/token", medplum.url),
            "client_id": "11111111-1111-4111-8111-111111111111", "client_secret": "receiver-secret",
        });
        client.put("/api/v1/oauth-providers/receiver", &provider).expect(201);
        export(&client, &format!("{}/fhir/R4", medplum.url), binding);
        enrol(&client, "on_episode_end", &["p1".to_owned()]);
        record(&client, "p1");
        delivered(&client, 1);
        assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
        let all = dump(&client, &medplum);
        assert_eq!(of(&all, "Observation").len(), client.search("Observation?patient=p1").len());
        for kind in ["Device", "Provenance", "DocumentReference"] {
            assert!(!of(&all, kind).is_empty(), "{kind}");
        }
        let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
        assert_eq!((&report["missing"], &report["differing"]), (&json!(0), &json!(0)), "{report}");
        assert_eq!(report["stored"], json!(all.len()), "{report}");
        if let Some(folder) = option_env!("AFFERENT_DELIVERED") {
            for one in &all {
                let name = format!("{}-{}.json", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap());
                std::fs::write(Path::new(folder).join(name), one.to_string()).unwrap();
            }
        }
        println!("medplum | transactions {transactions}, {binding} | {} resources, each once", all.len());
    }
}
