//! Notifications by request and by mail.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::Subscriptions;
use crate::alert;
use crate::outward;
use crate::rest::notification::{self, NotificationType, Told};
use crate::rest::seal::Opened;
use crate::store::{Content, SubscriptionRecord};

const JSON: &str = "application/fhir+json";

/// What is sent.
struct Message {
    method: reqwest::Method,
    /// After the endpoint.
    path: String,
    media: &'static str,
    body: String,
    /// The same for each attempt.
    id: String,
}

impl Subscriptions {
    /// Sends requests; anything but a success is a failure.
    pub(super) async fn hook(
        &self,
        secrets: &Opened,
        record: &SubscriptionRecord,
        kind: NotificationType,
        told: &[Told],
    ) -> Result<(), String> {
        for message in self.messages(record, kind, told) {
            self.request(secrets, record, message).await?;
        }
        Ok(())
    }

    fn messages(&self, record: &SubscriptionRecord, kind: NotificationType, told: &[Told]) -> Vec<Message> {
        let channel = &record.definition.channel;
        let numbers = (told.first().map_or(0, |one| one.event.number), told.last().map_or(0, |one| one.event.number));
        if record.definition.topic.is_some() {
            let body = notification::bundle(record, kind, told, channel.content, self.clock.now()).to_string();
            let id = format!("{}-{}-{}", record.id, numbers.0, numbers.1);
            return vec![Message { method: reqwest::Method::POST, path: String::new(), media: JSON, body, id }];
        }
        // As R4 has it: the resource is put under the endpoint, or nothing but the request tells.
        let one = |told: &Told| {
            let id = format!("{}-{}", record.id, told.event.number);
            match told.resource.as_ref().filter(|_| channel.content == Content::FullResource) {
                Some(stored) => Message {
                    method: reqwest::Method::PUT,
                    path: format!("/{}", stored.reference()),
                    media: JSON,
                    body: String::from_utf8(stored.json()).unwrap_or_default(),
                    id,
                },
                None => {
                    Message { method: reqwest::Method::POST, path: String::new(), media: "", body: String::new(), id }
                }
            }
        };
        told.iter().map(one).collect()
    }

    async fn request(&self, secrets: &Opened, record: &SubscriptionRecord, message: Message) -> Result<(), String> {
        let channel = &record.definition.channel;
        let endpoint = channel.endpoint.trim_end_matches(if message.path.is_empty() { '\0' } else { '/' });
        let url = outward::url(&format!("{endpoint}{}", message.path), self.reach);
        let url = url.ok_or_else(|| alert::Unusable::Url.to_string())?;
        let mut request = self.client.request(message.method, url);
        request = request.timeout(Duration::from_secs(u64::try_from(channel.timeout_s).unwrap_or(1)));
        for (name, value) in &secrets.headers {
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| format!("{name} is no header"))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if !message.media.is_empty() {
            request = request.header(CONTENT_TYPE, message.media);
        }
        alert::post(request, secrets.secret.as_ref(), &message.id, message.body, self.clock.now()).await
    }

    /// Sends a mail, which names nobody: that is asked for with a token.
    pub(super) async fn mail(
        &self,
        record: &SubscriptionRecord,
        kind: NotificationType,
        told: &[Told],
    ) -> Result<(), String> {
        let channel = &record.definition.channel;
        let reference = format!("{}/Subscription/{}", record.definition.base, record.id);
        let (first, last) = match (told.first(), told.last()) {
            (Some(first), Some(last)) => (first.event.number, last.event.number),
            _ => (0, 0),
        };
        let (subject, mut text) = match kind {
            NotificationType::Handshake => {
                ("A subscription begins".to_owned(), "It has not had an event.\n".to_owned())
            }
            NotificationType::Heartbeat => {
                ("A subscription is active".to_owned(), format!("It has had {} events.\n", record.events))
            }
            _ => (
                format!("{} new of a subscription", told.len()),
                format!("Events {first} to {last}: GET {reference}/$events?eventsSinceNumber={first}\n"),
            ),
        };
        if channel.content == Content::IdOnly {
            for stored in told.iter().filter_map(|told| told.resource.as_ref()) {
                text.extend([record.definition.base.as_str(), "/", stored.reference().as_str(), "\n"]);
            }
        }
        let text = format!("Subscription: {reference}\nAbout:        {}\n{text}", record.definition.criteria);
        let id = format!("{}.{first}.{last}", record.id);
        self.ways.mail(&channel.endpoint, (&subject, text), &id).await
    }
}
