//! A resource as a tree of typed nodes: what JSON splits (`birthDate` and `_birthDate`, `valueQuantity`) is one node, and
//! each knows its type and the element that it is.

mod build;
mod path;
mod resolve;

pub use build::{Fault, TypeIndex, build};

use crate::json::Json;
use crate::table::{Element, Kind, Tables, Type, TypeId};

/// The index of a node.
pub type NodeId = u32;

/// No node.
pub(crate) const NONE: NodeId = NodeId::MAX;

/// An element of an instance.
#[derive(Debug)]
pub struct Node<'a> {
    /// Its element's name, of a choice without the type.
    pub name: &'a str,
    /// Its element; none for a resource that is not within another.
    pub element: Option<&'a Element>,
    /// Its type.
    pub kind: TypeId,
    /// Its JSON; none for a primitive that has only extensions.
    pub json: Option<&'a Json<'a>>,
    /// Which of the repetitions it is; none if the element does not repeat.
    pub index: Option<u32>,
    pub(crate) parent: NodeId,
    pub(crate) first: NodeId,
    pub(crate) next: NodeId,
}

/// A resource's nodes; the first is the resource itself.
pub struct Instance<'a> {
    /// What types mean.
    pub tables: &'a Tables,
    /// All nodes.
    pub nodes: Vec<Node<'a>>,
}

/// A node's children in their order.
#[derive(Clone)]
pub struct Children<'i, 'a> {
    instance: &'i Instance<'a>,
    next: NodeId,
}

impl Iterator for Children<'_, '_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let id = self.next;
        self.next = self.instance.nodes.get(id as usize)?.next;
        Some(id)
    }
}

impl<'a> Instance<'a> {
    /// A node.
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    /// A node's type.
    pub fn kind(&self, id: NodeId) -> &'a Type {
        &self.tables.types[usize::from(self.node(id).kind)]
    }

    /// A node's children in their order.
    pub fn children(&self, id: NodeId) -> Children<'_, 'a> {
        Children { instance: self, next: self.node(id).first }
    }

    /// A node's children of a name.
    pub fn named<'i>(&'i self, id: NodeId, name: &'i str) -> impl Iterator<Item = NodeId> + 'i {
        self.children(id).filter(move |child| self.node(*child).name == name)
    }

    /// A node's only child of a name.
    pub fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.children(id).find(|child| self.node(*child).name == name)
    }

    /// The text of a node's child.
    pub fn text(&self, id: NodeId, name: &str) -> Option<&'a str> {
        self.string(self.child(id, name)?)
    }

    /// A node's text.
    pub fn string(&self, id: NodeId) -> Option<&'a str> {
        match self.node(id).json? {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The node above.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        let parent = self.node(id).parent;
        (parent != NONE).then_some(parent)
    }

    /// The nearest resource: the node itself or above.
    pub fn resource(&self, id: NodeId) -> NodeId {
        let mut at = id;
        while self.kind(at).kind != Kind::Resource {
            let Some(parent) = self.parent(at) else { break };
            at = parent;
        }
        at
    }

    /// The resource that a node is in, the one that contains it if that is contained.
    pub fn root_resource(&self, id: NodeId) -> NodeId {
        let resource = self.resource(id);
        match self.parent(resource) {
            Some(parent) if self.node(resource).name == "contained" => self.resource(parent),
            _ => resource,
        }
    }

    /// Whether a type is another or specialises it.
    pub fn is(&self, kind: TypeId, wanted: &str) -> bool {
        let mut at = Some(kind);
        while let Some(known) = at.and_then(|id| self.tables.types.get(usize::from(id))) {
            if known.name == wanted {
                return true;
            }
            at = known.base;
        }
        false
    }
}
