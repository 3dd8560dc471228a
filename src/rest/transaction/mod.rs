//! FHIR batch and transaction. <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! The writes of a transaction are one list of tasks, done together; its reads come last and are answered as by themselves.
//! The entries of a batch are requests of their own, each answered as if it had come alone.

mod batch;
mod bundle;
mod entry;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format};
use super::payload::{self, Payload, Return};
use super::respond;
use super::state::RestState;
use super::write::{self, Context, Done, Task};
use crate::fhir::bundle::{BundleWriter, EntryResponse};
use batch::Requests;
use bundle::Kind;

/// Most entries of a Bundle.
const MOST_ENTRIES: usize = 5_000;

/// `POST [base]`
pub(super) async fn transaction(
    State(state): State<RestState>,
    caller: Caller,
    Base(base): Base,
    _: Format,
    uri: Uri,
    headers: HeaderMap,
    body: Payload,
) -> Result<Response, Error> {
    if uri.query().is_some_and(|query| !query.is_empty() && !query.starts_with("_format=")) {
        return Err(Error::refused("URL", "a Bundle is sent to the base URL without parameters"));
    }
    let body = body.fhir()?;
    let bundle = bundle::parse(&body)?;
    if bundle.entries.len() > MOST_ENTRIES {
        return Err(Error::refused("Bundle.entry", format!("there are more than {MOST_ENTRIES} entries")));
    }
    let context = Context { state: &state, caller: &caller, base: &base };
    let wanted = Return::of(&headers).unwrap_or(Return::Minimal);
    let requests = Requests::new(&state, &base, &headers)?;
    let answer = match bundle.kind {
        Kind::Transaction => all(context, &bundle.entries, &headers, wanted, &requests).await?,
        Kind::Batch => each(&bundle.entries, &requests).await,
    };
    Ok(respond::json(StatusCode::OK, answer))
}

/// All entries, or none.
async fn all(
    context: Context<'_>,
    entries: &[bundle::Entry<'_>],
    headers: &HeaderMap,
    wanted: Return,
    requests: &Requests<'_>,
) -> Result<Vec<u8>, Error> {
    let mut tasks: Vec<Task<'_>> = Vec::with_capacity(entries.len());
    let mut reads = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let place = format!("Bundle.entry[{i}]");
        match entry::work(context, entry, &place).map_err(|error| error.at(&place))? {
            Some(task) => tasks.push(task),
            None => reads.push(i),
        }
    }
    let provenance = payload::text(headers, write::PROVENANCE)?;
    let mut done = write::run(context, &tasks, provenance.map(str::as_bytes)).await?.into_iter();
    let mut writer = BundleWriter::new("transaction-response", None, &[]);
    for (i, entry) in entries.iter().enumerate() {
        if reads.contains(&i) {
            requests.answer(&mut writer, entry).await;
        } else if let Some(done) = done.next() {
            written(context, &mut writer, &done, wanted).await?;
        }
    }
    Ok(writer.finish())
}

/// Each entry by itself.
async fn each(entries: &[bundle::Entry<'_>], requests: &Requests<'_>) -> Vec<u8> {
    let mut writer = BundleWriter::new("batch-response", None, &[]);
    for entry in entries {
        requests.answer(&mut writer, entry).await;
    }
    writer.finish()
}

async fn written(context: Context<'_>, writer: &mut BundleWriter, done: &Done, wanted: Return) -> Result<(), Error> {
    let has_content = done.outcome.status() != StatusCode::NO_CONTENT;
    let resource = match wanted {
        Return::Representation if has_content => write::representation(context, done).await?,
        _ => None,
    };
    let location = done
        .version
        .filter(|_| has_content)
        .map(|(version, _)| format!("{}/{}/_history/{version}", context.base, done.reference()));
    let etag = done.version.map(|(version, _)| format!("W/\"{version}\""));
    let modified = done.version.map(|(_, modified)| modified.to_fhir());
    let outcome = (wanted == Return::Outcome).then(|| write::outcome(done));
    writer.response_entry(
        resource.as_deref(),
        &EntryResponse {
            status: status_line(done.outcome.status()),
            location: location.as_deref(),
            etag: etag.as_deref(),
            last_modified: modified.as_deref(),
            outcome: outcome.as_deref(),
        },
    );
    Ok(())
}

/// `201 Created`
fn status_line(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()).trim_end().to_owned()
}

/// Headers of an answer that an entry repeats.
const LOCATIONS: [header::HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];
