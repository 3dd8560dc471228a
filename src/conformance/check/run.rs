//! One validation.

use std::cell::RefCell;
use std::collections::HashMap;

use super::Validator;
use crate::fhirpath::{Evaluator, Expression, Resolve};
use crate::instance::{Fault, Instance, NodeId};
use crate::issue::{Code, Issue, Severity};
use crate::table::Kind;

/// What is found as it goes.
pub(super) type Issues = Vec<Issue>;

/// A validation of one instance.
pub(super) struct Run<'r, 'a> {
    pub(super) validator: &'a Validator,
    pub(super) instance: &'r Instance<'a>,
    /// Whether nodes follow profiles, as far as it was asked; none while that is being found out.
    conforming: RefCell<HashMap<(NodeId, String), Option<bool>>>,
}

impl<'r, 'a> Run<'r, 'a> {
    pub(super) fn new(validator: &'a Validator, instance: &'r Instance<'a>) -> Self {
        Self { validator, instance, conforming: RefCell::default() }
    }

    /// Judges the whole instance.
    pub(super) fn resource(&self, profiles: &[&str], faults: &[Fault]) -> Issues {
        let mut issues = Issues::new();
        for fault in faults {
            self.found(&mut issues, Severity::Error, Code::Structure, fault.node, &fault.text);
        }
        self.base(&mut issues);
        self.ids(&mut issues);
        for profile in profiles {
            self.claimed(0, profile, Severity::Error, &mut issues);
        }
        for id in 0..self.instance.nodes.len() as NodeId {
            if self.instance.kind(id).kind == Kind::Resource {
                self.claims(id, profiles, &mut issues);
            }
        }
        self.bundle(&mut issues);
        issues
    }

    /// The profiles that a resource claims, and the one that its code claims for it.
    fn claims(&self, resource: NodeId, asked: &[&str], issues: &mut Issues) {
        if self.instance.kind(resource).name == "Observation"
            && let Some(sign) = self.implied(resource)
        {
            self.claimed(resource, sign, Severity::Warning, issues);
        }
        let Some(meta) = self.instance.child(resource, "meta") else { return };
        for claim in self.instance.named(meta, "profile") {
            let Some(url) = self.instance.string(claim) else { continue };
            if resource != 0 || !asked.contains(&url) {
                self.claimed(resource, url, Severity::Warning, issues);
            }
        }
    }

    fn claimed(&self, resource: NodeId, url: &str, unknown: Severity, issues: &mut Issues) {
        let kind = self.instance.kind(resource);
        match self.validator.profile(url) {
            Some(profile) if profile.kind == self.instance.node(resource).kind => {
                self.profile(resource, url, profile, issues);
            }
            Some(_) => {
                let text = format!("the profile is not one of {}: {url}", kind.name);
                self.found(issues, Severity::Error, Code::Structure, resource, &text);
            }
            None if self.instance.is(self.instance.node(resource).kind, super::short(url)) => {}
            None if self.validator.index.contains_key(super::short(url)) => {
                let text = format!("the resource is no {url}");
                self.found(issues, Severity::Error, Code::Structure, resource, &text);
            }
            None => {
                let text = format!("the profile is not known: {url}");
                self.found(issues, unknown, Code::NotFound, resource, &text);
            }
        }
    }

    /// Whether a node follows a profile, or is of a type when the profile is only that.
    pub(super) fn conforms(&self, node: NodeId, url: &str) -> bool {
        let Some(profile) = self.validator.profile(url) else {
            let name = super::short(url);
            return !self.validator.index.contains_key(name) || self.instance.is(self.instance.node(node).kind, name);
        };
        if !self.is_kind(node, profile.kind) {
            return false;
        }
        let key = (node, url.to_owned());
        if let Some(known) = self.conforming.borrow().get(&key) {
            // What leads back to itself is right as far as it goes.
            return known.unwrap_or(true);
        }
        self.conforming.borrow_mut().insert(key.clone(), None);
        let mut issues = Issues::new();
        self.profile(node, url, profile, &mut issues);
        let conforms = issues.iter().all(|issue| issue.severity != Severity::Error);
        self.conforming.borrow_mut().insert(key, Some(conforms));
        conforms
    }

    /// Whether a node is of a type.
    pub(super) fn is_kind(&self, node: NodeId, kind: u16) -> bool {
        let name = &self.validator.tables.types[usize::from(kind)].name;
        self.instance.is(self.instance.node(node).kind, name)
    }

    /// Checks invariants on a node.
    pub(super) fn invariants(&self, node: NodeId, constraints: &'a [u32], profile: Option<&str>, issues: &mut Issues) {
        for index in constraints {
            let index = *index as usize;
            let (constraint, expression) =
                (&self.validator.tables.constraints[index], &self.validator.invariants[index]);
            if self.holds(node, expression) {
                continue;
            }
            let severity = if constraint.error { Severity::Error } else { Severity::Warning };
            let text = format!("{} does not hold: {}", constraint.key, constraint.expression);
            self.found(issues, severity, Code::Invariant, node, &text);
            if let Some(issue) = issues.last_mut() {
                issue.constraint = Some(constraint.key.clone());
                issue.profile = profile.map(str::to_owned);
            }
        }
    }

    /// Whether a condition holds on a node.
    pub(super) fn holds(&self, node: NodeId, expression: &'a Expression) -> bool {
        Evaluator { instance: self.instance, resolve: self, context: node }.holds(expression)
    }

    /// Notes an issue.
    pub(super) fn found(&self, issues: &mut Issues, severity: Severity, code: Code, node: NodeId, text: &str) {
        let (text, expression) = (text.to_owned(), self.instance.path(node));
        issues.push(Issue { severity, code, text, expression, constraint: None, profile: None });
    }

    /// Notes what a profile asks for and the instance does not fulfil.
    pub(super) fn missed(&self, issues: &mut Issues, code: Code, node: NodeId, profile: &str, text: &str) {
        self.found(issues, Severity::Error, code, node, text);
        if let Some(issue) = issues.last_mut() {
            issue.profile = Some(profile.to_owned());
        }
    }
}

impl Resolve for Run<'_, '_> {
    fn member_of(&self, node: NodeId, value_set: &str) -> Option<bool> {
        self.member(node, value_set)
    }

    fn conforms_to(&self, node: NodeId, profile: &str) -> bool {
        self.conforms(node, profile)
    }
}
