//! A store with resources in it, for tests: the same ones on every database.
//!
//! SQLite in a file of its own; with `AFFERENT_TEST_POSTGRES=postgres://…` a schema of its own there. `tests/run` does both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

use super::Store;
use crate::fhir::json;
use crate::id::{ResourceId, TenantId};
use crate::resource::Resource;
use crate::time::{Clock, Instant};

/// A clock that stands still.
pub(crate) struct Standing;

impl Clock for Standing {
    fn now(&self) -> Instant {
        Instant::parse("2026-02-01T00:00:00Z").unwrap()
    }
}

pub(crate) async fn store() -> (TempDir, Store) {
    let directory = TempDir::new().unwrap();
    let store = open(&database(&directory).await).await;
    (directory, store)
}

pub(crate) async fn open(url: &str) -> Store {
    Store::open(url, Arc::new(Standing)).await.unwrap()
}

/// The URL of a database nobody else uses.
pub(crate) async fn database(directory: &TempDir) -> String {
    match std::env::var("AFFERENT_TEST_POSTGRES") {
        Err(_) => format!("sqlite:{}", directory.path().join("test.db").display()),
        Ok(server) => schema(&server).await,
    }
}

async fn schema(server: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    sqlx::any::install_default_drivers();
    let name = format!("store_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = AnyConnection::connect(server).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).await.unwrap();
    format!("{server}?options=-csearch_path%3D{name}")
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn resource(kind: &str, id: &str, body: &str) -> Resource {
    let text = format!(r#"{{"resourceType":"{kind}","id":"{id}"{body}}}"#);
    let element = json::parse(text.as_bytes()).unwrap();
    Resource { kind: kind.to_owned(), id: ResourceId::new(id).unwrap(), element }
}

/// A heart rate of `patient`, by device `d1`.
pub(crate) fn observation(id: &str, patient: &str, time: &str, rate: &str) -> Resource {
    let body = format!(
        r#","identifier":[{{"system":"https://afferent.dev/fhir/identifier/measurement","value":"m-{id}"}}],"status":"final",
        "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],
        "code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}},
            {{"system":"https://afferent.dev/fhir/CodeSystem/biosignal","code":"heart-rate"}}]}},
        "subject":{{"reference":"Patient/{patient}"}},"effectiveDateTime":"{time}","device":{{"reference":"Device/d1"}},
        "valueQuantity":{{"value":{rate},"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}}"#
    );
    resource("Observation", id, &body)
}

/// The Provenance of an Observation.
pub(crate) fn provenance(id: &str, target: &str) -> Resource {
    let body = format!(
        r#","target":[{{"reference":"{target}"}}],"recorded":"2026-01-18T14:00:00.000Z",
        "agent":[{{"who":{{"reference":"Device/d1"}}}}]"#
    );
    resource("Provenance", id, &body)
}

impl Store {
    /// Does to the database what nobody should.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        self.try_tamper(statement).await.unwrap();
    }

    /// Tries to.
    pub(crate) async fn try_tamper(&self, statement: &'static str) -> Result<(), super::StoreError> {
        sqlx::query(statement).execute(&self.writer).await?;
        Ok(())
    }
}
