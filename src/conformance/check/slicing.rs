//! Slices: which repetitions belong to them, and what holds for those.

use super::run::{Issues, Run};
use crate::fhirpath::{Evaluator, Item};
use crate::instance::NodeId;
use crate::issue::Code;
use crate::table::{Slice, Slicing, Test};

impl<'a> Run<'_, 'a> {
    pub(super) fn slicing(&self, node: NodeId, name: &str, slicing: &'a Slicing, url: &str, issues: &mut Issues) {
        let mut counts = vec![0; slicing.slices.len()];
        let mut reached = 0;
        for child in self.instance.children(node).filter(|child| self.instance.node(*child).name == name) {
            let mut of = slicing.slices.iter().enumerate().filter(|(_, slice)| self.belongs(child, slice));
            match of.next() {
                Some((index, slice)) => {
                    counts[index] += 1;
                    self.rule(child, &slice.rule, url, issues);
                    if let Some(inner) = &slice.rule.slicing {
                        self.within(child, inner, url, issues);
                    }
                    if slicing.ordered && index < reached {
                        self.missed(issues, Code::Structure, child, url, "slices are not in their order");
                    }
                    reached = reached.max(index);
                    if let Some((_, other)) = of.next() {
                        let text = format!("it is of the slices {} and {}", slice.name, other.name);
                        self.missed(issues, Code::Structure, child, url, &text);
                    }
                }
                None if slicing.closed => {
                    self.missed(issues, Code::Structure, child, url, "it is of no slice, and there may be no others");
                }
                None => {}
            }
        }
        for (slice, count) in slicing.slices.iter().zip(counts) {
            if slice.tests.is_empty() {
                continue;
            }
            self.number(node, &format!("{name}:{}", slice.name), count, &slice.rule, url, issues);
        }
    }

    /// Slices of a slice.
    fn within(&self, child: NodeId, slicing: &'a Slicing, url: &str, issues: &mut Issues) {
        if let Some(slice) = slicing.slices.iter().find(|slice| self.belongs(child, slice)) {
            self.rule(child, &slice.rule, url, issues);
        }
    }

    /// Whether an element is a member of a slice.
    fn belongs(&self, node: NodeId, slice: &'a Slice) -> bool {
        !slice.tests.is_empty() && slice.tests.iter().all(|test| self.passes(node, test))
    }

    fn passes(&self, node: NodeId, test: &'a Test) -> bool {
        match test {
            Test::Value(path, expected) => self.any(node, path, |found| self.has(found, expected)),
            Test::Member(path, value_set) => {
                self.any(node, path, |found| self.member(found, value_set).unwrap_or(false))
            }
            Test::Exists(path, wanted) => self.any(node, path, |_| true) == *wanted,
            Test::Type(path, kinds) => {
                self.any(node, path, |found| kinds.iter().any(|kind| self.is_kind(found, *kind)))
            }
            Test::Profile(path, profiles) => {
                self.any(node, path, |found| profiles.iter().any(|profile| self.conforms(found, profile)))
            }
        }
    }

    /// Whether one of the nodes that a path leads to passes.
    fn any(&self, node: NodeId, path: &str, passes: impl Fn(NodeId) -> bool) -> bool {
        match path {
            "$this" => return passes(node),
            "url" | "system" | "code" | "use" | "type" => {
                return self.instance.named(node, path).any(passes);
            }
            _ => {}
        }
        let Some(expression) = self.validator.paths.get(path) else { return false };
        let evaluator = Evaluator { instance: self.instance, resolve: self, context: node };
        let found = evaluator.evaluate(expression, &std::iter::once(Item::Node(node)).collect());
        found.into_iter().any(|item| matches!(item, Item::Node(found) if passes(found)))
    }
}
