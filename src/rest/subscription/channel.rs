//! `Subscription.channel`: which ways there are, and which are refused by name.

use axum::http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::extension::{self, backport, own, values};
use super::seal::{self, Given, Secrets};
use crate::alert::{Unusable, Ways};
use crate::archive::Vault;
use crate::fhir::content::Object;
use crate::rest::error::Error;
use crate::secret::Secret;
use crate::store::{ChannelKind, ChannelType, Content, HookChannel};

/// Most events in a notification, and what is sent where nothing is said.
const MOST_EVENTS: i64 = 100;
/// Longest wait for an answer, and what is waited where nothing is said, in seconds.
const LONGEST_TIMEOUT: i64 = 60;
const TIMEOUT: i64 = 10;
/// Most attempts in a row, and what is tried where nothing is said: some half an hour.
const MOST_ATTEMPTS: i64 = 18;
const ATTEMPTS: i64 = 12;
/// Headers a channel cannot set: they belong to the request.
const RESERVED: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te"];

/// What stands where a header's value stood.
const MASK: &str = "***";

/// What there is to send by, and where secrets are sealed.
pub(crate) type Channels = Option<(Ways, Vault)>;

/// Masks what of a Subscription nobody but its endpoint is to know.
pub(crate) fn mask(subscription: &mut Object) {
    if let Some(channel) = subscription.get_mut("channel") {
        extension::mask(channel, &own("secret"));
        mask_headers(channel);
    }
}

/// Reads `Subscription.channel`, masking its secrets.
pub(super) fn read(channels: &Channels, channel: &mut Value, is_topic: bool) -> Result<(HookChannel, Secrets), Error> {
    let secret = extension::mask(channel, &own("secret"));
    let headers = headers(channel)?;
    mask_headers(channel);
    let kind = kind(channel)?;
    let endpoint = endpoint(channels, channel, kind)?;
    let (payload, content) = payload(channel, kind, is_topic)?;
    if let Some(Given::Secret(secret)) = &secret {
        check_secret(channels, kind, secret)?;
    }
    let number = |url: String, least: i64, most: i64, default: i64| {
        let Some(value) = values(Some(&*channel), &url).first().copied().cloned() else { return Ok(default) };
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let wrong = || {
            Error::refused(format!("Subscription.channel.extension({name})"), format!("must be from {least} to {most}"))
        };
        number.filter(|number| (least..=most).contains(number)).ok_or_else(wrong)
    };
    let channel = HookChannel {
        kind,
        endpoint,
        payload,
        content,
        max_count: number(backport("max-count"), 1, i64::MAX, MOST_EVENTS)?.min(MOST_EVENTS),
        heartbeat_s: number(backport("heartbeat-period"), 0, 1 << 31, 0)?,
        timeout_s: number(backport("timeout"), 0, 1 << 31, TIMEOUT)?.clamp(1, LONGEST_TIMEOUT),
        attempts: number(own("max-attempts"), 1, MOST_ATTEMPTS, ATTEMPTS)?,
    };
    Ok((channel, Secrets { secret, headers }))
}

fn kind(channel: &Value) -> Result<ChannelType, Error> {
    const PATH: &str = "Subscription.channel.type";
    if !values(channel.get("_type"), &backport("channel-type")).is_empty() {
        return Err(Error::refused(PATH, "custom channel types are not supported"));
    }
    let code = channel["type"].as_str().unwrap_or_default();
    let known = [ChannelType::RestHook, ChannelType::Websocket, ChannelType::Email];
    let found = known.into_iter().find(|kind| kind.code() == code);
    found.ok_or_else(|| Error::refused(PATH, "must be rest-hook, websocket or email"))
}

fn endpoint(channels: &Channels, channel: &Value, kind: ChannelType) -> Result<String, Error> {
    const PATH: &str = "Subscription.channel.endpoint";
    let given = channel["endpoint"].as_str().unwrap_or_default();
    let check = |way: ChannelKind, address: &str| {
        let Some((ways, _)) = channels else {
            return Err(Error::refused(PATH, "this server has no way to send there"));
        };
        ways.check(way, address).map_err(|problem: Unusable| Error::refused(PATH, problem))
    };
    match kind {
        ChannelType::RestHook => {
            check(ChannelKind::Webhook, given)?;
            Ok(given.to_owned())
        }
        ChannelType::Email => {
            let address = given.strip_prefix("mailto:").unwrap_or(given);
            check(ChannelKind::Email, address)?;
            Ok(address.to_owned())
        }
        ChannelType::Websocket => Ok(String::new()),
    }
}

/// Media type, and how much is told.
fn payload(channel: &Value, kind: ChannelType, is_topic: bool) -> Result<(String, Content), Error> {
    const PATH: &str = "Subscription.channel.payload";
    let payload = channel["payload"].as_str().unwrap_or_default();
    let plain = payload.split(';').next().unwrap_or_default().trim();
    match (kind, plain) {
        (ChannelType::Email, "application/fhir+json") => {
            return Err(Error::refused(PATH, "a mail is text/plain: health data is not mailed"));
        }
        (ChannelType::RestHook, "") if is_topic => {
            return Err(Error::refused(PATH, "must be application/fhir+json for a topic"));
        }
        (ChannelType::Email, "" | "text/plain")
        | (ChannelType::RestHook | ChannelType::Websocket, "" | "application/fhir+json" | "application/json") => {}
        _ => return Err(Error::refused(PATH, "must be application/fhir+json")),
    }
    let codes = values(channel.get("_payload"), &backport("payload-content"));
    let content = match codes.first() {
        Some(code) => {
            let content = code.as_str().and_then(Content::of);
            content.ok_or_else(|| Error::refused(PATH, "content must be empty, id-only or full-resource"))?
        }
        None if is_topic || plain.is_empty() || kind == ChannelType::Email => Content::Empty,
        None => Content::FullResource,
    };
    if kind == ChannelType::Email && content == Content::FullResource {
        return Err(Error::refused(PATH, "content full-resource is not mailed"));
    }
    Ok((plain.to_owned(), content))
}

fn headers(channel: &Value) -> Result<Vec<(String, Given)>, Error> {
    let given = channel["header"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let header = |(place, text): (usize, &str)| {
        let wrong = |problem: &str| Error::refused(format!("Subscription.channel.header[{place}]"), problem);
        let (name, value) = text.split_once(':').ok_or_else(|| wrong("must be Name: value"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let is_header = HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
        if !is_header || RESERVED.contains(&name.as_str()) {
            return Err(wrong("is no header a channel can set"));
        }
        let given = if value == MASK { Given::Masked } else { Given::Secret(Secret::new(value.to_owned())) };
        Ok((name, given))
    };
    given.enumerate().map(header).collect()
}

/// Puts the mask into the place of each header's value.
fn mask_headers(channel: &mut Value) {
    for header in channel.get_mut("header").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::String(text) = header {
            let name = text.split_once(':').map_or("", |(name, _)| name.trim());
            *text = format!("{name}: {MASK}");
        }
    }
}

fn check_secret(channels: &Channels, kind: ChannelType, secret: &Secret) -> Result<(), Error> {
    let usable = kind == ChannelType::RestHook
        && channels.as_ref().is_some_and(|(ways, _)| ways.check_secret(ChannelKind::Webhook, secret).is_ok());
    if usable { Ok(()) } else { Err(Error::refused(seal::SECRET, Unusable::Secret)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_of_a_header_but_its_name_is_shown() {
        let mut subscription = Object::new();
        mask(&mut subscription);
        assert!(subscription.is_empty());
        subscription.insert(
            "channel".to_owned(),
            json!({"header": ["Authorization: Bearer a:b", "X:", "no name", null], "endpoint": "https://a.example",
                "extension": [{"url": own("secret"), "valueString": "whsec_x"}, {"url": own("max-attempts"), "valuePositiveInt": 3}]}),
        );
        mask(&mut subscription);
        let text = Value::Object(subscription.clone()).to_string();
        assert_eq!(subscription["channel"]["header"], json!(["Authorization: ***", "X: ***", ": ***", null]));
        assert!(!text.contains("whsec_x") && text.contains("masked") && text.contains("max-attempts"), "{text}");
        let once = subscription.clone();
        mask(&mut subscription);
        assert_eq!(subscription, once);
    }
}
