//! What was given of the settings, by flags, environment or file.

use serde::Deserialize;

use crate::secret::Secret;

/// What was given, by flags, environment or file.
#[derive(Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
#[group(skip)]
#[command(next_help_heading = "Alerts")]
pub struct Given {
    /// Mail server, smtps://USER:PASSWORD@HOST or smtp://HOST?tls=required [default: no mail is sent].
    #[arg(id = "alerts_smtp", long = "alerts-smtp", env = "AFFERENT_ALERTS_SMTP", hide_env_values = true)]
    pub smtp: Option<String>,
    /// Sender of mails.
    #[arg(id = "alerts_from", long = "alerts-from", env = "AFFERENT_ALERTS_FROM")]
    pub from: Option<String>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("from", &self.from).finish_non_exhaustive()
    }
}

/// How alerts are sent.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// By which server mails are sent; nothing where none are.
    pub(super) mail: Option<MailSettings>,
}

/// The mail server.
#[derive(Debug, Clone)]
pub(super) struct MailSettings {
    pub(super) server: Secret,
    pub(super) from: String,
}

impl Given {
    /// This, and where it says nothing, `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { smtp: self.smtp.or(other.smtp), from: self.from.or(other.from) }
    }

    /// The settings.
    ///
    /// # Errors
    /// One of two that go together is missing.
    pub fn build(self) -> Result<Settings, &'static str> {
        match (self.smtp, self.from) {
            (None, None) => Ok(Settings::default()),
            (Some(server), Some(from)) => {
                Ok(Settings { mail: Some(MailSettings { server: Secret::new(server), from }) })
            }
            _ => Err("alerts: smtp and from go together"),
        }
    }
}
