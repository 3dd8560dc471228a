//! Evaluation.

use std::borrow::Cow;

use smallvec::smallvec;

use super::call::call;
use super::item::{Collection, Item, truth};
use super::operator::binary;
use super::tree::{Expression, Variable};
use crate::instance::{Instance, NodeId};

/// What expressions ask beyond the instance.
pub trait Resolve {
    /// Whether a node has a code of a value set; none: that cannot be said.
    fn member_of(&self, node: NodeId, value_set: &str) -> Option<bool>;
    /// Whether a node follows a profile.
    fn conforms_to(&self, node: NodeId, profile: &str) -> bool;
}

/// Evaluates expressions on an instance.
pub struct Evaluator<'e, 'a> {
    /// The instance.
    pub instance: &'e Instance<'a>,
    /// Terminology and profiles.
    pub resolve: &'e dyn Resolve,
    /// What `%context` is.
    pub context: NodeId,
}

impl<'a> Evaluator<'_, 'a> {
    /// Whether a condition holds; one that evaluates to nothing does not.
    pub fn holds(&self, expression: &'a Expression) -> bool {
        let focus: Collection<'a> = smallvec![Item::Node(self.context)];
        truth(&self.evaluate(expression, &focus), self.instance).unwrap_or(false)
    }

    /// What an expression evaluates to on a focus.
    pub fn evaluate(&self, expression: &'a Expression, focus: &Collection<'a>) -> Collection<'a> {
        match expression {
            Expression::Focus => focus.clone(),
            Expression::Nothing => smallvec![],
            Expression::String(text) => smallvec![Item::String(Cow::Borrowed(text))],
            Expression::Integer(value) => smallvec![Item::Integer(*value)],
            Expression::Decimal(value) => smallvec![Item::Decimal(*value)],
            Expression::Boolean(value) => smallvec![Item::Boolean(*value)],
            Expression::Variable(variable) => smallvec![self.variable(variable)],
            Expression::Member(left, name) => self.member(left, name, focus),
            Expression::Index(left, index) => {
                let index = self.evaluate(index, focus);
                let Some(Item::Integer(index)) = index.first() else { return smallvec![] };
                let index = usize::try_from(*index).unwrap_or(usize::MAX);
                self.evaluate(left, focus).into_iter().nth(index).into_iter().collect()
            }
            Expression::Call(left, function, arguments, pattern) => {
                call(self, left, *function, arguments, pattern, focus)
            }
            Expression::Is(left, name) => match self.evaluate(left, focus).as_slice() {
                [item] => smallvec![Item::Boolean(self.is(item, name))],
                _ => smallvec![],
            },
            Expression::As(left, name) => {
                let mut items = self.evaluate(left, focus);
                items.retain(|item| self.is(item, name));
                items
            }
            Expression::Binary(operator, left, right) => binary(self, *operator, left, right, focus),
            Expression::Negative(right) => match self.evaluate(right, focus).as_slice() {
                [Item::Integer(value)] => smallvec![Item::Integer(-value)],
                [Item::Decimal(value)] => smallvec![Item::Decimal(-value)],
                _ => smallvec![],
            },
        }
    }

    /// An expression's value as a condition.
    pub(super) fn truth(&self, expression: &'a Expression, focus: &Collection<'a>) -> Option<bool> {
        truth(&self.evaluate(expression, focus), self.instance)
    }

    /// Children by name; before the first step the name of the focus's type is the focus itself.
    fn member(&self, left: &'a Expression, name: &str, focus: &Collection<'a>) -> Collection<'a> {
        let mut found = Collection::new();
        let mut collect = |items: &Collection<'a>| {
            for item in items {
                let Item::Node(id) = item else { continue };
                let named = self.instance.children(*id).filter(|child| self.instance.node(*child).name == name);
                found.extend(named.map(Item::Node));
            }
        };
        if let Expression::Focus = left {
            if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                let typed = focus.iter().filter(|item| self.is(item, name));
                return typed.cloned().collect();
            }
            collect(focus);
        } else {
            collect(&self.evaluate(left, focus));
        }
        if found.is_empty() {
            return self.choice(left, name, focus);
        }
        found
    }

    /// A choice named with its type, as some profiles do: `valueString`.
    fn choice(&self, left: &'a Expression, name: &str, focus: &Collection<'a>) -> Collection<'a> {
        let Some(at) = name.find(|letter: char| letter.is_ascii_uppercase()) else { return smallvec![] };
        let (stem, kind) = name.split_at(at);
        let items = if let Expression::Focus = left { focus.clone() } else { self.evaluate(left, focus) };
        let nodes = items.iter().filter_map(|item| if let Item::Node(id) = item { Some(*id) } else { None });
        let children = nodes.flat_map(|id| self.instance.named(id, stem));
        children.filter(|child| self.instance.kind(*child).name.eq_ignore_ascii_case(kind)).map(Item::Node).collect()
    }

    fn variable(&self, variable: &Variable) -> Item<'a> {
        match variable {
            Variable::Resource => Item::Node(self.instance.resource(self.context)),
            Variable::RootResource => Item::Node(self.instance.root_resource(self.context)),
            Variable::Context => Item::Node(self.context),
            Variable::Text(text) => Item::String(Cow::Borrowed(text)),
        }
    }

    /// Whether an item is of a type.
    pub(super) fn is(&self, item: &Item<'a>, name: &str) -> bool {
        match item {
            Item::Node(id) => self.instance.is(self.instance.node(*id).kind, name),
            Item::Boolean(_) => name == "Boolean",
            Item::Integer(_) => name == "Integer",
            Item::Decimal(_) => name == "Decimal",
            Item::String(_) => name == "String",
        }
    }
}
