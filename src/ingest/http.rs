//! `POST /ingest/raw-packet`: one packet or a batch.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::writer::{Accepted, JournalError, Submission};
use super::{IngestState, check};
use crate::auth::Grant;
use crate::id::{DeviceKey, StreamName};
use crate::packet::{BatchError, Format, RawPacket, parse_batch};
use crate::problem::Problem;

/// Takes a body of packets and answers when all of them are durable.
pub(super) async fn raw_packet(
    State(state): State<IngestState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match take(&state, &headers, body).await {
        Ok(accepted) => answer(&accepted),
        Err(problem) => {
            state.telemetry.refused(problem.kind());
            problem.into_response()
        }
    }
}

async fn take(
    state: &IngestState,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Accepted, Problem> {
    let grant = state.auth.authenticate(headers.get(header::AUTHORIZATION)).await?;
    if !grant.may_ingest() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the key has no ingest scope"));
    }
    let format = format(headers)?;
    let body = body.map_err(|rejection| unreadable(&rejection, state.config.body_bytes))?;
    let packets = parse_batch(format, &body, state.config.limits).map_err(malformed)?;
    submit(state, &grant, packets).await
}

/// Checks packets and appends them; all or none.
pub(super) async fn submit(state: &IngestState, grant: &Grant, packets: Vec<RawPacket>) -> Result<Accepted, Problem> {
    let mut submissions = Vec::with_capacity(packets.len());
    for (index, packet) in packets.into_iter().enumerate() {
        let refused = |source| malformed(BatchError::Packet { index, source });
        check(state, &packet).map_err(refused)?;
        let canonical = packet.canonical().map_err(refused)?;
        submissions.push(Submission {
            device: packet.device,
            stream: packet.stream,
            sequence: packet.sequence,
            device_time: packet.device_time,
            sha256: canonical.sha256,
            packet: canonical.json,
        });
    }
    let received = state.clock.0.now();
    let accepted = state.journal.submit(grant.tenant.clone(), received, submissions).await.map_err(unavailable)?;
    state.telemetry.accepted(accepted.stored, accepted.duplicates, accepted.conflicts.len());
    Ok(accepted)
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    match given.split(';').next().unwrap_or_default().trim() {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" => Ok(Format::Ndjson),
        "application/cbor" => Ok(Format::Cbor),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Content-Type must be application/json, application/x-ndjson or application/cbor",
        )),
    }
}

fn unreadable(rejection: &BytesRejection, limit: usize) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("a body may have {limit} bytes"));
    }
    Problem::new(StatusCode::BAD_REQUEST, "incomplete-body", "the body ended early; nothing was stored")
}

pub(super) fn malformed(error: BatchError) -> Problem {
    let detail = match &error {
        BatchError::Packet { index, source } => format!("packet {index}: {source}; nothing was stored"),
        other => format!("{other}; nothing was stored"),
    };
    match error {
        BatchError::Empty => Problem::new(StatusCode::BAD_REQUEST, "empty", detail),
        BatchError::TooMany { found, limit } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-many-packets", detail)
            .with("found", found)
            .with("limit", limit),
        BatchError::Malformed { .. } => Problem::new(StatusCode::BAD_REQUEST, "malformed", detail),
        BatchError::Packet { index, source } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-packet", detail)
                .with("packet", index)
                .with("element", source.element)
        }
    }
}

fn unavailable(error: JournalError) -> Problem {
    match error {
        JournalError::Busy => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too much is waiting; nothing was stored")
                .retry_after(1)
        }
        JournalError::Store(error) if error.is_full() => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "full", "there is no space left; nothing was stored")
                .retry_after(10)
        }
        JournalError::Store(_) | JournalError::Stopped => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "nothing was stored; try again").retry_after(2)
        }
    }
}

/// The acknowledgement: 202, or 409 when some numbers were taken by other content.
fn answer(accepted: &Accepted) -> Response {
    if accepted.conflicts.is_empty() {
        return (StatusCode::ACCEPTED, axum::Json(acknowledgement(accepted))).into_response();
    }
    let mut problem = Problem::new(
        StatusCode::CONFLICT,
        "sequence-conflict",
        "another packet has this sequence number: the new one is in quarantine, all others are durable",
    );
    if let Value::Object(members) = acknowledgement(accepted) {
        for (name, value) in members {
            problem = problem.with(&name, value);
        }
    }
    problem.into_response()
}

/// Per stream the highest contiguous durable number and the gaps, what was counted, and the conflicts if there are any.
pub(super) fn acknowledgement(accepted: &Accepted) -> Value {
    let streams: Vec<Value> = accepted
        .streams
        .iter()
        .map(|(device, stream, state)| {
            json!({"device": device, "stream": stream, "contiguous": state.contiguous, "gaps": state.gaps})
        })
        .collect();
    let mut answer = json!({"streams": streams, "accepted": accepted.stored, "duplicates": accepted.duplicates});
    if !accepted.conflicts.is_empty() {
        let conflict = |(device, stream, sequence): &(DeviceKey, StreamName, u64)| json!({"device": device, "stream": stream, "sequence": sequence});
        answer["conflicts"] = accepted.conflicts.iter().map(conflict).collect();
    }
    answer
}
