//! Addresses that cannot be right.

use super::run::{Issues, Run};
use super::short;
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::primitive;
use crate::table::Kind;

const HL7: &str = "http://hl7.org/fhir";

const EXAMPLES: [&str; 8] = [
    "http://example.org",
    "https://example.org",
    "http://example.com",
    "https://example.com",
    "http://acme.com",
    "https://acme.com",
    "http://www.example.org",
    "http://www.example.com",
];

impl Run<'_, '_> {
    /// Checks an address: examples are none, and HL7's own have to be known.
    pub(super) fn address(&self, id: NodeId, text: &str, issues: &mut Issues) {
        let within = self.instance.parent(id).map(|parent| self.instance.kind(parent).name.as_str());
        let name = self.instance.node(id).name;
        let exempt = match (within, name) {
            (Some("Extension"), "url") | (Some("Bundle.entry"), "fullUrl") | (Some("Meta"), "profile") => true,
            // What defines an address.
            (Some(_), "url") => {
                self.instance.parent(id).is_some_and(|parent| self.instance.kind(parent).kind == Kind::Resource)
            }
            _ => false,
        };
        if exempt {
            return;
        }
        let kind = self.instance.kind(id).name.as_str();
        let refers = kind == "canonical" && within != Some("Extension");
        if !refers && EXAMPLES.iter().any(|example| text.starts_with(example)) {
            let text = "an address of an example domain is not allowed";
            return self.found(issues, Severity::Error, Code::BusinessRule, id, text);
        }
        let known_space = text.starts_with(HL7);
        if kind != "canonical" && known_space && !self.known(text) {
            let text = "an address of HL7's that is not known";
            self.found(issues, Severity::Error, Code::NotFound, id, text);
        }
    }

    /// Checks an identifier's system, and values that are addresses themselves.
    pub(super) fn identifier(&self, id: NodeId, issues: &mut Issues) {
        let Some(system) = self.instance.text(id, "system") else { return };
        if !["http:", "https:", "urn:", "ldap:"].iter().any(|scheme| system.starts_with(scheme)) {
            self.found(issues, Severity::Error, Code::Value, id, "an identifier's system is absolute");
        }
        let Some(value) = self.instance.text(id, "value") else { return };
        let right = match system {
            "urn:ietf:rfc:3986" => primitive::is_absolute(value),
            "https://tools.ietf.org/html/rfc4122" => value.starts_with("urn:uuid:") || primitive::is_uuid(value),
            _ => true,
        };
        if !right {
            self.found(issues, Severity::Error, Code::Value, id, "the value is not one of its system");
        }
    }

    /// Checks that ids of elements are not there twice in a resource.
    pub(super) fn ids(&self, issues: &mut Issues) {
        let mut seen = std::collections::BTreeSet::new();
        for id in 0..self.instance.nodes.len() as NodeId {
            let Some(parent) = self.instance.parent(id).filter(|_| self.instance.node(id).name == "id") else {
                continue;
            };
            let of_resource = self.instance.kind(parent).kind == Kind::Resource;
            let Some(text) = self.instance.string(id).filter(|_| !of_resource) else { continue };
            if !seen.insert((self.instance.resource(parent), text)) {
                self.found(issues, Severity::Error, Code::Value, parent, "another element has the same id");
            }
        }
    }

    /// Whether an address is of something known.
    fn known(&self, url: &str) -> bool {
        let tables = &self.validator.tables;
        let plain = url.split('|').next().unwrap_or(url);
        tables.terminology.systems.contains_key(plain)
            || tables.terminology.value_sets.contains_key(plain)
            || tables.profiles.contains_key(short(plain))
            || self.validator.index.contains_key(short(plain))
            || plain.starts_with("http://hl7.org/fhir/sid/")
            || plain.starts_with("http://terminology.hl7.org/NamingSystem/")
    }
}
