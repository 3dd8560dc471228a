//! `GET /subscription/websocket`: notifications to whoever binds.
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets>
//!
//! A client says `bind-with-token TOKEN` and gets a handshake of each subscription the token is for, then each event as it
//! comes from then on; with `bind-with-token TOKEN NUMBER` what came after that number, which is how it catches up. Each connection reads the log of events at its own pace, so one that is slow waits
//! for itself; it may be made anew at any node, since nothing of it is kept but the log.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{LOOK, Subscriptions};
use crate::auth::Auth;
use crate::id::{ResourceId, TenantId};
use crate::rest::notification::{self, NotificationType};
use crate::store::{Content, StoreError, SubscriptionStatus};
use crate::time::{Instant, MICROS};

const PROTOCOL: &str = "ws";
/// Most bytes a client says at once.
const MOST_BYTES: usize = 4096;
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for heartbeats and ends where this process is alone.
const ALONE: Duration = Duration::from_secs(1);
/// A client that has bound nothing for so long is sent away.
const UNBOUND: Duration = Duration::from_secs(60);
/// Most subscriptions of a connection.
const MOST_BOUND: usize = 256;

/// The route.
pub fn router(subscriptions: Subscriptions) -> Router {
    Router::new().route("/subscription/websocket", get(open)).with_state(subscriptions)
}

async fn open(State(subscriptions): State<Subscriptions>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.max_message_size(MOST_BYTES).max_frame_size(MOST_BYTES).protocols([PROTOCOL]);
    upgrade.on_upgrade(move |socket| async move {
        // Whoever went away is told nothing more, and whoever is told wrong comes back.
        let _ = Session { subscriptions, socket, bound: Vec::new() }.serve().await;
    })
}

/// A subscription a connection is bound to.
struct Bound {
    tenant: TenantId,
    id: ResourceId,
    /// The number of the last event that was sent here.
    sent: i64,
    contact: Instant,
}

struct Session {
    subscriptions: Subscriptions,
    socket: WebSocket,
    bound: Vec<Bound>,
}

/// Why a connection ends.
enum Over {
    Gone,
    Store,
}

impl From<StoreError> for Over {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl Session {
    async fn serve(mut self) -> Result<(), Over> {
        let mut numbered = self.subscriptions.numbered.subscribe();
        loop {
            // Where others match as well, this process does not hear of it.
            let look = if self.subscriptions.store.is_shared() { LOOK } else { ALONE };
            let wait = if self.bound.is_empty() { UNBOUND } else { look };
            tokio::select! {
                message = self.socket.recv() => self.heard(message).await?,
                _ = numbered.changed(), if !self.bound.is_empty() => {}
                () = tokio::time::sleep(wait) => {
                    if self.bound.is_empty() {
                        return Err(Over::Gone);
                    }
                }
            }
            self.tell().await?;
        }
    }

    async fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Over> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            _ => return Err(Over::Gone),
        };
        let mut words = text.split_whitespace();
        let (verb, token, after) = (words.next(), words.next(), words.next());
        let after = after.map(str::parse::<i64>).transpose();
        match (verb, token, after) {
            (Some("bind-with-token"), Some(token), Ok(after)) => self.bind(token, after).await,
            _ => {
                self.refuse("say: bind-with-token TOKEN, and the number of the last event you have if you have any")
                    .await
            }
        }
    }

    async fn bind(&mut self, token: &str, after: Option<i64>) -> Result<(), Over> {
        let Some(binding) = self.subscriptions.store.binding(&Auth::token_hash(token)).await? else {
            return self.refuse("the token is not known, or it is too old").await;
        };
        for id in binding.subscriptions {
            let Some(record) = self.subscriptions.store.subscription(&binding.tenant, &id).await? else { continue };
            if self.bound.len() >= MOST_BOUND {
                return self.refuse("this connection is bound to too many subscriptions").await;
            }
            let now = self.subscriptions.clock.now();
            let handshake = notification::bundle(&record, NotificationType::Handshake, &[], Content::Empty, now);
            self.send(&handshake).await?;
            self.bound.retain(|bound| bound.id != id || bound.tenant != binding.tenant);
            let sent = after.unwrap_or(record.events);
            self.bound.push(Bound { tenant: binding.tenant.clone(), id, sent, contact: now });
        }
        Ok(())
    }

    /// Sends what each subscription has to say.
    async fn tell(&mut self) -> Result<(), Over> {
        let mut place = 0;
        while let Some(bound) = self.bound.get(place) {
            let (tenant, id, sent, contact) = (bound.tenant.clone(), bound.id.clone(), bound.sent, bound.contact);
            let Some(record) = self.subscriptions.store.subscription(&tenant, &id).await? else {
                self.bound.remove(place);
                continue;
            };
            let bearer = self.subscriptions.watching.subscriber(&tenant, &record.standing).await?;
            let (Some(bearer), true) = (bearer, record.status != SubscriptionStatus::Off) else {
                let now = self.subscriptions.clock.now();
                let end = notification::bundle(&record, NotificationType::QueryStatus, &[], Content::Empty, now);
                self.send(&end).await?;
                self.bound.remove(place);
                continue;
            };
            place += 1;
            if record.status != SubscriptionStatus::Active {
                continue;
            }
            let channel = &record.definition.channel;
            let now = self.subscriptions.clock.now();
            let is_silent = channel.heartbeat_s > 0 && contact.plus(channel.heartbeat_s * MICROS) <= now;
            let (kind, told) = if record.events > sent {
                let told = self.subscriptions.told(&record, &bearer, sent, channel.max_count).await?;
                (NotificationType::Event, told)
            } else if is_silent {
                (NotificationType::Heartbeat, Vec::new())
            } else {
                continue;
            };
            // What is too old to be kept cannot be told.
            let last = told.last().map_or(record.events, |told| told.event.number);
            if kind == NotificationType::Heartbeat || !told.is_empty() {
                let bundle = notification::bundle(&record, kind, &told, channel.content, now);
                let sent = self.send(&bundle).await;
                self.subscriptions.telemetry.notified(channel.kind.code(), sent.is_ok());
                sent?;
            }
            if let Some(bound) = self.bound.get_mut(place - 1) {
                (bound.sent, bound.contact) = (last, now);
                // There may be more.
                place -= usize::from(record.events > last);
            }
        }
        Ok(())
    }

    async fn refuse(&mut self, problem: &str) -> Result<(), Over> {
        let issue = json!({"severity": "error", "code": "security", "details": {"text": problem}});
        self.send(&json!({"resourceType": "OperationOutcome", "issue": [issue]})).await?;
        Err(Over::Gone)
    }

    async fn send(&mut self, value: &Value) -> Result<(), Over> {
        let sending = self.socket.send(Message::Text(value.to_string().into()));
        match timeout(PATIENCE, sending).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over::Gone),
        }
    }
}
