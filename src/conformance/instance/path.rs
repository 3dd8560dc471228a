//! How a node is named.

use std::fmt::Write;

use super::{Instance, NodeId};
use crate::table::Kind;

impl Instance<'_> {
    /// A node's FHIRPath from the outermost resource, such as `Observation.value.ofType(Quantity).code`.
    pub fn path(&self, id: NodeId) -> String {
        let node = self.node(id);
        let Some(parent) = self.parent(id) else { return self.kind(id).name.clone() };
        let mut path = self.path(parent);
        path.push('.');
        path.push_str(node.name);
        if node.element.is_some_and(|element| element.choice) {
            let _ = write!(path, ".ofType({})", self.kind(id).name);
        }
        if let Some(index) = node.index {
            let _ = write!(path, "[{index}]");
        }
        path
    }

    /// The paths of definitions that lead to a node: from its type and each type above it.
    pub fn definition_paths(&self, id: NodeId) -> Vec<String> {
        let mut paths = Vec::new();
        let mut tail = String::new();
        let mut at = id;
        loop {
            let kind = self.kind(at);
            let mut base = Some(kind);
            while let Some(known) = base {
                paths.push(format!("{}{tail}", known.name));
                base = known.base.and_then(|id| self.tables.types.get(usize::from(id)));
            }
            let Some(parent) = self.parent(at) else { return paths };
            if kind.kind == Kind::Resource {
                return paths;
            }
            let node = self.node(at);
            let choice = if node.element.is_some_and(|element| element.choice) { "[x]" } else { "" };
            tail = format!(".{}{choice}{tail}", node.name);
            at = parent;
        }
    }
}
