//! A new biosignal is a row in the registry and nothing else.

use crate::support::{Server, own_code, quantity, scalar};

const ROW: &str = r#"
format_version = 1
code = "grip-strength"
display = "Grip strength"
definition = "Force of the closing hand."
kind = "quantity"
category = "exam"
unit = { code = "kg", display = "kg" }
precision = 1
plausible = { min = 0, max = 150 }

[[input_unit]]
code = "[lb_av]"
factor = 0.45359237
"#;

#[test]
fn a_row_carries_a_new_signal_from_packet_to_observation() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("signal")).unwrap();
    std::fs::write(directory.path().join("signal/grip-strength.toml"), ROW).unwrap();
    let server = Server::with_registry(directory.path());
    let client = server.client();
    client.link_device("gripper-1", "p1").expect(201);
    client.ingest(&[scalar("gripper-1", 1, "grip-strength", "[lb_av]", 100.0)]).expect(202);
    client.settle();

    let found = client.search("Observation?patient=p1");
    let [observation] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(own_code(observation), "grip-strength");
    assert_eq!(quantity(observation), (45.4, "kg"));
    assert_eq!(observation["valueQuantity"]["system"], "http://unitsofmeasure.org");
    assert_eq!(observation["category"][0]["coding"][0]["code"], "exam");
    assert_eq!(observation["subject"]["reference"], "Patient/p1");

    let codings = observation["code"]["coding"].as_array().unwrap();
    let own = codings.iter().find(|coding| coding["code"] == "grip-strength").unwrap();
    assert_eq!(own["display"], "Grip strength");
    let token = format!("{}|grip-strength", own["system"].as_str().unwrap());
    assert_eq!(client.search(&format!("Observation?code={token}")).len(), 1);
    let system = client.search(&format!("CodeSystem?url={}", own["system"].as_str().unwrap()));
    let concepts = system[0]["concept"].as_array().unwrap();
    assert!(concepts.iter().any(|concept| concept["code"] == "grip-strength"));
}

#[test]
fn without_the_row_the_signal_is_unknown() {
    let server = Server::shared();
    let reply = server.tenant().ingest(&[scalar("gripper-1", 1, "grip-strength", "kg", 45.0)]);
    assert_eq!(reply.status, 422, "{}", reply.text());
}
