//! From the query of a URL to a typed search. <https://hl7.org/fhir/R4/search.html>
//!
//! A parameter with a malformed value is refused by name. A parameter this server does not have is ignored and reported
//! (`handling=lenient`, the default) or refused (`handling=strict`), never dropped in silence. A modifier it does not have
//! is always refused: leaving it out would change what the search means.

mod composite;
mod definition;
mod filter;
mod history;
mod include;
mod number;
mod search;
mod shape;
mod system;
mod value;

pub(super) use definition::DefinitionParameters;
pub(super) use history::HistoryParameters;
pub(super) use search::SearchParameters;
pub(super) use shape::Shape;
pub(super) use system::SystemParameters;

use super::conformance::Definitions;
use super::error::Error;
use crate::capability::Capability;
use crate::fhir::outcome::{Issue, Severity};

/// Names and values in the order they came.
pub(super) type Pairs = Vec<(String, String)>;

/// What the meaning of a search depends on beside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// What can be searched.
    pub(super) capability: &'a Capability,
    /// Value sets.
    pub(super) definitions: &'a Definitions,
    /// The service's base URL.
    pub(super) base: &'a str,
}

/// Why a parameter does not take effect.
#[derive(Debug)]
enum Refusal {
    Ignored(Issue),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Most parameters in one request.
const MOST_PARAMETERS: usize = 64;

/// Matches on a page where the client does not say.
const DEFAULT_COUNT: usize = 50;

/// Most matches on a page, whatever the client says.
const MOST_COUNT: usize = 1000;

/// The parameter that carries a position in `next` links.
const CURSOR: &str = "_cursor";

/// Decodes a query string.
pub(super) fn pairs(query: Option<&str>) -> Pairs {
    let decoded = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
    decoded.filter(|(name, value)| !(name.is_empty() && value.is_empty())).collect()
}

/// `path?used&_cursor=…`
pub(super) fn link(path: &str, used: &[(String, String)], cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(used);
    if let Some(cursor) = cursor {
        query.append_pair(CURSOR, cursor);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The report about a parameter that was left out.
fn ignored(name: &str, why: &str) -> Issue {
    let details = format!("{why}; the parameter was ignored");
    Issue {
        severity: Severity::Warning,
        code: "not-supported",
        details,
        expression: Some(name.to_owned()),
        diagnostics: None,
    }
}

/// The same issues as errors, for a request that asked to be refused.
pub(super) fn refused(issues: &[Issue]) -> Vec<Issue> {
    let refuse = |issue: &Issue| {
        let details = issue.details.trim_end_matches("; the parameter was ignored").to_owned();
        Issue { severity: Severity::Error, details, ..issue.clone() }
    };
    issues.iter().map(refuse).collect()
}

/// Refuses a query with too many parameters to be meant.
fn bounded(pairs: Pairs) -> Result<Pairs, Error> {
    if pairs.len() > MOST_PARAMETERS {
        return Err(Error::invalid("query", format!("more than {MOST_PARAMETERS} parameters")));
    }
    Ok(pairs)
}

/// `_count`, cut to the most a page holds.
fn count(value: &str) -> Result<usize, Error> {
    let digits = !value.is_empty() && value.len() <= 9 && value.bytes().all(|b| b.is_ascii_digit());
    let count: Option<usize> = value.parse().ok().filter(|_| digits);
    count.map(|n| n.min(MOST_COUNT)).ok_or_else(|| Error::invalid("_count", "must be a whole number"))
}

/// Whether the parameter is about the answer's form, which is settled before the search is read.
fn is_about_form(name: &str) -> bool {
    matches!(name, "_format" | "_pretty")
}
