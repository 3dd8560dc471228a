//! An alert as a POST, by <https://www.standardwebhooks.com>: with an id by which a receiver knows a repetition, and, where the
//! channel has a secret, signed with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use ring::hmac;
use serde_json::json;

use crate::secret::Secret;
use crate::store::Sending;
use crate::time::{Instant, MICROS};

/// Sends one; anything but a success is a failure.
pub(super) async fn send(
    client: &Client,
    url: Url,
    secret: Option<&Secret>,
    sending: &Sending,
    now: Instant,
) -> Result<(), String> {
    let request = client.post(url).header(CONTENT_TYPE, "application/json");
    post(request, secret, &id(sending), body(sending), now).await
}

/// Sends a request with a body, signed where there is a secret; anything but a success is a failure. With the same id it is the
/// same message.
pub(crate) async fn post(
    request: RequestBuilder,
    secret: Option<&Secret>,
    id: &str,
    body: String,
    now: Instant,
) -> Result<(), String> {
    let at = now.0.div_euclid(MICROS);
    let mut request = request.header("webhook-id", id).header("webhook-timestamp", at);
    if let Some(secret) = secret {
        let key = key(secret).ok_or("the secret cannot be used")?;
        request = request.header("webhook-signature", signature(&key, id, at, &body));
    }
    // A webhook's URL is often all the secret it has.
    let response = request.body(body).send().await.map_err(|error| describe(error.without_url()))?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(format!("the answer was {}", response.status().as_u16()))
}

/// The same for every attempt.
pub(super) fn id(sending: &Sending) -> String {
    format!("{}-{}", sending.alert, sending.raising)
}

/// The key that a secret is.
pub(super) fn key(secret: &Secret) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(key: &hmac::Key, id: &str, at: i64, body: &str) -> String {
    format!("v1,{}", STANDARD.encode(hmac::sign(key, format!("{id}.{at}.{body}").as_bytes())))
}

fn body(sending: &Sending) -> String {
    let alert = json!({
        "tenant": sending.tenant,
        "id": sending.alert,
        "kind": sending.kind,
        "severity": sending.severity,
        "detail": sending.detail,
        "raised": sending.raised.to_rfc3339(),
        "occurrences": sending.occurrences,
    });
    alert.to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_standard_says() {
        // The example of its specification.
        let secret = |text: &str| Secret::new(text.to_owned());
        let key = key(&secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for bad in ["", "whsec_", "whsec_AAAA", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(super::key(&secret(bad)).is_none(), "{bad}");
        }
    }
}
