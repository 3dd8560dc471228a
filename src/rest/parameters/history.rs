//! Parameters of history. <https://hl7.org/fhir/R4/http.html#history>

use super::{CURSOR, DEFAULT_COUNT, Pairs, bounded, count, ignored, is_about_form, refused};
use crate::rest::error::Error;
use crate::rest::extract::Handling;
use crate::store::date::Span;
use crate::store::{Place, Versions};

/// Which versions to answer.
#[derive(Debug, Clone)]
pub(crate) struct HistoryParameters {
    count: usize,
    since_us: Option<i64>,
    at: Option<Span>,
    /// Where the page before ended.
    pub(crate) after: Option<Place>,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
}

impl HistoryParameters {
    /// Reads the parameters; a history Bundle has no place for a warning, so lenient handling just leaves them out of `self`.
    pub(crate) fn parse(pairs: Pairs, handling: Handling) -> Result<Self, Error> {
        let mut parsed = Self { count: DEFAULT_COUNT, since_us: None, at: None, after: None, used: Pairs::new() };
        let mut unknown = Vec::new();
        for (name, value) in bounded(pairs)? {
            let span = || Span::parse(&value).map_err(|problem| Error::invalid(&name, problem));
            match name.as_str() {
                "_count" => parsed.count = count(&value)?,
                "_since" => parsed.since_us = Some(span()?.from),
                "_at" => parsed.at = Some(span()?),
                CURSOR => {
                    let place = Place::decode(&value);
                    parsed.after = Some(place.ok_or_else(|| Error::invalid(CURSOR, "not a position in this history"))?);
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

    /// Whether only some of the versions are asked for.
    pub(crate) fn is_filtered(&self) -> bool {
        self.since_us.is_some() || self.at.is_some()
    }

    /// Those of these types.
    pub(crate) fn versions(&self, kinds: Vec<String>) -> Versions {
        let (since_us, at, after) = (self.since_us, self.at, self.after.clone());
        Versions { kinds, id: None, since_us, at, after, count: self.count }
    }
}
