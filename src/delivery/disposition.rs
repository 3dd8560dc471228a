//! What a receiver's answer means: a pure function of status, headers and OperationOutcome.

use std::time::Duration;

use serde_json::Value;

use super::throttle;

/// What to do after an answer, or the lack of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It has it.
    Done,
    /// It does not know the token: a new one, once.
    Refresh,
    /// It does not take it now: later, not before this long.
    Retry(Option<Duration>),
    /// It does not take so much at once.
    Split,
    /// What it was to change is not there: made anew.
    Gone,
    /// It refers to what is not there: what is known of the receiver is looked at again.
    Dangling,
    /// Whether it has it is open: it is asked.
    Ambiguous,
    /// It will never take it.
    Refuse,
}

/// An answer as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// HTTP status, of an entry or of all.
    pub status: u16,
    /// The OperationOutcome, where there is one.
    pub outcome: Option<&'a Value>,
    /// `Retry-After`, where there is one.
    pub retry_after: Option<&'a str>,
    /// `RateLimit`, where there is one.
    pub rate_limit: Option<&'a str>,
}

/// What to do after an answer.
pub fn disposition(said: &Said<'_>) -> Disposition {
    let texts = said.outcome.map(texts).unwrap_or_default();
    let says = |part: &str| texts.iter().any(|text| text.contains(part));
    match said.status {
        200..=299 => Disposition::Done,
        401 => Disposition::Refresh,
        404 | 410 => Disposition::Gone,
        408 | 504 | 502 => Disposition::Ambiguous,
        413 => Disposition::Split,
        409 | 423 | 425 => Disposition::Retry(None),
        429 | 500..=599 => Disposition::Retry(throttle::wait(said.retry_after, said.rate_limit)),
        400 | 422 if says("File too large") || says("too many entries") => Disposition::Split,
        400 | 422 if says("did not match resolved ID") => Disposition::Retry(None),
        400 | 422 if says("Invalid reference") || says("did not match any") => Disposition::Dangling,
        _ => Disposition::Refuse,
    }
}

/// The texts of an OperationOutcome's issues.
fn texts(outcome: &Value) -> Vec<&str> {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |issue| {
        let issue: &Value = issue;
        [issue["details"]["text"].as_str(), issue["diagnostics"].as_str()].into_iter().flatten()
    };
    issues.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(status: u16, text: &str) -> Disposition {
        let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid", "details": {"text": text}}]});
        disposition(&Said { status, outcome: Some(&outcome), retry_after: None, rate_limit: None })
    }

    /// Every answer a Medplum was seen to give, and those of servers in between.
    #[test]
    fn every_answer_has_its_disposition() {
        let strict = "Transaction requires strict isolation but has too many entries";
        let table = [
            (200, "", Disposition::Done),
            (201, "", Disposition::Done),
            (204, "", Disposition::Done),
            (401, "Unauthorized", Disposition::Refresh),
            (400, "File too large", Disposition::Split),
            (413, "", Disposition::Split),
            (400, strict, Disposition::Split),
            (429, "throttled", Disposition::Retry(None)),
            (409, "could not serialize access due to concurrent update", Disposition::Retry(None)),
            (400, "Resource ID did not match resolved ID", Disposition::Retry(None)),
            (412, "Multiple resources found matching condition", Disposition::Refuse),
            (400, "Conditional reference 'Patient?identifier=x' did not match any resources", Disposition::Dangling),
            (400, "Conditional reference 'Patient?identifier=x' matched multiple resources", Disposition::Refuse),
            (400, "Invalid reference (Not found)", Disposition::Dangling),
            (404, "Not found", Disposition::Gone),
            (410, "Gone", Disposition::Gone),
            (400, "Invalid id", Disposition::Refuse),
            (400, "Missing required property", Disposition::Refuse),
            (422, "vs-2: If there is no component or hasMember element …", Disposition::Refuse),
            (403, "Forbidden", Disposition::Refuse),
            (405, "", Disposition::Refuse),
            (301, "", Disposition::Refuse),
            (408, "", Disposition::Ambiguous),
            (500, "Internal server error", Disposition::Retry(None)),
            (502, "", Disposition::Ambiguous),
            (503, "", Disposition::Retry(None)),
            (504, "", Disposition::Ambiguous),
        ];
        for (status, text, expected) in table {
            assert_eq!(of(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn who_says_how_long_to_wait_is_waited_for_so_long() {
        let said = |retry_after, rate_limit| disposition(&Said { status: 429, outcome: None, retry_after, rate_limit });
        let seconds = |n| Disposition::Retry(Some(Duration::from_secs(n)));
        assert_eq!(said(Some("7"), None), seconds(7));
        let medplum = r#""requests";r=59999;t=52, "fhirInteractions";r=0;t=29"#;
        assert_eq!(said(None, Some(medplum)), seconds(29));
        assert_eq!(said(Some("60"), Some(medplum)), seconds(60));
        let open = r#""requests";r=59999;t=52"#;
        assert_eq!(said(None, Some(open)), Disposition::Retry(None));
    }
}
