//! What goes out is judged first, by the validator that judges everything here: what it refuses a receiver need not see.

use serde_json::Value;

use super::adapter::Request;
use crate::conformant::{Issue, Severity, Validator, outcome};

/// What is wrong with a resource of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Its place in the request.
    pub place: usize,
    /// `Bundle.entry[3]` or a line.
    pub entry: String,
    /// OperationOutcome.
    pub outcome: Vec<u8>,
}

/// What is wrong with the resources of a request; nothing where it may be sent.
pub fn faults(validator: &Validator, request: &Request) -> Vec<Fault> {
    let errors = |text: &[u8]| {
        let mut issues = validator.validate(text, &[]);
        issues.retain(|issue| issue.severity == Severity::Error);
        issues
    };
    if request.media.ends_with("ndjson") {
        let lines = request.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
        let judged = lines.map(|(place, line)| (place, format!("line {}", place + 1), errors(line)));
        return judged.filter(|(.., issues)| !issues.is_empty()).map(fault).collect();
    }
    let issues = errors(&request.body);
    if request.items.len() == 1 {
        let entry = if request.path.is_empty() { "Bundle.entry[0]" } else { "the resource" };
        return if issues.is_empty() { Vec::new() } else { vec![fault((0, entry.to_owned(), issues))] };
    }
    let of = |place: usize| {
        let entry = format!("Bundle.entry[{place}]");
        let its: Vec<Issue> = issues.iter().filter(|issue| at(&issue.expression) == Some(place)).cloned().collect();
        (place, entry, its)
    };
    let found: Vec<Fault> =
        (0..request.items.len()).map(of).filter(|(.., issues)| !issues.is_empty()).map(fault).collect();
    // What is wrong with the whole is wrong with whatever is in it.
    if found.is_empty() && !issues.is_empty() {
        return (0..request.items.len()).map(|place| fault((place, "Bundle".to_owned(), issues.clone()))).collect();
    }
    found
}

/// The number in `Bundle.entry[3].resource…`.
pub fn at(expression: &str) -> Option<usize> {
    expression.strip_prefix("Bundle.entry[")?.split(']').next()?.parse().ok()
}

fn fault((place, entry, issues): (usize, String, Vec<Issue>)) -> Fault {
    Fault { place, entry, outcome: outcome(&issues).to_string().into_bytes() }
}

/// An OperationOutcome of one text of ours.
pub fn said(code: &str, text: &str) -> Value {
    serde_json::json!({
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": "error", "code": code, "details": { "text": text } }],
    })
}
