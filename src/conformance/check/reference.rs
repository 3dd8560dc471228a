//! References: where they lead, and whether that may be.

use super::run::{Issues, Run};
use crate::instance::NodeId;
use crate::issue::{Code, Severity};
use crate::table::{Aggregation, TypeUse};

impl Run<'_, '_> {
    /// Checks a reference by its element.
    pub(super) fn reference(&self, node: NodeId, issues: &mut Issues) {
        let Some(reference) = self.instance.text(node, "reference") else { return };
        if reference.contains(char::is_whitespace) {
            self.found(issues, Severity::Error, Code::Value, node, "a reference has no white space");
        }
        let found = self.instance.resolve(reference, node);
        let named = match found {
            Some(target) => Some(self.instance.kind(target).name.as_str()),
            None => implied(reference).filter(|name| self.validator.index.contains_key(*name)),
        };
        if let (Some(said), Some(named)) = (self.instance.text(node, "type"), named)
            && said != named
        {
            self.found(issues, Severity::Error, Code::Structure, node, "the reference's type is not its target's");
        }
        if let Some(used) = self.instance.node(node).element.and_then(|element| element.types.first()) {
            self.target(node, used, None, issues);
        }
    }

    /// Checks that a reference leads to what is allowed.
    pub(super) fn target(&self, node: NodeId, used: &TypeUse, profile: Option<&str>, issues: &mut Issues) {
        if used.targets.is_empty() && used.aggregation.is_empty() {
            return;
        }
        let Some(reference) = self.instance.text(node, "reference") else { return };
        let target = self.instance.resolve(reference, node);
        let error = |issues: &mut Issues, text: &str| match profile {
            Some(url) => self.missed(issues, Code::Structure, node, url, text),
            None => self.found(issues, Severity::Error, Code::Structure, node, text),
        };
        let place = match target {
            _ if reference.starts_with('#') => Aggregation::Contained,
            Some(_) => Aggregation::Bundled,
            None => Aggregation::Referenced,
        };
        let referenced = place == Aggregation::Bundled && used.aggregation.contains(&Aggregation::Referenced);
        if !used.aggregation.is_empty() && !used.aggregation.contains(&place) && !referenced {
            error(issues, "the reference's target is not where it may be");
        }
        let Some(target) = target else {
            return self.unresolved(node, reference, used, issues);
        };
        if used.targets.is_empty() || used.targets.iter().any(|url| url == "Resource") {
            return;
        }
        let kind = |url: &&String| match self.validator.profile(url) {
            Some(known) => self.is_kind(target, known.kind),
            None => self.instance.is(self.instance.node(target).kind, url),
        };
        let candidates: Vec<&String> = used.targets.iter().filter(kind).collect();
        if candidates.is_empty() {
            error(issues, &format!("the reference leads to none of {}", used.targets.join(", ")));
        } else if !candidates.iter().any(|url| self.conforms(target, url)) {
            error(issues, &format!("the reference's target follows none of {}", used.targets.join(", ")));
        }
    }

    /// What can be said of a reference that leads elsewhere: the type that it names.
    fn unresolved(&self, node: NodeId, reference: &str, used: &TypeUse, issues: &mut Issues) {
        let Some(named) = implied(reference).and_then(|name| self.validator.index.get(name)) else { return };
        let allowed = |url: &String| match self.validator.profile(url) {
            Some(known) => known.kind == *named,
            None => !self.validator.index.contains_key(url.as_str()) || self.instance.is(*named, url),
        };
        if !used.targets.is_empty() && !used.targets.iter().any(allowed) {
            let text = format!("the reference names none of {}", used.targets.join(", "));
            self.found(issues, Severity::Warning, Code::Structure, node, &text);
        }
    }
}

/// The type that a reference's address names.
fn implied(reference: &str) -> Option<&str> {
    if reference.starts_with("urn:") || reference.starts_with('#') {
        return None;
    }
    let plain = reference.split("/_history/").next()?.split('?').next()?;
    let mut parts = plain.rsplit('/');
    parts.next().filter(|id| crate::primitive::id(id))?;
    parts.next()
}
