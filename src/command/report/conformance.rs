//! `afferent report conformance`: what was judged by what, and what was found.

use std::collections::BTreeMap;

use super::sheet::Sheet;
use crate::conformant::{Issue, Severity, Validator};

/// The claim of resources that claim no profile.
const NONE: &str = "R4 alone";

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    judged: BTreeMap<(String, String), Judged>,
    issues: BTreeMap<Finding, Found>,
    pub(super) resources: usize,
    pub(super) wrong: usize,
}

#[derive(Debug, Default)]
struct Judged {
    resources: usize,
    wrong: usize,
    warned: usize,
}

/// What makes issues the same.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    severity: Severity,
    expression: String,
    source: String,
    text: String,
}

#[derive(Debug)]
struct Found {
    count: usize,
    example: String,
}

impl Findings {
    /// Judges a resource that is called `name`.
    pub(super) fn judge(&mut self, validator: &Validator, name: &str, text: &[u8]) {
        let issues = validator.validate(text, &[]);
        let has = |severity| issues.iter().any(|issue| issue.severity == severity);
        let (wrong, warned) = (has(Severity::Error), has(Severity::Warning));
        self.resources += 1;
        self.wrong += usize::from(wrong);
        let (kind, profiles) = claims(text);
        for profile in profiles {
            let judged = self.judged.entry((kind.clone(), profile)).or_default();
            judged.resources += 1;
            judged.wrong += usize::from(wrong);
            judged.warned += usize::from(warned);
        }
        for issue in issues.into_iter().filter(|issue| issue.severity != Severity::Information) {
            let found =
                self.issues.entry(finding(issue)).or_insert_with(|| Found { count: 0, example: name.to_owned() });
            found.count += 1;
        }
    }

    /// The tables, errors first and then what there is most of.
    pub(super) fn sheets(&self, validator: &Validator) -> Vec<Sheet> {
        let packages = validator.tables().packages.iter().map(|package| vec![package.clone()]).collect();
        let judged = self.judged.iter().map(|((kind, profile), judged)| {
            let Judged { resources, wrong, warned } = judged;
            let counts = [*resources, resources - wrong, *wrong, *warned].map(|count| count.to_string());
            [vec![kind.clone(), profile.clone()], counts.to_vec()].concat()
        });
        let mut found: Vec<_> = self.issues.iter().collect();
        found.sort_by_key(|(finding, found)| (finding.severity, std::cmp::Reverse(found.count)));
        let found = found.into_iter().map(|(finding, found)| {
            let severity = if finding.severity == Severity::Error { "error" } else { "warning" }.to_owned();
            let (expression, text, source) = (finding.expression.clone(), finding.text.clone(), finding.source.clone());
            vec![severity, found.count.to_string(), expression, text, source, found.example.clone()]
        });
        let sheet = |title: &str, header: &[&'static str], rows| Sheet {
            title: title.to_owned(),
            header: header.to_vec(),
            rows,
        };
        let what = ["Type", "Profile", "Resources", "Valid", "With errors", "With warnings"];
        vec![
            sheet("Judged by", &["Package"], packages),
            sheet("Resources", &what, judged.collect()),
            sheet("Findings", &["Severity", "Times", "Element", "What", "By", "For example"], found.collect()),
        ]
    }
}

/// The type of a resource and the profiles that it claims.
fn claims(text: &[u8]) -> (String, Vec<String>) {
    let json: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let kind = json["resourceType"].as_str().unwrap_or("none").to_owned();
    let claimed = json["meta"]["profile"].as_array();
    let mut profiles: Vec<String> =
        claimed.into_iter().flatten().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    if profiles.is_empty() {
        profiles.push(NONE.to_owned());
    }
    (kind, profiles)
}

/// An issue without the places in lists.
fn finding(issue: Issue) -> Finding {
    let source = issue.source().unwrap_or_default();
    let mut expression = String::with_capacity(issue.expression.len());
    let mut within = false;
    for letter in issue.expression.chars() {
        within = (within || letter == '[') && letter != ']';
        if !within && letter != ']' {
            expression.push(letter);
        }
    }
    Finding { severity: issue.severity, expression, source, text: issue.text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformant;
    use crate::registry::Registry;

    #[test]
    fn the_same_in_several_resources_and_places_is_one_finding() {
        let validator = conformant::validator(&Registry::builtin().unwrap(), None).unwrap();
        let mut findings = Findings::default();
        let patient = |name: &str| {
            format!(
                r#"{{"resourceType":"Patient","id":"{name}","name":[{{"use":"x"}},{{"use":"y"}}],
                "meta":{{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]}}}}"#
            )
        };
        for name in ["a", "b"] {
            findings.judge(&validator, &format!("Patient/{name}"), patient(name).as_bytes());
        }
        findings.judge(&validator, "Basic/c", br#"{"resourceType":"Basic","id":"c","code":{"text":"x"}}"#);
        assert_eq!((findings.resources, findings.wrong), (3, 2));
        let sheets = findings.sheets(&validator);
        assert!(sheets[0].rows.iter().any(|row| row[0].contains("us.core")), "{:?}", sheets[0].rows);
        assert_eq!(sheets[1].rows[0][..4], ["Basic", NONE, "1", "1"]);
        assert_eq!(sheets[1].rows[1][2..5], ["2", "0", "2"]);
        let of_use = sheets[2].rows.iter().find(|row| row[2] == "Patient.name.use").unwrap();
        assert_eq!((of_use[0].as_str(), of_use[1].as_str(), of_use[5].as_str()), ("error", "4", "Patient/a"));
    }
}
