//! Parameters of history. <https://hl7.org/fhir/R4/http.html#history>

use super::{CURSOR, DEFAULT_COUNT, Pairs, bounded, count, ignored, is_about_form, refused};
use crate::rest::error::Error;
use crate::rest::extract::Handling;

/// Which versions to answer.
#[derive(Debug, Clone)]
pub(crate) struct HistoryParameters {
    /// Most of them.
    pub(crate) count: usize,
    /// Only those older than this one.
    pub(crate) before: Option<i64>,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
}

impl HistoryParameters {
    /// Reads the parameters; a history Bundle has no place for a warning, so lenient handling just leaves them out of `self`.
    pub(crate) fn parse(pairs: Pairs, handling: Handling) -> Result<Self, Error> {
        let mut parsed = Self { count: DEFAULT_COUNT, before: None, used: Pairs::new() };
        let mut unknown = Vec::new();
        for (name, value) in bounded(pairs)? {
            match name.as_str() {
                "_count" => parsed.count = count(&value)?,
                CURSOR => {
                    let before = value.parse().ok().filter(|before| *before > 0);
                    parsed.before =
                        Some(before.ok_or_else(|| Error::invalid(CURSOR, "not a position in this history"))?);
                    continue;
                }
                name if is_about_form(name) => {}
                name => {
                    unknown.push(ignored(name, &format!("{name} is not supported on history")));
                    continue;
                }
            }
            parsed.used.push((name, value));
        }
        match handling {
            Handling::Strict if !unknown.is_empty() => Err(Error::Unsupported(refused(&unknown))),
            _ => Ok(parsed),
        }
    }
}
