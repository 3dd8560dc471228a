//! How fast delivery is where the receiver is not what is waited for.
#![allow(clippy::print_stdout, reason = "a figure is what this is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::json;

use super::connection::{DataExport, ExportKind, FhirTarget, PatientBinding};
use super::fixture::delivery;
use super::outgoing::SENT;
use crate::archive::Vault;
use crate::id::{ConnectionId, ResourceId, resource_id};
use crate::registry::Registry;
use crate::store::delivery::Key;
use crate::store::fixture::{Standing, observation, store, tenant};
use crate::store::{Connection, ConnectionKind, Store};
use crate::time::Clock;

const PATIENTS: usize = 16;
const OBSERVATIONS: usize = 2_000;

/// A server that takes whatever is put, at once.
async fn receiver(count: Arc<AtomicUsize>) -> String {
    let types: Vec<_> = SENT
        .iter()
        .map(|kind| json!({"type": kind, "updateCreate": true, "interaction": [{"code": "update"}]}))
        .collect();
    let statement = json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "interaction": [{"code": "batch"}], "resource": types}]});
    let statement = statement.to_string();
    let take = |State(count): State<Arc<AtomicUsize>>, body: Bytes| async move {
        let text = std::str::from_utf8(&body).unwrap();
        let urls: Vec<&str> = text.split(r#""url":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let urls: Vec<&str> = urls.into_iter().filter(|url| url.starts_with("Observation/")).collect();
        count.fetch_add(urls.len(), Ordering::Relaxed);
        let entries: Vec<String> =
            urls.iter().map(|url| format!(r#"{{"response":{{"status":"201","location":"{url}"}}}}"#)).collect();
        format!(r#"{{"resourceType":"Bundle","type":"batch-response","entry":[{}]}}"#, entries.join(","))
    };
    let router = Router::new()
        .route("/fhir", post(take))
        .route("/fhir/metadata", get(move || std::future::ready(statement.clone())))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(count);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/fhir")
}

async fn put<T: serde::Serialize>(store: &Store, kind: ConnectionKind, id: &str, content: &T) {
    let (id, body) = (ConnectionId::new(id).unwrap(), serde_json::to_string(content).unwrap());
    let connection = Connection { id, body, refers: None, sealed: None };
    store.put_connection(&tenant("a"), kind, &connection, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn delivery_speed() {
    let (directory, store) = store().await;
    let (registry, clock) = (Arc::new(Registry::builtin().unwrap()), Arc::new(Standing) as Arc<dyn Clock>);
    let archive = crate::archive::Given::default().build(directory.path()).unwrap();
    let vault = Vault::new(archive, store.clone(), clock);
    let delivery = delivery(&store, &vault, &registry, directory.path());
    let count = Arc::new(AtomicUsize::new(0));
    let base_url = receiver(Arc::clone(&count)).await;
    let target = FhirTarget { base_url: base_url.clone(), oauth_provider_id: None, patient: PatientBinding::Logical };
    put(&store, ConnectionKind::FhirTarget, "server", &target).await;
    let target_ref = ConnectionId::new("server").unwrap();
    let export = ConnectionId::new("ehr").unwrap();
    put(&store, ConnectionKind::DataExport, "ehr", &DataExport { kind: ExportKind::Fhir, target_ref }).await;
    for patient in 0..PATIENTS {
        let id = |n: usize| resource_id(&tenant("a"), "Observation", &format!("{patient}-{n}")).to_string();
        let all: Vec<_> = (0..OBSERVATIONS)
            .map(|n| observation(&id(n), &format!("p{patient}"), "2026-01-18T14:00:00.000Z", "60"))
            .collect();
        store.put(&tenant("a"), all).await.unwrap();
        let keys: Vec<Key> = (0..OBSERVATIONS).map(|n| ("Observation".to_owned(), id(n))).collect();
        let patient = ResourceId::new(format!("p{patient}")).unwrap();
        store.make_repair((&tenant("a"), &export, &patient), &base_url, (&keys, &[])).await.unwrap();
    }
    let begin = Instant::now();
    let workers: Vec<_> = (0..super::WORKERS)
        .map(|_| {
            let worker = delivery.clone();
            tokio::spawn(async move {
                // A target's workers are limited, so one that finds nothing may have to wait for the others.
                while worker.store.operations_waiting().await.unwrap().0 > 0 {
                    if !worker.work().await.unwrap() {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let (seconds, sent) = (begin.elapsed().as_secs_f64(), count.load(Ordering::Relaxed));
    assert_eq!(sent, PATIENTS * OBSERVATIONS, "each once");
    println!("delivery | {sent} Observations in {seconds:.2} s | {:.0} a second", sent as f64 / seconds);
}
