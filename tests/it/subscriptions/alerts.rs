//! An electrocardiogram in by websocket, a Flag out: to a subscriber, and to a file for the record.

use std::time::Instant;

use afferent::algorithm::PacketSeen;
use afferent::id::{DeviceKey, ResourceId, StreamName, TenantId};
use afferent::packet::RawPacket;
use afferent::pipeline::Track;
use afferent::registry::Registry;
use afferent::session::association::{Span, Wearer};
use afferent::session::clock::Reading;
use afferent::store::{Associations, StreamKey};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::listener::{Listener, focuses};
use super::{active, arrives, to_topic};
use crate::alerts::packets;
use crate::support::{Server, block_on, eventually, time};

/// The place of the packet after which fibrillation is known.
fn deciding(packets: &[Value]) -> usize {
    let registry = Registry::builtin().unwrap();
    let key = StreamKey {
        tenant: TenantId::new("t").unwrap(),
        device: DeviceKey::new("chest-1").unwrap(),
        name: StreamName::new("ecg").unwrap(),
    };
    let wearer = Wearer { patient: ResourceId::new("p").unwrap(), episode: None };
    let spans = vec![Span { from: afferent::time::Instant::MIN, until: None, wearer }];
    let mut track =
        Track::resume(&registry, &key, Associations { spans, revision: 1, ..Associations::default() }, None);
    let raises = |packet: &Value| {
        let packet: RawPacket = serde_json::from_value(packet.clone()).unwrap();
        let at = afferent::time::Instant(packet.device_time.0);
        let seen = PacketSeen { sequence: packet.sequence, sha256: [0; 32] };
        let given = track.push(&registry, &packet, &seen, &Reading { at, added_us: 0, skew_us: None }).unwrap();
        given.iter().any(|batch| !batch.alerts.is_empty())
    };
    packets.iter().position(raises).unwrap()
}

#[test]
fn the_packet_that_tells_of_fibrillation_is_followed_by_a_notification_and_an_export() {
    let server = Server::start();
    let client = server.client();
    let spec = json!({"signals": [{"signal": "heart-rate"}],
        "exports": [{"name": "all", "trigger": "on_measurement", "target": "ehr"}]});
    client.put("/api/v1/data-exports/ehr", &json!({"kind": "file", "target_ref": "record"})).expect(201);
    client.put("/api/v1/programs/heart", &json!({"title": "Heart rhythm at home"})).expect(201);
    client.put("/api/v1/programs/heart/profiles/ward/versions/1", &json!({"spec": spec})).expect(201);
    let enrolment = json!({"program": "heart", "profile": {"id": "ward", "version": 1}, "patient": "p1"});
    client.put("/api/v1/enrolments/n1", &enrolment).expect(201);
    let episode = json!({"enrolment": "n1", "start": time(0), "devices": ["chest-1"]});
    client.put("/api/v1/episodes/e1", &episode).expect(201);
    let listener = Listener::start();
    active(&client, &to_topic("alert-raised", &["patient=p1"], &listener.url, "id-only"));

    let packets = packets("chest-1");
    let deciding = deciding(&packets);
    client.ingest_all(&packets[..deciding]);
    client.settle();
    assert!(client.search("Flag?patient=p1").is_empty());
    let mut request = format!("ws://{}/ingest/stream", client.address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", client.key).parse().unwrap());
    let (mut socket, _) = block_on(tokio_tungstenite::connect_async(request)).unwrap();
    let sent = Instant::now();
    block_on(async {
        socket.send(packets[deciding].to_string().into()).await.unwrap();
        socket.next().await.unwrap().unwrap();
    });
    assert_eq!(arrives(&listener, 1).len(), 1);
    let told = listener.told().into_iter().find(|told| !focuses(&told.json()).is_empty()).unwrap();
    println!("from the packet that tells of fibrillation to its notification: {:.1?}", told.at - sent);
    let flag = client.search("Flag?patient=p1").remove(0);
    let reference = format!("Flag/{}", flag["id"].as_str().unwrap());
    assert_eq!((focuses(&told.json()), &flag["status"]), (vec![reference], &json!("active")));

    // The record has the Flag too, with what it refers to.
    let folder = server.data().join("exports/default/record");
    let exported = || -> Vec<Value> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().filter_map(|file| Some(file.ok()?.path()));
        let texts: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        texts.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let there = |kind: &str, id: &Value| exported().iter().any(|r| r["resourceType"] == kind && r["id"] == *id);
    eventually("the Flag in the export", || there("Flag", &flag["id"]).then_some(()));
    for reference in [&flag["author"]["reference"], &flag["extension"][0]["valueReference"]["reference"]] {
        let (kind, id) = reference.as_str().unwrap().split_once('/').unwrap();
        assert!(there(kind, &json!(id)), "{reference}");
    }
}
