//! Operators: three-valued logic, equality, order and arithmetic.

use std::borrow::Cow;
use std::cmp::Ordering;

use smallvec::smallvec;

use super::evaluate::Evaluator;
use super::item::{Collection, Item};
use super::text;
use super::tree::{Expression, Operator};
use crate::instance::{Instance, NodeId};

pub(super) fn binary<'a>(
    evaluator: &Evaluator<'_, 'a>,
    operator: Operator,
    left: &'a Expression,
    right: &'a Expression,
    focus: &Collection<'a>,
) -> Collection<'a> {
    let condition = |side| evaluator.truth(side, focus);
    let verdict = match operator {
        Operator::And => match condition(left) {
            Some(false) => Some(false),
            first => match (first, condition(right)) {
                (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
        },
        Operator::Or => match condition(left) {
            Some(true) => Some(true),
            first => match (first, condition(right)) {
                (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        },
        Operator::Implies => match condition(left) {
            Some(false) => Some(true),
            first => match (first, condition(right)) {
                (_, Some(true)) => Some(true),
                (Some(true), second) => second,
                _ => None,
            },
        },
        Operator::Xor => condition(left).zip(condition(right)).map(|(left, right)| left != right),
        _ => return values(evaluator, operator, &evaluator.evaluate(left, focus), &evaluator.evaluate(right, focus)),
    };
    verdict.map(Item::Boolean).into_iter().collect()
}

fn values<'a>(
    evaluator: &Evaluator<'_, 'a>,
    operator: Operator,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Collection<'a> {
    let instance = evaluator.instance;
    let verdict = match operator {
        Operator::Union => return distinct(instance, left.iter().chain(right)),
        Operator::In => member(instance, left, right),
        Operator::Contains => member(instance, right, left),
        Operator::Equal => equal(instance, left, right),
        Operator::NotEqual => equal(instance, left, right).map(|equal| !equal),
        Operator::Equivalent => Some(equivalent(instance, left, right)),
        Operator::NotEquivalent => Some(!equivalent(instance, left, right)),
        Operator::Less => order(instance, left, right).map(Ordering::is_lt),
        Operator::LessOrEqual => order(instance, left, right).map(Ordering::is_le),
        Operator::Greater => order(instance, left, right).map(Ordering::is_gt),
        Operator::GreaterOrEqual => order(instance, left, right).map(Ordering::is_ge),
        Operator::Concatenate => {
            let text = |side: &Collection<'a>| side.first().and_then(|item| item.text(instance)).unwrap_or_default();
            return smallvec![Item::String(Cow::Owned(format!("{}{}", text(left), text(right))))];
        }
        _ => return arithmetic(instance, operator, left, right).into_iter().collect(),
    };
    verdict.map(Item::Boolean).into_iter().collect()
}

fn member<'a>(instance: &Instance<'a>, left: &Collection<'a>, right: &Collection<'a>) -> Option<bool> {
    let wanted = left.first()?;
    Some(right.iter().any(|item| same(instance, wanted, item)))
}

fn equal<'a>(instance: &Instance<'a>, left: &Collection<'a>, right: &Collection<'a>) -> Option<bool> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    Some(left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(instance, left, right)))
}

fn equivalent<'a>(instance: &Instance<'a>, left: &Collection<'a>, right: &Collection<'a>) -> bool {
    left.len() == right.len() && left.iter().all(|item| right.iter().any(|other| same(instance, item, other)))
}

/// Whether two items are equal: values, and nodes with all that is below them.
pub(super) fn same<'a>(instance: &Instance<'a>, left: &Item<'a>, right: &Item<'a>) -> bool {
    match (left.value(instance), right.value(instance)) {
        (Some(Item::Integer(a)), Some(Item::Decimal(b))) | (Some(Item::Decimal(b)), Some(Item::Integer(a))) => {
            a as f64 == b
        }
        (Some(Item::Node(_)) | None, Some(Item::Node(_)) | None) => match (left, right) {
            (Item::Node(a), Item::Node(b)) => a == b || same_nodes(instance, *a, *b),
            _ => false,
        },
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn same_nodes(instance: &Instance<'_>, left: NodeId, right: NodeId) -> bool {
    let (mut a, mut b) = (instance.children(left), instance.children(right));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) => {
                let names = instance.node(a).name == instance.node(b).name;
                if !names || !same(instance, &Item::Node(a), &Item::Node(b)) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The items without those equal to an earlier one.
pub(super) fn distinct<'i, 'a: 'i>(
    instance: &Instance<'a>,
    items: impl Iterator<Item = &'i Item<'a>>,
) -> Collection<'a> {
    let mut kept = Collection::new();
    for item in items {
        if !kept.iter().any(|other| same(instance, item, other)) {
            kept.push(item.clone());
        }
    }
    kept
}

/// How two values stand; none where that cannot be said.
fn order<'a>(instance: &Instance<'a>, left: &Collection<'a>, right: &Collection<'a>) -> Option<Ordering> {
    let ([left], [right]) = (left.as_slice(), right.as_slice()) else { return None };
    if let (Item::Node(a), Item::Node(b)) = (left, right)
        && let (Some(a), Some(b)) = (instance.child(*a, "value"), instance.child(*b, "value"))
    {
        return order(instance, &smallvec![Item::Node(a)], &smallvec![Item::Node(b)]);
    }
    match (left.value(instance)?, right.value(instance)?) {
        (Item::Integer(a), Item::Integer(b)) => Some(a.cmp(&b)),
        (Item::Integer(a), Item::Decimal(b)) => (a as f64).partial_cmp(&b),
        (Item::Decimal(a), Item::Integer(b)) => a.partial_cmp(&(b as f64)),
        (Item::Decimal(a), Item::Decimal(b)) => a.partial_cmp(&b),
        (Item::String(a), Item::String(b)) => match (left, right) {
            (Item::Node(x), Item::Node(_))
                if instance.kind(*x).name.contains("date") || instance.kind(*x).name == "instant" =>
            {
                text::order_dates(&a, &b)
            }
            _ => Some(a.cmp(&b)),
        },
        _ => None,
    }
}

fn arithmetic<'a>(
    instance: &Instance<'a>,
    operator: Operator,
    left: &Collection<'a>,
    right: &Collection<'a>,
) -> Option<Item<'a>> {
    match (left.first()?.value(instance)?, right.first()?.value(instance)?) {
        (Item::Integer(a), Item::Integer(b)) => match operator {
            Operator::Add => a.checked_add(b).map(Item::Integer),
            Operator::Subtract => a.checked_sub(b).map(Item::Integer),
            Operator::Multiply => a.checked_mul(b).map(Item::Integer),
            Operator::Quotient => a.checked_div(b).map(Item::Integer),
            Operator::Remainder => a.checked_rem(b).map(Item::Integer),
            Operator::Divide if b != 0 => Some(Item::Decimal(a as f64 / b as f64)),
            _ => None,
        },
        (Item::String(a), Item::String(b)) if operator == Operator::Add => {
            Some(Item::String(Cow::Owned(format!("{a}{b}"))))
        }
        (a, b) => {
            let number = |item| match item {
                Item::Integer(value) => Some(value as f64),
                Item::Decimal(value) => Some(value),
                _ => None,
            };
            let (a, b) = (number(a)?, number(b)?);
            match operator {
                Operator::Add => Some(Item::Decimal(a + b)),
                Operator::Subtract => Some(Item::Decimal(a - b)),
                Operator::Multiply => Some(Item::Decimal(a * b)),
                Operator::Divide if b != 0.0 => Some(Item::Decimal(a / b)),
                Operator::Remainder if b != 0.0 => Some(Item::Decimal(a % b)),
                _ => None,
            }
        }
    }
}
