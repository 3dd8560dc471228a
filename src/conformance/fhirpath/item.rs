//! What expressions evaluate to.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::instance::{Instance, NodeId};
use crate::json::Json;

/// An element of a collection.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<'a> {
    /// A node of the instance.
    Node(NodeId),
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Decimal(f64),
    /// A text, also a date or a time.
    String(Cow<'a, str>),
}

/// What an expression evaluates to.
pub type Collection<'a> = SmallVec<[Item<'a>; 2]>;

impl<'a> Item<'a> {
    /// The item's value: what a primitive's node holds; of anything else the item itself.
    pub fn value(&self, instance: &Instance<'a>) -> Option<Item<'a>> {
        let Self::Node(id) = self else { return Some(self.clone()) };
        match instance.node(*id).json? {
            Json::Boolean(value) => Some(Item::Boolean(*value)),
            Json::Integer(value) if instance.kind(*id).name == "decimal" => Some(Item::Decimal(*value as f64)),
            Json::Integer(value) => Some(Item::Integer(*value)),
            Json::Decimal(value) => Some(Item::Decimal(*value)),
            Json::String(text) => Some(Item::String(Cow::Borrowed(text))),
            _ => None,
        }
    }

    /// The item's text: of numbers and booleans as FHIRPath writes them.
    pub fn text(&self, instance: &Instance<'a>) -> Option<Cow<'a, str>> {
        if let Self::Node(id) = self {
            match instance.node(*id).json? {
                Json::Integer(value) => return Some(Cow::Owned(value.to_string())),
                Json::Decimal(value) => return Some(Cow::Owned(format!("{value:?}"))),
                _ => {}
            }
        }
        Some(match self.value(instance)? {
            Item::String(text) => text,
            Item::Boolean(value) => Cow::Owned(value.to_string()),
            Item::Integer(value) => Cow::Owned(value.to_string()),
            Item::Decimal(value) => Cow::Owned(value.to_string()),
            Item::Node(_) => return None,
        })
    }
}

/// A collection as a condition: empty is neither, one boolean is itself, one of anything else is true.
pub(super) fn truth(items: &[Item<'_>], instance: &Instance<'_>) -> Option<bool> {
    match items {
        [] => None,
        [only] => match only.value(instance) {
            Some(Item::Boolean(value)) => Some(value),
            _ => Some(true),
        },
        _ => Some(true),
    }
}
