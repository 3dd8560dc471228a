//! Calls of functions.

use std::borrow::Cow;

use smallvec::smallvec;

use super::evaluate::Evaluator;
use super::function::Function;
use super::item::{Collection, Item};
use super::operator::{distinct, same};
use super::text;
use super::tree::{Expression, Pattern};
use crate::narrative;

pub(super) fn call<'a>(
    evaluator: &Evaluator<'_, 'a>,
    left: &'a Expression,
    function: Function,
    arguments: &'a [Expression],
    pattern: &'a Pattern,
    focus: &Collection<'a>,
) -> Collection<'a> {
    let items = evaluator.evaluate(left, focus);
    let call = Call { evaluator, items, arguments, pattern, focus };
    match function {
        Function::Empty | Function::Exists | Function::Not | Function::Count | Function::HasValue => {
            call.counts(function)
        }
        Function::Where | Function::Select | Function::Repeat | Function::All | Function::Iif => call.each(function),
        Function::AllTrue | Function::AllFalse | Function::AnyTrue | Function::AnyFalse => call.truths(function),
        Function::Children | Function::Descendants | Function::Resolve | Function::Extension => call.nodes(function),
        Function::MemberOf | Function::ConformsTo | Function::HtmlChecks => call.asks(function),
        Function::Combine
        | Function::Union
        | Function::Intersect
        | Function::Exclude
        | Function::SubsetOf
        | Function::SupersetOf
        | Function::IsDistinct
        | Function::Distinct => call.sets(function),
        Function::First
        | Function::Last
        | Function::Tail
        | Function::Skip
        | Function::Take
        | Function::Single
        | Function::Trace => call.parts(function),
        _ => call.texts(function),
    }
}

struct Call<'c, 'e, 'a> {
    evaluator: &'c Evaluator<'e, 'a>,
    items: Collection<'a>,
    arguments: &'a [Expression],
    pattern: &'a Pattern,
    focus: &'c Collection<'a>,
}

fn integer<'a>(number: usize) -> Item<'a> {
    Item::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn boolean<'a>(value: bool) -> Collection<'a> {
    smallvec![Item::Boolean(value)]
}

impl<'a> Call<'_, '_, 'a> {
    fn argument(&self, index: usize) -> Collection<'a> {
        self.arguments.get(index).map(|argument| self.evaluator.evaluate(argument, self.focus)).unwrap_or_default()
    }

    fn string(&self, index: usize) -> Option<Cow<'a, str>> {
        self.argument(index).first()?.text(self.evaluator.instance)
    }

    fn integer(&self, index: usize) -> Option<i64> {
        match self.argument(index).first()?.value(self.evaluator.instance)? {
            Item::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The condition that is the first argument, on an item.
    fn condition(&self, item: &Item<'a>) -> bool {
        let focus: Collection<'a> = smallvec![item.clone()];
        self.arguments.first().is_none_or(|condition| self.evaluator.truth(condition, &focus).unwrap_or(false))
    }

    fn counts(self, function: Function) -> Collection<'a> {
        let instance = self.evaluator.instance;
        match function {
            Function::Empty => boolean(self.items.is_empty()),
            Function::Exists => boolean(self.items.iter().any(|item| self.condition(item))),
            Function::Count => smallvec![integer(self.items.len())],
            Function::HasValue => {
                let value = |item: &Item<'a>| !matches!(item.value(instance), None | Some(Item::Node(_)));
                boolean(self.items.len() == 1 && self.items.iter().all(value))
            }
            _ => match super::item::truth(&self.items, instance) {
                Some(value) => boolean(!value),
                None => smallvec![],
            },
        }
    }

    fn each(self, function: Function) -> Collection<'a> {
        let evaluator = self.evaluator;
        match function {
            Function::Where => self.items.iter().filter(|item| self.condition(item)).cloned().collect(),
            Function::All => boolean(self.items.iter().all(|item| self.condition(item))),
            Function::Iif => {
                let items = &self.items;
                let focus = if items.is_empty() { self.focus } else { items };
                let condition = self.arguments.first().and_then(|condition| {
                    evaluator.truth(condition, if matches!(condition, Expression::Call(..)) { items } else { focus })
                });
                let branch = if condition == Some(true) { 1 } else { 2 };
                self.arguments.get(branch).map(|branch| evaluator.evaluate(branch, items)).unwrap_or_default()
            }
            _ => {
                let step = |items: &Collection<'a>| -> Collection<'a> {
                    let Some(projection) = self.arguments.first() else { return smallvec![] };
                    items.iter().flat_map(|item| evaluator.evaluate(projection, &smallvec![item.clone()])).collect()
                };
                let mut all = step(&self.items);
                if function == Function::Select {
                    return all;
                }
                let mut new = all.clone();
                while !new.is_empty() {
                    new = step(&new).into_iter().filter(|item| !all.contains(item)).collect();
                    all.extend(new.iter().cloned());
                }
                all
            }
        }
    }

    fn truths(self, function: Function) -> Collection<'a> {
        let wanted = matches!(function, Function::AllTrue | Function::AnyTrue);
        let mut values =
            self.items.iter().map(|item| item.value(self.evaluator.instance) == Some(Item::Boolean(wanted)));
        boolean(match function {
            Function::AllTrue | Function::AllFalse => values.all(|matches| matches),
            _ => values.any(|matches| matches),
        })
    }

    fn nodes(self, function: Function) -> Collection<'a> {
        let instance = self.evaluator.instance;
        let nodes = self.items.iter().filter_map(|item| if let Item::Node(id) = item { Some(*id) } else { None });
        match function {
            Function::Children => nodes.flat_map(|id| instance.children(id)).map(Item::Node).collect(),
            Function::Descendants => {
                let mut all: Vec<u32> = nodes.flat_map(|id| instance.children(id)).collect();
                let mut at = 0;
                while let Some(id) = all.get(at).copied() {
                    all.extend(instance.children(id));
                    at += 1;
                }
                all.into_iter().map(Item::Node).collect()
            }
            Function::Resolve => {
                let targets = self.items.iter().filter_map(|item| {
                    let Item::Node(id) = item else { return None };
                    let reference = instance.string(*id).or_else(|| instance.text(*id, "reference"))?;
                    instance.resolve(reference, *id)
                });
                targets.map(Item::Node).collect()
            }
            _ => {
                let Some(url) = self.string(0) else { return smallvec![] };
                let extensions = nodes.flat_map(|id| instance.named(id, "extension"));
                extensions.filter(|id| instance.text(*id, "url") == Some(&*url)).map(Item::Node).collect()
            }
        }
    }

    /// What the instance alone does not tell.
    fn asks(self, function: Function) -> Collection<'a> {
        let [Item::Node(id)] = self.items.as_slice() else { return smallvec![] };
        let answer = match function {
            Function::HtmlChecks => {
                let text = self.evaluator.instance.string(*id).unwrap_or_default();
                Some(narrative::check(text).is_ok())
            }
            Function::MemberOf => self.string(0).map(|url| self.evaluator.resolve.member_of(*id, &url).unwrap_or(true)),
            _ => self.string(0).map(|url| self.evaluator.resolve.conforms_to(*id, &url)),
        };
        answer.map(Item::Boolean).into_iter().collect()
    }

    fn sets(self, function: Function) -> Collection<'a> {
        let instance = self.evaluator.instance;
        let (items, others) = (&self.items, self.argument(0));
        let within = |item: &Item<'a>, all: &Collection<'a>| all.iter().any(|other| same(instance, item, other));
        match function {
            Function::Combine => items.iter().chain(&others).cloned().collect(),
            Function::Union => distinct(instance, items.iter().chain(&others)),
            Function::Distinct => distinct(instance, items.iter()),
            Function::IsDistinct => boolean(distinct(instance, items.iter()).len() == items.len()),
            Function::Intersect => distinct(instance, items.iter().filter(|item| within(item, &others))),
            Function::Exclude => items.iter().filter(|item| !within(item, &others)).cloned().collect(),
            Function::SubsetOf => boolean(items.iter().all(|item| within(item, &others))),
            _ => boolean(others.iter().all(|item| within(item, items))),
        }
    }

    fn parts(self, function: Function) -> Collection<'a> {
        let number = usize::try_from(self.integer(0).unwrap_or(0)).unwrap_or(0);
        let items = self.items;
        match function {
            Function::First => items.into_iter().take(1).collect(),
            Function::Last => items.into_iter().next_back().into_iter().collect(),
            Function::Tail => items.into_iter().skip(1).collect(),
            Function::Skip => items.into_iter().skip(number).collect(),
            Function::Take => items.into_iter().take(number).collect(),
            Function::Single if items.len() != 1 => smallvec![],
            _ => items,
        }
    }

    fn texts(self, function: Function) -> Collection<'a> {
        let [item] = self.items.as_slice() else { return smallvec![] };
        let Some(text) = item.text(self.evaluator.instance) else { return smallvec![] };
        let made = |text: String| Some(Item::String(Cow::Owned(text)));
        let first = self.string(0);
        let argument = first.as_deref();
        let answer = match function {
            Function::StartsWith => argument.map(|part| Item::Boolean(text.starts_with(part))),
            Function::EndsWith => argument.map(|part| Item::Boolean(text.ends_with(part))),
            Function::Contains => argument.map(|part| Item::Boolean(text.contains(part))),
            Function::IndexOf => argument.map(|part| text.find(part).map_or(Item::Integer(-1), integer)),
            Function::Matches => {
                argument.and_then(|part| self.pattern.get(part)).map(|pattern| Item::Boolean(pattern.is_match(&text)))
            }
            Function::ReplaceMatches => argument.and_then(|part| self.pattern.get(part)).and_then(|pattern| {
                let with = self.string(1)?;
                made(pattern.replace_all(&text, &*with).into_owned())
            }),
            Function::Replace => argument.zip(self.string(1)).and_then(|(part, with)| made(text.replace(part, &with))),
            Function::Substring => {
                self.integer(0).and_then(|start| text::substring(&text, start, self.integer(1))).and_then(made)
            }
            Function::Length => Some(integer(text.chars().count())),
            Function::Upper => made(text.to_uppercase()),
            Function::Lower => made(text.to_lowercase()),
            Function::Trim => made(text.trim().to_owned()),
            Function::ToInteger => text.parse().ok().map(Item::Integer),
            Function::ToDecimal => text.parse().ok().map(Item::Decimal),
            _ => made(text.into_owned()),
        };
        answer.into_iter().collect()
    }
}
