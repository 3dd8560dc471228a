//! What is read of a StructureDefinition.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StructureDefinition {
    pub(super) url: String,
    #[serde(default)]
    pub(super) version: String,
    pub(super) kind: String,
    #[serde(rename = "abstract", default)]
    pub(super) is_abstract: bool,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    pub(super) base_definition: Option<String>,
    pub(super) derivation: Option<String>,
    #[serde(default)]
    pub(super) context: Vec<Context>,
    #[serde(default)]
    pub(super) context_invariant: Vec<String>,
    pub(super) snapshot: Option<View>,
    pub(super) differential: Option<View>,
}

#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) element: Vec<Element>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Context {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) expression: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Element {
    #[serde(default)]
    pub(super) id: String,
    pub(super) path: String,
    pub(super) min: Option<u32>,
    pub(super) max: Option<String>,
    pub(super) content_reference: Option<String>,
    #[serde(rename = "type", default)]
    pub(super) types: Vec<Type>,
    pub(super) binding: Option<Binding>,
    #[serde(default)]
    pub(super) constraint: Vec<Constraint>,
    pub(super) max_length: Option<u32>,
    pub(super) slicing: Option<Slicing>,
    #[serde(default)]
    pub(super) is_modifier: bool,
    pub(super) base: Option<Base>,
    /// Among others `fixed[x]` and `pattern[x]`.
    #[serde(flatten)]
    pub(super) other: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Base {
    pub(super) path: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Type {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) profile: Vec<String>,
    #[serde(default)]
    pub(super) target_profile: Vec<String>,
    #[serde(default)]
    pub(super) aggregation: Vec<String>,
    #[serde(default)]
    pub(super) extension: Vec<Extension>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Extension {
    pub(super) url: String,
    #[serde(rename = "valueUrl", alias = "valueUri", alias = "valueCanonical", alias = "valueString")]
    pub(super) value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    pub(super) strength: String,
    pub(super) value_set: Option<String>,
    #[serde(default)]
    pub(super) extension: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Constraint {
    pub(super) key: String,
    pub(super) severity: String,
    pub(super) expression: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Slicing {
    #[serde(default)]
    pub(super) discriminator: Vec<Discriminator>,
    #[serde(default)]
    pub(super) rules: String,
    #[serde(default)]
    pub(super) ordered: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Discriminator {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) path: String,
}

const TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";

impl Type {
    /// The type's name; primitives' own parts name FHIRPath's types, and beside them FHIR's.
    pub(super) fn name(&self) -> &str {
        let own =
            self.extension.iter().find(|extension| extension.url == TYPE).and_then(|known| known.value.as_deref());
        match (self.code.rsplit_once("/System."), own) {
            (Some(_), Some(own)) => own,
            (Some(_), None) => "string",
            (None, _) => self.code.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(&self.code),
        }
    }
}

impl Element {
    /// The value of `fixed[x]` or `pattern[x]`.
    pub(super) fn prefixed(&self, prefix: &str) -> Option<&Value> {
        let upper = |name: &str| name.starts_with(|first: char| first.is_ascii_uppercase());
        self.other.iter().find(|(key, _)| key.strip_prefix(prefix).is_some_and(upper)).map(|(_, value)| value)
    }
}
