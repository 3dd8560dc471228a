//! Sends alerts: to the log always, and by the ways a tenant has asked for, a webhook or a mail.
//!
//! What is to be sent stands in the store, written with what raised the alert. A round takes what is due and tries each at
//! once; what fails is due again later, after a time that doubles. Killed between sending and writing that down, it sends once
//! more: a receiver knows the repetition by its id. What is sent names no person and no device: that is asked for with a key.

mod given;
mod mail;
mod seal;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

pub use given::{Given, Settings};
use mail::Mailer;
pub use seal::{Sealed, origin};
pub(crate) use webhook::post;

use crate::archive::Vault;
use crate::outward::{self, Reach};
use crate::secret::Secret;
use crate::store::{ChannelKind, DispatchState, Sending, Store, StoreError, Unsealed};
use crate::time::{Clock, Instant, MICROS, doubled};

/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// What is sent at once.
const AT_ONCE: i64 = 32;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long it is nobody else's: longer than it may take.
const LEASE_US: i64 = 60 * MICROS;
/// The first and the longest wait, and the number of attempts: some six hours.
const FIRST_US: i64 = 5 * MICROS;
const LONGEST_US: i64 = 3600 * MICROS;
const ATTEMPTS: i64 = 16;

/// Why an address is none alerts can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A URL that is not asked.
    #[error("must be an https URL at a public address, without a password and a fragment")]
    Url,
    /// Not an e-mail address.
    #[error("must be an e-mail address")]
    Address,
    /// Nothing a message can be signed with.
    #[error("must be a webhook's: whsec_ and 24 to 64 bytes in base64")]
    Secret,
    /// No mail can be sent.
    #[error("this server sends no mail: it has no alerts.smtp and alerts.from")]
    NoMail,
}

/// The ways there are.
#[derive(Debug, Clone)]
pub struct Ways {
    client: reqwest::Client,
    reach: Reach,
    mailer: Option<Mailer>,
}

impl Ways {
    /// Those of these settings; webhooks lead no further than `reach`.
    ///
    /// # Errors
    /// TLS cannot be set up, or the mail server or the sender cannot be.
    pub fn new(settings: &Settings, reach: Reach) -> anyhow::Result<Self> {
        let mailer = settings.mail.as_ref().map(|mail| Mailer::new(mail, TIMEOUT)).transpose()?;
        Ok(Self { client: outward::client(reach, TIMEOUT)?, reach, mailer })
    }

    /// Whether alerts can be sent there.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn check(&self, kind: ChannelKind, address: &str) -> Result<(), Unusable> {
        match kind {
            ChannelKind::Webhook => outward::url(address, self.reach).map(drop).ok_or(Unusable::Url),
            ChannelKind::Email if self.mailer.is_none() => Err(Unusable::NoMail),
            ChannelKind::Email => mail::address(address).map(drop).ok_or(Unusable::Address),
        }
    }

    /// Whether messages can be signed with a secret.
    ///
    /// # Errors
    /// [`Unusable::Secret`].
    pub fn check_secret(&self, kind: ChannelKind, secret: &Secret) -> Result<(), Unusable> {
        let usable = kind == ChannelKind::Webhook && webhook::key(secret).is_some();
        if usable { Ok(()) } else { Err(Unusable::Secret) }
    }

    /// Sends a mail; what was wrong where it could not be, without the address. With the same id it is the same mail.
    pub(crate) async fn mail(&self, to: &str, (subject, text): (&str, String), id: &str) -> Result<(), String> {
        let mailer = self.mailer.as_ref().ok_or_else(|| Unusable::NoMail.to_string())?;
        mailer.send_text(to, (subject, text), id).await
    }

    /// Sends one; what was wrong where it could not be, without the address.
    async fn send(&self, vault: &Vault, sending: &Sending, now: Instant) -> Result<(), String> {
        match &sending.to {
            Some((ChannelKind::Webhook, _)) => {
                let sealed = sending.sealed.as_deref().ok_or("the channel is about to be sealed")?;
                let open = Sealed::open(vault, &sending.tenant, &sending.channel, sealed).await;
                let Sealed { url, secret } = open.map_err(|error| error.to_string())?;
                let url = outward::url(url.expose(), self.reach).ok_or_else(|| Unusable::Url.to_string())?;
                webhook::send(&self.client, url, secret.as_ref(), sending, now).await
            }
            Some((ChannelKind::Email, address)) => {
                let mailer = self.mailer.as_ref().ok_or_else(|| Unusable::NoMail.to_string())?;
                mailer.send(address, sending).await
            }
            None if sending.channel.is_log() => {
                log(sending);
                Ok(())
            }
            None => Err("the channel is gone".to_owned()),
        }
    }
}

fn log(sending: &Sending) {
    let Sending { tenant, alert, kind, severity, detail, occurrences, .. } = sending;
    tracing::warn!(%tenant, %alert, ?kind, ?severity, occurrences, "alert: {detail}");
}

/// Sends what is due.
#[derive(Clone)]
pub struct Sender {
    store: Store,
    clock: Arc<dyn Clock>,
    vault: Vault,
    ways: Ways,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("ways", &self.ways).finish_non_exhaustive()
    }
}

impl Sender {
    /// One that goes by this clock.
    pub fn new(store: Store, clock: Arc<dyn Clock>, vault: Vault, ways: Ways) -> Self {
        Self { store, clock, vault, ways }
    }

    /// Sends for as long as the server runs.
    pub fn start(self) {
        tokio::spawn(async move {
            while let Err(error) = self.seal().await {
                tracing::error!(error = &*error, "alert channels cannot be sealed, trying again");
                tokio::time::sleep(ROUND).await;
            }
            loop {
                if let Err(error) = self.round().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "alerts cannot be sent, trying again");
                }
                tokio::time::sleep(ROUND).await;
            }
        });
    }

    /// Seals what was not when there was no vault yet.
    async fn seal(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for Unsealed { tenant, mut channel, secret } in self.store.unsealed_channels().await? {
            let sealed = Sealed { url: Secret::new(std::mem::take(&mut channel.address)), secret };
            channel.address = origin(sealed.url.expose());
            channel.is_signed = sealed.secret.is_some();
            channel.sealed = Some(sealed.seal(&self.vault, &tenant, &channel.id).await?);
            self.store.put_channel(&tenant, &channel).await?;
        }
        Ok(())
    }

    /// One round; how many were tried.
    ///
    /// # Errors
    /// The store failed; what was sent and not written down is sent again.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let taken = self.store.take_alerts(self.clock.now().plus(LEASE_US), AT_ONCE).await?;
        let results =
            join_all(taken.iter().map(|sending| self.ways.send(&self.vault, sending, self.clock.now()))).await;
        for (sending, result) in taken.iter().zip(&results) {
            let problem = result.as_ref().err().map(String::as_str);
            let state = match problem {
                None => DispatchState::Sent,
                Some(_) if sending.attempts + 1 < ATTEMPTS => DispatchState::Pending,
                Some(problem) => {
                    let (tenant, channel) = (&sending.tenant, &sending.channel);
                    tracing::error!(%tenant, alert = %sending.alert, %channel, problem, "an alert was not sent");
                    DispatchState::Failed
                }
            };
            let again = self.clock.now().plus(wait(sending.attempts));
            self.store.alert_tried(sending, state, again, problem).await?;
        }
        Ok(taken.len())
    }
}

/// How long to wait after an attempt, of which there were so many before.
fn wait(attempts: i64) -> i64 {
    doubled(FIRST_US, attempts, LONGEST_US)
}

#[cfg(test)]
mod tests;
