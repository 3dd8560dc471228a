//! Codes: whether there are such, with such displays, and whether an element may have them.

use super::run::{Issues, Run};
use super::terminology::UCUM;
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::table::{Binding, Strength, digest};

/// Code systems whose address is often written wrong.
const SERVED: [&str; 4] = ["http://snomed.info/sct", LOINC, UCUM, "http://www.nlm.nih.gov/research/umls/rxnorm"];

const LOINC: &str = "http://loinc.org";

impl Run<'_, '_> {
    /// Checks a coded element by its binding.
    pub(super) fn binding(&self, node: NodeId, binding: &Binding, profile: Option<&str>, issues: &mut Issues) {
        // The official validator leaves units to the profile's fixed values; what is no recommended unit may do.
        let unit = self.instance.is(self.instance.node(node).kind, "Quantity");
        let severity = match (binding.strength, &binding.max) {
            _ if unit && binding.strength >= Strength::Extensible => Severity::Warning,
            (Strength::Required, _) => Severity::Error,
            (Strength::Extensible, _) | (_, Some(_)) => Severity::Warning,
            _ => return,
        };
        let terminology = &self.validator.tables.terminology;
        if terminology.value_set(&binding.value_set).is_none() {
            let text = format!("the value set is not known: {}", binding.value_set);
            return self.found(issues, Severity::Information, Code::NotFound, node, &text);
        }
        let mut outside = |url: &str, severity| {
            if self.member(node, url) == Some(false) {
                self.found(issues, severity, Code::CodeInvalid, node, &format!("no code of {url}"));
                if let Some(issue) = issues.last_mut() {
                    issue.profile = profile.map(str::to_owned);
                }
            }
        };
        outside(&binding.value_set, severity);
        if let Some(max) = binding.max.as_ref().filter(|_| !unit) {
            outside(max, Severity::Error);
        }
    }

    /// Whether an element has a code of a value set; none: that cannot be said, or it has no code.
    pub(super) fn member(&self, node: NodeId, value_set: &str) -> Option<bool> {
        let terminology = &self.validator.tables.terminology;
        let coded = |node| {
            // What has no code or no system cannot be of any.
            let code = self.instance.text(node, "code").zip(self.instance.text(node, "system"));
            let Some((code, system)) = code else { return Some(false) };
            terminology.contains(value_set, Some(system), code)
        };
        match self.instance.kind(node).name.as_str() {
            "CodeableConcept" => {
                let codings = self.instance.named(node, "coding");
                let mut answer = Some(false);
                for coding in codings {
                    match coded(coding) {
                        Some(true) => return Some(true),
                        None => answer = None,
                        Some(false) => {}
                    }
                }
                answer
            }
            "Coding" | "Quantity" | "Age" | "Duration" | "Count" | "Distance" => coded(node),
            _ => match self.instance.string(node) {
                Some(code) => terminology.contains(value_set, None, code),
                None => Some(false),
            },
        }
    }

    /// Checks a Coding by its code system.
    pub(super) fn coding(&self, node: NodeId, issues: &mut Issues) {
        let (Some(system), Some(code)) = (self.instance.text(node, "system"), self.instance.text(node, "code")) else {
            return;
        };
        let terminology = &self.validator.tables.terminology;
        if !["http:", "https:", "urn:"].iter().any(|scheme| system.starts_with(scheme)) {
            self.found(issues, Severity::Error, Code::CodeInvalid, node, "a code system's address is absolute");
        }
        if system == LOINC && !check_digit(code) {
            self.found(issues, Severity::Error, Code::CodeInvalid, node, "no LOINC code: its check digit is wrong");
        }
        self.served(node, system, issues);
        if terminology.value_set(system).is_some() && !terminology.systems.contains_key(system) {
            self.found(issues, Severity::Error, Code::CodeInvalid, node, "the code system is a value set");
        }
        // Of other versions of a code system nothing is known.
        let version = terminology.systems.get(system).map(|known| known.version.as_str());
        if self.instance.text(node, "version").is_some_and(|said| version.is_some_and(|known| known != said)) {
            return;
        }
        match terminology.is_code(system, code) {
            Some(false) => {
                self.found(issues, Severity::Error, Code::CodeInvalid, node, &format!("no code of {system}"));
            }
            Some(true) => self.display(node, system, code, issues),
            None => {}
        }
    }

    /// Checks an address that begins as a well-known code system's does; in CodeableConcepts the official validator does not.
    fn served(&self, node: NodeId, system: &str, issues: &mut Issues) {
        if SERVED.iter().any(|known| system != *known && system.starts_with(known)) {
            let concept = self.instance.node(node).name == "coding";
            let severity = if concept { Severity::Warning } else { Severity::Error };
            self.found(issues, severity, Code::CodeInvalid, node, "the code system's address has more than it should");
        }
    }

    fn display(&self, node: NodeId, system: &str, code: &str, issues: &mut Issues) {
        let Some(display) = self.instance.text(node, "display") else { return };
        let concept = self.validator.tables.terminology.systems.get(system).and_then(|known| known.concept(code));
        let wrong = |concept: &crate::table::Concept| {
            !concept.displays.is_empty() && !concept.displays.contains(&digest(display))
        };
        if concept.is_some_and(wrong) {
            self.found(
                issues,
                Severity::Error,
                Code::CodeInvalid,
                node,
                &format!("no display of the code in {system}"),
            );
        }
    }

    /// Checks that a resource has each security label once.
    pub(super) fn labels(&self, meta: NodeId, issues: &mut Issues) {
        let mut seen = std::collections::BTreeSet::new();
        for label in self.instance.named(meta, "security") {
            if !seen.insert((self.instance.text(label, "system"), self.instance.text(label, "code"))) {
                self.found(issues, Severity::Error, Code::Structure, label, "the label is there twice");
            }
        }
    }

    /// Checks a quantity's unit.
    pub(super) fn quantity(&self, node: NodeId, issues: &mut Issues) {
        let (Some(system), Some(code)) = (self.instance.text(node, "system"), self.instance.text(node, "code")) else {
            return;
        };
        self.served(node, system, issues);
        if self.validator.tables.terminology.is_code(system, code) == Some(false) {
            self.found(issues, Severity::Error, Code::CodeInvalid, node, &format!("no unit of {system}"));
        }
    }
}

/// Whether a LOINC code's last digit is what the others make it: modulus 10, every other digit doubled.
fn check_digit(code: &str) -> bool {
    if ["LA", "LP", "LL", "LG", "MTHU"].iter().any(|part| code.starts_with(part)) {
        return true;
    }
    let Some((number, check)) = code.split_once('-') else { return false };
    let digits = number.bytes().rev().map(|digit| u32::from(digit.wrapping_sub(b'0')));
    if !(1..=7).contains(&number.len()) || digits.clone().any(|digit| digit > 9) {
        return false;
    }
    let sum: u32 =
        digits.enumerate().map(|(at, digit)| if at % 2 == 1 { digit } else { digit * 2 % 10 + digit / 5 }).sum();
    check.parse() == Ok((10 - sum % 10) % 10)
}
