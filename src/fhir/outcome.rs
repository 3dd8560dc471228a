//! OperationOutcome. <https://hl7.org/fhir/R4/operationoutcome.html>

use crate::make::{element, list, object, text, texts};
use crate::{Element, Primitive, Value, json};

/// `OperationOutcome.issue.severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The request failed.
    Error,
    /// The request was served, but not quite as asked.
    Warning,
    /// For the reader's information.
    Information,
}

/// One `OperationOutcome.issue`.
#[derive(Debug, Clone)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// A code of <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    pub code: &'static str,
    /// What happened, for a person. Never holds another tenant's or a patient's data.
    pub details: String,
    /// The parameter or the FHIRPath of the element at fault.
    pub expression: Option<String>,
    /// What asks for it: the key of an invariant, a profile.
    pub diagnostics: Option<String>,
}

impl Issue {
    /// An error.
    pub fn error(code: &'static str, details: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, details: details.into(), expression: None, diagnostics: None }
    }

    /// The same issue, naming the element or parameter it is about.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }
}

/// An OperationOutcome resource.
pub fn outcome(issues: &[Issue]) -> Element {
    let issues = issues.iter().map(|issue| {
        let severity = match issue.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        };
        element([
            ("severity", text(severity)),
            ("code", text(issue.code)),
            ("details", object([("text", text(issue.details.clone()))])),
            ("diagnostics", issue.diagnostics.clone().and_then(text)),
            ("expression", issue.expression.clone().and_then(|e| texts([e]))),
        ])
    });
    element([
        ("resourceType", Some(Value::Primitive(Primitive::String("OperationOutcome".to_owned())))),
        ("issue", list(issues.collect())),
    ])
}

/// An OperationOutcome as JSON.
pub fn outcome_json(issues: &[Issue]) -> Vec<u8> {
    // An outcome is built from R4 elements only, so writing it cannot fail; if it did, an empty outcome is still an answer.
    json::to_vec(&outcome(issues)).unwrap_or_else(|_| br#"{"resourceType":"OperationOutcome"}"#.to_vec())
}
