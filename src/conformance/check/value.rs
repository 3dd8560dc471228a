//! Whether a value is the one that a profile asks for.

use super::run::Run;
use crate::instance::NodeId;
use crate::json::Json;
use crate::table::Expected;

impl Run<'_, '_> {
    /// Whether a node has the value expected.
    pub(super) fn has(&self, node: NodeId, expected: &Expected) -> bool {
        match expected {
            Expected::Fixed(value) => self.matches(node, value, true),
            Expected::Pattern(value) => self.matches(node, value, false),
        }
    }

    fn matches(&self, node: NodeId, value: &Json<'_>, exactly: bool) -> bool {
        let Json::Object(properties) = value else {
            return self.instance.node(node).json.is_some_and(|json| same(json, value));
        };
        let children = || {
            self.instance.children(node).filter(|child| {
                let name = self.instance.node(*child).name;
                name != "id" && name != "extension"
            })
        };
        let fits = |(name, wanted): &(std::borrow::Cow<'_, str>, Json<'_>)| {
            if let Json::Array(items) = wanted {
                let found: Vec<NodeId> = children().filter(|child| self.instance.node(*child).name == *name).collect();
                let each = items.iter().all(|item| found.iter().any(|child| self.matches(*child, item, exactly)));
                each && (!exactly || found.len() == items.len())
            } else {
                let found = children().find(|child| self.instance.node(*child).name == *name);
                found.is_some_and(|child| self.matches(child, wanted, exactly))
            }
        };
        let known = |child: NodeId| properties.iter().any(|(name, _)| *name == self.instance.node(child).name);
        properties.iter().all(fits) && (!exactly || children().all(known))
    }
}

fn same(left: &Json<'_>, right: &Json<'_>) -> bool {
    match (left, right) {
        (Json::Integer(a), Json::Decimal(b)) | (Json::Decimal(b), Json::Integer(a)) => *a as f64 == *b,
        _ => left == right,
    }
}
