//! Topics of subscriptions: `capability/topics/*.toml`. R4 has no resource for them; what they are called is a canonical URL.
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics-in-r4>

use serde::Deserialize;

use super::Path;

/// What their canonical URLs start with.
const BASE: &str = "https://afferent.dev/fhir/SubscriptionTopic/";

/// Something that happens, of which somebody may want to be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub(super) format_version: u32,
    /// Its id, the last part of its canonical URL.
    pub id: String,
    /// For people.
    pub title: String,
    /// What it is an event of.
    pub description: String,
    /// Resource type.
    pub resource: String,
    /// A search that finds what it is about, without the type; empty for all.
    #[serde(default)]
    pub query: String,
    /// Codes it must have where no search looks.
    #[serde(default, rename = "mark")]
    pub marks: Vec<Mark>,
    /// Whether it happens when a resource comes to match, and not with each version that does.
    #[serde(default)]
    pub entering: bool,
    /// Search parameters by which somebody may want to be told of less.
    pub filters: Vec<String>,
}

/// A code in an element.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Where: a CodeableConcept or a code.
    pub path: Path,
    /// System; none of what is a code alone.
    #[serde(default)]
    pub system: String,
    /// Code.
    pub code: String,
}

impl Topic {
    /// Its canonical URL.
    pub fn url(&self) -> String {
        format!("{BASE}{}", self.id)
    }
}
