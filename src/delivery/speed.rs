//! How fast delivery is where the receiver is not what is waited for.
#![allow(clippy::print_stdout, reason = "a figure is what this is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

/// A server that takes connections and says nothing.
async fn silent() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    format!("http://{address}/fhir")
}

/// An export of all the Observations to a server.
async fn export(store: &Store, id: &str, base_url: &str) {
    let target =
        FhirTarget { base_url: base_url.to_owned(), oauth_provider_id: None, patient: PatientBinding::Logical };
    put(store, ConnectionKind::FhirTarget, id, &target).await;
    let export = DataExport { kind: ExportKind::Fhir, target_ref: ConnectionId::new(id).unwrap() };
    put(store, ConnectionKind::DataExport, id, &export).await;
    for patient in 0..PATIENTS {
        let keys: Vec<Key> = (0..OBSERVATIONS).map(|n| ("Observation".to_owned(), number(patient, n))).collect();
        let (id, patient) = (ConnectionId::new(id).unwrap(), ResourceId::new(format!("p{patient}")).unwrap());
        store.make_repair((&tenant("a"), &id, &patient), base_url, (&keys, &[])).await.unwrap();
    }
}

fn number(patient: usize, n: usize) -> String {
    resource_id(&tenant("a"), "Observation", &format!("{patient}-{n}")).to_string()
}

/// Delivers to a server that answers at once, and to one that does not answer where there is one; gives Observations a second
/// to the first.
async fn measure(is_other_dead: bool) -> f64 {
    let (directory, store) = store().await;
    let (registry, clock) = (Arc::new(Registry::builtin().unwrap()), Arc::new(Standing) as Arc<dyn Clock>);
    let archive = crate::archive::Given::default().build(directory.path()).unwrap();
    let vault = Vault::new(archive, store.clone(), clock);
    let delivery = delivery(&store, &vault, &registry, directory.path());
    for patient in 0..PATIENTS {
        let of = |n| observation(&number(patient, n), &format!("p{patient}"), "2026-01-18T14:00:00.000Z", "60");
        store.put(&tenant("a"), (0..OBSERVATIONS).map(of).collect()).await.unwrap();
    }
    // The one that is dead is due first.
    if is_other_dead {
        export(&store, "dead", &silent().await).await;
    }
    let count = Arc::new(AtomicUsize::new(0));
    export(&store, "ehr", &receiver(Arc::clone(&count)).await).await;
    let begin = Instant::now();
    let all = PATIENTS * OBSERVATIONS;
    let workers: Vec<_> = (0..super::WORKERS)
        .map(|_| {
            let (worker, count) = (delivery.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                // A target's workers are limited, so one that finds nothing may have to wait for the others.
                while count.load(Ordering::Relaxed) < all {
                    if !worker.work().await.unwrap() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                begin.elapsed()
            })
        })
        .collect();
    // Those at the dead one are still waiting for it.
    let mut took = Duration::MAX;
    for worker in workers {
        took = took.min(worker.await.unwrap());
    }
    assert_eq!(count.load(Ordering::Relaxed), all, "each once");
    all as f64 / took.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn delivery_speed() {
    for is_other_dead in [false, true] {
        let rate = measure(is_other_dead).await;
        let beside = if is_other_dead { "a target that does not answer beside it" } else { "nothing beside it" };
        println!("delivery | {PATIENTS} patients, {OBSERVATIONS} Observations each, {beside} | {rate:.0} a second");
    }
}
