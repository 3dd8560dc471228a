//! An alert as a mail.

use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use serde_json::{Value, json};

use super::given::MailSettings;
use super::webhook::id;
use crate::store::Sending;

/// Sends mails.
#[derive(Clone)]
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Mailer {
    /// By this server.
    pub(super) fn new(settings: &MailSettings, timeout: Duration) -> anyhow::Result<Self> {
        let wrong = || anyhow::anyhow!("smtp: must be smtps://USER:PASSWORD@HOST or smtp://HOST?tls=required");
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.server.expose()).map_err(|_| wrong())?;
        let from = settings.from.parse().map_err(|error| anyhow::anyhow!("from: {error}"))?;
        Ok(Self { transport: builder.timeout(Some(timeout)).build(), from })
    }

    pub(super) async fn send(&self, to: &str, sending: &Sending) -> Result<(), String> {
        let (subject, text) = content(sending);
        self.send_text(to, (&subject, text), &format!("{}.{}", id(sending), sending.channel)).await
    }

    /// Sends a text; `id` tells a repetition.
    pub(super) async fn send_text(&self, to: &str, (subject, text): (&str, String), id: &str) -> Result<(), String> {
        let to = address(to).ok_or("the address is none")?;
        let message = self.message(to, (subject, text), id).map_err(|error| error.to_string())?;
        // What a server says of a mail may name who it is to.
        let failed = |error: lettre::transport::smtp::Error| match error.status() {
            Some(code) => format!("the mail server answered {code}"),
            None => format!("the mail server cannot be asked: {error}"),
        };
        self.transport.send(message).await.map(drop).map_err(failed)
    }

    fn message(&self, to: Address, (subject, text): (&str, String), id: &str) -> Result<Message, lettre::error::Error> {
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
    }
}

/// Subject and text.
fn content(sending: &Sending) -> (String, String) {
    let (kind, severity) = (word(&json!(sending.kind)), word(&json!(sending.severity)));
    let text = format!(
        "{}.\n\nTenant:      {}\nAlert:       {}\nKind:        {kind}\nSeverity:    {severity}\nRaised:      {}\n\
         Occurrences: {}\n\nWhat it is about: GET /api/v1/alerts/{}\n",
        sending.detail,
        sending.tenant,
        sending.alert,
        sending.raised.to_fhir(),
        sending.occurrences,
        sending.alert,
    );
    (format!("[{severity}] {}", sending.detail), text)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An e-mail address.
pub(super) fn address(text: &str) -> Option<Address> {
    text.parse().ok()
}
