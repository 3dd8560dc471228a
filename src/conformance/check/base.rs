//! What R4 says of each element.

use super::run::{Issues, Run};
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::narrative;
use crate::primitive;
use crate::table::Kind;

impl Run<'_, '_> {
    /// Checks every node by its type.
    pub(super) fn base(&self, issues: &mut Issues) {
        for id in 0..self.instance.nodes.len() as NodeId {
            let kind = self.instance.kind(id);
            let node = self.instance.node(id);
            if kind.kind == Kind::Primitive {
                self.primitive(id, issues);
            } else {
                self.cardinality(id, issues);
            }
            if let Some(element) = node.element {
                self.invariants(id, &element.constraints, None, issues);
                if let Some(used) = element.types.iter().find(|used| used.id == node.kind && !used.profiles.is_empty())
                    && !used.profiles.iter().any(|profile| self.conforms(id, profile))
                {
                    let text = format!("it follows none of {}", used.profiles.join(", "));
                    self.found(issues, Severity::Error, Code::Structure, id, &text);
                }
                if let Some(binding) = &element.binding {
                    self.binding(id, binding, None, issues);
                }
            }
            self.invariants(id, &kind.constraints, None, issues);
            match kind.name.as_str() {
                "Extension" => self.extension(id, issues),
                "Reference" => self.reference(id, issues),
                "Coding" => self.coding(id, issues),
                "Meta" => self.labels(id, issues),
                "Identifier" => self.identifier(id, issues),
                "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" => self.quantity(id, issues),
                _ => {}
            }
        }
    }

    /// Checks that what has to be there is, and that a choice is made once.
    fn cardinality(&self, id: NodeId, issues: &mut Issues) {
        for element in &self.instance.kind(id).elements {
            if element.min == 0 && !element.choice {
                continue;
            }
            let count = self.instance.named(id, &element.name).count();
            if count < element.min as usize {
                let text = format!("{} is missing", element.name);
                self.found(issues, Severity::Error, Code::Required, id, &text);
            }
            if element.choice && count > element.max as usize {
                let text = format!("{} is there more than once", element.name);
                self.found(issues, Severity::Error, Code::Structure, id, &text);
            }
        }
    }

    fn primitive(&self, id: NodeId, issues: &mut Issues) {
        let node = self.instance.node(id);
        let name = &self.instance.kind(id).name;
        let Some(json) = node.json else { return };
        if name == "xhtml" {
            return match narrative::check(json.as_str().unwrap_or_default()) {
                Ok(links) => self.links(id, &links, issues),
                Err(text) => self.found(issues, Severity::Error, Code::Value, id, &text),
            };
        }
        if let Err(text) = primitive::check(name, json) {
            return self.found(issues, Severity::Error, Code::Value, id, text);
        }
        if let (Some(text), "uri" | "url" | "canonical") = (json.as_str(), name.as_str()) {
            self.address(id, text, issues);
        }
    }

    /// Checks that hyperlinks of a narrative lead to something in the resource.
    fn links(&self, id: NodeId, links: &narrative::Links, issues: &mut Issues) {
        let resource = self.instance.resource(id);
        let is_here = |target: &String| {
            links.anchors.contains(target)
                || (0..self.instance.nodes.len() as NodeId).any(|node| {
                    self.instance.node(node).name == "id"
                        && self.instance.resource(node) == resource
                        && self.instance.string(node) == Some(target)
                })
        };
        for target in links.targets.iter().filter(|target| !is_here(target)) {
            self.found(issues, Severity::Error, Code::Value, id, &format!("the hyperlink #{target} leads nowhere"));
        }
    }
}
