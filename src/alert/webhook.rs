//! An alert as a POST. <https://www.standardwebhooks.com> has the header by which a receiver knows a repetition.

use reqwest::{Client, Url};
use serde_json::{Value, json};

use crate::store::Sending;

/// Sends one; anything but a success is a failure.
pub(super) async fn send(client: &Client, url: Url, sending: &Sending) -> Result<(), String> {
    let request = client.post(url).header("webhook-id", id(sending)).json(&body(sending));
    // A webhook's URL is often all the secret it has.
    let response = request.send().await.map_err(|error| describe(error.without_url()))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(format!("the answer was {}", response.status().as_u16()))
}

/// The same for every attempt.
pub(super) fn id(sending: &Sending) -> String {
    format!("{}-{}", sending.alert, sending.raising)
}

fn body(sending: &Sending) -> Value {
    json!({
        "tenant": sending.tenant,
        "id": sending.alert,
        "kind": sending.kind,
        "severity": sending.severity,
        "detail": sending.detail,
        "raised": sending.raised.to_rfc3339(),
        "occurrences": sending.occurrences,
    })
}

/// An error with what it comes from.
fn describe(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
