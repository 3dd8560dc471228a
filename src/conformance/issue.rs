//! What was found.

use serde::Serialize;

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The resource does not conform.
    Error,
    /// It conforms, and should be looked at.
    Warning,
    /// It conforms; something could not be checked.
    Information,
}

/// A code of FHIR's value set issue-type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// JSON that is not of the type's shape, or too many or too few elements.
    Structure,
    /// An element is missing.
    Required,
    /// A value is not of its type.
    Value,
    /// An invariant does not hold.
    Invariant,
    /// A code is not one of those allowed.
    CodeInvalid,
    /// An extension is not known, or not here.
    Extension,
    /// Something named is not known here; those who use it may know it.
    NotFound,
    /// Nothing in FHIR forbids it, but nobody means it.
    BusinessRule,
}

impl Code {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::CodeInvalid => "code-invalid",
            Self::Extension => "extension",
            Self::NotFound => "not-found",
            Self::BusinessRule => "business-rule",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something found in a resource; an entry of an OperationOutcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// Of what kind.
    pub code: Code,
    /// What is wrong, without values of the resource.
    pub text: String,
    /// FHIRPath of the element.
    pub expression: String,
    /// The key of the invariant that does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// The profile that asks for it, when it is not R4 itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Issue {
    /// What asks for it beside R4: the invariant's key, the profile.
    pub fn source(&self) -> Option<String> {
        let source = [self.constraint.as_deref(), self.profile.as_deref()];
        let source: Vec<&str> = source.into_iter().flatten().collect();
        (!source.is_empty()).then(|| source.join(" of "))
    }
}

/// The issues as an OperationOutcome.
pub fn outcome(issues: &[Issue]) -> serde_json::Value {
    let entry = |issue: &Issue| {
        let mut entry = serde_json::json!({
            "severity": issue.severity,
            "code": issue.code,
            "details": { "text": issue.text },
            "expression": [issue.expression],
        });
        if let Some(source) = issue.source() {
            entry["diagnostics"] = source.into();
        }
        entry
    };
    let mut entries: Vec<_> = issues.iter().map(entry).collect();
    if entries.is_empty() {
        entries.push(serde_json::json!({
            "severity": "information", "code": "informational", "details": { "text": "no issues" },
        }));
    }
    serde_json::json!({ "resourceType": "OperationOutcome", "issue": entries })
}
