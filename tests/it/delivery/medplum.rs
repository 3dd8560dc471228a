//! Delivered to Medplum's own code, where `../shared/receiver` has it and Node is there.

use std::path::Path;

use serde_json::{Value, json};

use super::process::{Kind, Process};
use super::{delivered, enrol, export, give_tokens, operations, record};
use crate::support::Server;

fn of<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|one| one["resourceType"] == kind).collect()
}

#[test]
#[ignore = "needs AFFERENT_SHARED and Node"]
fn an_episode_closes_and_medplum_holds_it() {
    for (transactions, binding) in [(true, "medplum_demo"), (false, "medplum_demo"), (true, "provider_logical")] {
        let medplum = Process::start(Kind::Medplum { transactions });
        let server = Server::shared();
        let client = server.tenant();
        give_tokens(&client, &medplum.url);
        export(&client, &format!("{}/fhir/R4", medplum.url), binding);
        enrol(&client, "on_episode_end", &["p1".to_owned()]);
        record(&client, "p1");
        delivered(&client, 1);
        assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
        let dump = client.with_key("").get(&format!("{}/_control/dump", medplum.url)).expect(200).json();
        let all: Vec<Value> = dump["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect();
        assert_eq!(of(&all, "Observation").len(), client.search("Observation?patient=p1").len());
        for kind in ["Device", "Provenance", "DocumentReference"] {
            assert!(!of(&all, kind).is_empty(), "{kind}");
        }
        let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
        assert_eq!((&report["missing"], &report["differing"]), (&json!(0), &json!(0)), "{report}");
        assert_eq!(report["stored"], json!(all.len()), "{report}");
        if let Some(folder) = std::env::var_os("AFFERENT_DELIVERED") {
            for one in &all {
                let name = format!("{}-{}.json", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap());
                std::fs::write(Path::new(&folder).join(name), one.to_string()).unwrap();
            }
        }
        println!("medplum | transactions {transactions}, {binding} | {} resources, each once", all.len());
    }
}
