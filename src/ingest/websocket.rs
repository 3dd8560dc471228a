//! `GET /ingest/stream`: packets in as messages, cumulative acknowledgements out.
//!
//! A text message is JSON, a binary one CBOR; each holds a packet or an array of packets. The socket is read only as fast
//! as the journal writes, so a sender is slowed by TCP's own flow control. An acknowledgement covers everything up to its
//! `contiguous` number, so a lost one does no harm.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::IngestState;
use super::http::{acknowledgement, malformed, submit};
use crate::auth::Bearer;
use crate::packet::{Format, parse_batch};
use crate::problem::Problem;

/// Subprotocol for clients that cannot set headers (browsers): `afferent.bearer.<key>`.
const BEARER_PROTOCOL: &str = "afferent.bearer.";
const PROTOCOL: &str = "afferent.packets";

pub(super) async fn stream(
    State(state): State<IngestState>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    match authenticate(&state, &headers).await {
        Ok(grant) => {
            let size = state.config.body_bytes;
            upgrade
                .max_message_size(size)
                .max_frame_size(size)
                .protocols([PROTOCOL])
                .on_upgrade(move |socket| serve(socket, state, grant))
        }
        Err(problem) => {
            state.telemetry.refused(problem.kind());
            problem.into_response()
        }
    }
}

async fn authenticate(state: &IngestState, headers: &HeaderMap) -> Result<Arc<Bearer>, Problem> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let token = offered.split(',').find_map(|p| p.trim().strip_prefix(BEARER_PROTOCOL));
    let grant = match token {
        Some(token) => state.auth.authenticate_token(token).await,
        None => state.auth.authenticate(headers.get(header::AUTHORIZATION)).await,
    };
    let grant = grant?;
    if grant.may_ingest() {
        return Ok(grant);
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the key has no ingest scope"))
}

async fn serve(mut socket: WebSocket, state: IngestState, grant: Arc<Bearer>) {
    while let Some(Ok(message)) = socket.recv().await {
        let (format, body) = match &message {
            Message::Text(text) => (Format::Json, text.as_bytes()),
            Message::Binary(bytes) => (Format::Cbor, bytes.as_ref()),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        let result = match parse_batch(format, body, state.config.limits) {
            Ok(packets) => submit(&state, &grant, packets).await,
            Err(error) => Err(malformed(error)),
        };
        let reply = match result {
            Ok(accepted) => acknowledgement(&accepted),
            Err(problem) => {
                state.telemetry.refused(problem.kind());
                json!({"problem": problem.body()})
            }
        };
        if socket.send(Message::Text(reply.to_string().into())).await.is_err() {
            return;
        }
    }
}
