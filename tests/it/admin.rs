//! `afferent admin` beside a running server.

use crate::support::{Server, scalar};

#[test]
fn keys_can_be_made_while_packets_come_in() {
    let server = Server::shared();
    let client = server.tenant();
    std::thread::scope(|scope| {
        let keys = scope.spawn(|| (0..15).map(|_| server.tenant()).collect::<Vec<_>>().len());
        let mut sequence = 0;
        while !keys.is_finished() {
            sequence += 1;
            // Each on a patient of its own: of several that measure the same of one patient, one counts.
            client.link_device(&format!("d{sequence}"), &format!("p{sequence}")).expect(201);
            let packet = scalar(&format!("d{sequence}"), 1, "spo2", "%", 95.0);
            client.ingest(&[packet]).expect(202);
        }
        client.settle();
        assert_eq!(client.observations(), sequence);
    });
}

#[test]
fn operators_see_what_the_database_takes_and_does() {
    let server = Server::shared();
    let client = server.tenant();
    client.link_device("sized", "p1").expect(201);
    client.ingest(&[scalar("sized", 1, "spo2", "%", 95.0)]).expect(202);
    client.settle();
    let told = server.admin(&["storage", "--format", "json"]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["observations"].as_i64().unwrap() >= 1, "{told}");
    assert!(told["bytes"].as_i64() > told["bytes_of_observations"].as_i64(), "{told}");
    assert!(told["bytes_per_observation"].as_f64().unwrap() > 0.0);

    let plan = server.admin(&["explain", "Observation?patient=p1&_sort=-date"]);
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.status.success() && text.contains("observation_subject"), "{text}");
    let refused = server.admin(&["explain", "Observation?colour=red"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("colour"));
}
