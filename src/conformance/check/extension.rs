//! Extensions: known ones, where they may be, by what they say of themselves.

use super::run::{Issues, Run};
use super::short;
use crate::fhirpath::{Evaluator, Item};
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::primitive;
use crate::table::{Context, Profile};

/// Extensions of later releases on elements of R4, which no package lists one by one.
const CROSS_VERSION: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-";

impl<'a> Run<'_, 'a> {
    pub(super) fn extension(&self, node: NodeId, issues: &mut Issues) {
        let Some(url) = self.instance.text(node, "url") else { return };
        if !primitive::is_absolute(url) {
            return;
        }
        let modifier = self.instance.node(node).name == "modifierExtension";
        let Some(profile) = self.validator.profile(url).filter(|_| !url.contains('|')) else {
            let known = url.starts_with(CROSS_VERSION);
            if !known {
                self.found(
                    issues,
                    Severity::Error,
                    Code::NotFound,
                    node,
                    &format!("the extension is not known: {url}"),
                );
            }
            return;
        };
        if self.validator.tables.types[usize::from(profile.kind)].name != "Extension" {
            return self.found(issues, Severity::Error, Code::Extension, node, "its url is of no extension");
        }
        if profile.modifier != modifier {
            let text = if modifier { "it is no modifier extension" } else { "it is a modifier extension" };
            self.found(issues, Severity::Error, Code::Extension, node, text);
        }
        if !self.is_here(node, profile) {
            self.found(
                issues,
                Severity::Error,
                Code::Extension,
                node,
                &format!("the extension is not allowed here: {url}"),
            );
        }
        for invariant in &profile.context_invariants {
            let holds = self.instance.parent(node).zip(self.validator.paths.get(invariant));
            if holds.is_some_and(|(parent, expression)| !self.holds(parent, expression)) {
                self.found(
                    issues,
                    Severity::Error,
                    Code::Extension,
                    node,
                    &format!("the extension asks for {invariant}"),
                );
            }
        }
        self.profile(node, url, profile, issues);
    }

    /// Whether an extension may be where it is.
    fn is_here(&self, node: NodeId, profile: &'a Profile) -> bool {
        let Some(holder) = self.instance.parent(node) else { return true };
        let paths = self.instance.definition_paths(holder);
        profile.contexts.iter().any(|context| match context {
            Context::Element(path) => {
                let plain = path.rsplit('#').next().unwrap_or(path).trim_end_matches("[x]");
                matches!(plain, "Element" | "Any")
                    || paths
                        .iter()
                        .any(|known| known.trim_end_matches("[x]").replace("[x]", "") == plain.replace("[x]", ""))
                    || (plain == "CanonicalResource" && self.instance.child(holder, "url").is_some())
                    || self.validator.profile(path).is_some_and(|_| self.conforms(holder, short(path)))
            }
            Context::Extension(url) => {
                let outer = if self.instance.kind(holder).name == "Extension" {
                    Some(holder)
                } else {
                    self.instance.parent(holder)
                };
                outer.is_some_and(|outer| self.instance.text(outer, "url") == Some(url))
            }
            Context::Path(path) => {
                let Some(expression) = self.validator.paths.get(path) else { return true };
                let resource = self.instance.resource(node);
                let evaluator = Evaluator { instance: self.instance, resolve: self, context: resource };
                let found = evaluator.evaluate(expression, &std::iter::once(Item::Node(resource)).collect());
                found.contains(&Item::Node(holder))
            }
        })
    }
}
