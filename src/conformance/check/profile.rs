//! What a profile adds.

use super::run::{Issues, Run};
use crate::instance::NodeId;
use crate::issue::Code;
use crate::json::Json;
use crate::table::{Profile, Rule, UNBOUNDED};

impl<'a> Run<'_, 'a> {
    /// Checks a node by a profile, and by those that it adds to where its tables have only what it adds.
    pub(super) fn profile(&self, node: NodeId, url: &str, profile: &'a Profile, issues: &mut Issues) {
        if let Some(base) = profile.base.as_deref().and_then(|base| self.validator.profile(base)) {
            self.profile(node, url, base, issues);
        }
        self.rule(node, &profile.rule, url, issues);
    }

    /// Checks a node by a rule.
    pub(super) fn rule(&self, node: NodeId, rule: &'a Rule, url: &str, issues: &mut Issues) {
        if let Some(types) = &rule.types {
            let used = types.iter().find(|used| self.is_kind(node, used.id));
            match used {
                None => self.missed(issues, Code::Structure, node, url, "it is of a type that the profile excludes"),
                Some(used) => {
                    for unknown in used.profiles.iter().filter(|profile| !self.validator.knows(profile)) {
                        self.missed(issues, Code::NotFound, node, url, &format!("the profile is not known: {unknown}"));
                    }
                    let follows = used.profiles.is_empty() || used.profiles.iter().any(|p| self.conforms(node, p));
                    if !follows {
                        let text = format!("it follows none of {}", used.profiles.join(", "));
                        self.missed(issues, Code::Structure, node, url, &text);
                    }
                    self.target(node, used, Some(url), issues);
                }
            }
        }
        if let Some(expected) = &rule.expected
            && !self.has(node, expected)
        {
            self.missed(issues, Code::Value, node, url, "it has not the value that the profile fixes");
        }
        if let Some(binding) = &rule.binding {
            self.binding(node, binding, Some(url), issues);
        }
        if let (Some(length), Some(Json::String(text))) = (rule.max_length, self.instance.node(node).json)
            && text.chars().count() > length as usize
        {
            self.missed(issues, Code::Value, node, url, "it is longer than the profile allows");
        }
        let number = match self.instance.node(node).json {
            Some(Json::Integer(value)) => Some(*value as f64),
            Some(Json::Decimal(value)) => Some(*value),
            _ => None,
        };
        let beyond =
            |number| rule.least.is_some_and(|least| number < least) || rule.greatest.is_some_and(|most| number > most);
        if number.is_some_and(beyond) {
            self.missed(issues, Code::Value, node, url, "it is less or more than the profile allows");
        }
        self.invariants(node, &rule.constraints, Some(url), issues);
        for (name, child) in &rule.children {
            self.children(node, name, child, url, issues);
        }
    }

    /// Checks a node's children of a name.
    fn children(&self, node: NodeId, name: &str, rule: &'a Rule, url: &str, issues: &mut Issues) {
        let mut count = 0;
        for child in self.instance.children(node).filter(|child| self.instance.node(*child).name == name) {
            count += 1;
            self.rule(child, rule, url, issues);
        }
        self.number(node, name, count, rule, url, issues);
        if let Some(slicing) = &rule.slicing {
            self.slicing(node, name, slicing, url, issues);
        }
    }

    /// Checks a number of elements.
    pub(super) fn number(&self, node: NodeId, name: &str, count: usize, rule: &Rule, url: &str, issues: &mut Issues) {
        if count < rule.min.unwrap_or(0) as usize {
            let text = match rule.min {
                Some(1) => format!("{name} is missing"),
                least => format!("of {name} there are {count}, and at least {} are asked for", least.unwrap_or(0)),
            };
            self.missed(issues, Code::Required, node, url, &text);
        }
        let most = rule.max.unwrap_or(UNBOUNDED);
        if count > most as usize {
            let text = format!("of {name} there are {count}, and at most {most} are allowed");
            self.missed(issues, Code::Structure, node, url, &text);
        }
    }
}
