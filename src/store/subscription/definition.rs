//! What a subscription asks for, read from its resource.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelType {
    /// A request to a URL.
    RestHook,
    /// A message to whoever is bound.
    Websocket,
    /// A mail.
    Email,
}

impl ChannelType {
    /// The code of `Subscription.channel.type`.
    pub fn code(self) -> &'static str {
        match self {
            Self::RestHook => "rest-hook",
            Self::Websocket => "websocket",
            Self::Email => "email",
        }
    }
}

/// How much somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// That something happened.
    Empty,
    /// And to which resource.
    IdOnly,
    /// And what it is.
    FullResource,
}

impl Content {
    /// The code of the extension.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::IdOnly => "id-only",
            Self::FullResource => "full-resource",
        }
    }

    /// That of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::Empty, Self::IdOnly, Self::FullResource].into_iter().find(|content| content.code() == code)
    }
}

/// The way events take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookChannel {
    /// Of which kind.
    pub kind: ChannelType,
    /// URL, or `mailto:` address; none for websockets.
    pub endpoint: String,
    /// Media type; empty where nothing but the request is sent.
    pub payload: String,
    /// How much is told.
    pub content: Content,
    /// Most events in one notification.
    pub max_count: i64,
    /// After so many seconds without an event something is sent all the same; 0 for never.
    pub heartbeat_s: i64,
    /// After so many seconds an attempt has failed.
    pub timeout_s: i64,
    /// So many attempts in a row fail until nothing is sent any more.
    pub attempts: i64,
}

/// What a subscription asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Service base URL it was made at: what references in notifications start with.
    pub base: String,
    /// `Subscription.criteria`: the canonical URL of a topic, or a search.
    pub criteria: String,
    /// Id of the topic, where it is a topic's.
    pub topic: Option<String>,
    /// Searches, without the type; all of them must find what it is told of.
    pub filters: Vec<String>,
    /// The way events take.
    pub channel: HookChannel,
    /// When it ends.
    pub end: Option<Instant>,
}
