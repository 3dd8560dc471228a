//! Scopes. <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>
//!
//! SMART's `system/Observation.rs?category=vital-signs` with `patient/` and `user/`, its older `system/*.read`, its `launch`
//! and `openid` and their like, and our own `ingest` and `control`. What is not understood grants nothing.

mod access;
mod mark;
mod resource;

use std::collections::BTreeSet;
use std::fmt;

pub use access::Access;
pub use mark::Mark;
pub use resource::{Context, ResourceScope};

/// Granted scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet {
    resources: Vec<ResourceScope>,
    ingest: bool,
    control: bool,
    marks: BTreeSet<Mark>,
}

/// A scope nobody here understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope: use ingest, control, or such as system/Observation.rs, letters of cruds in their order")]
pub struct UnknownScope(pub String);

impl ScopeSet {
    /// Reads a blank-separated list, leaving out what is not understood.
    pub fn parse(list: &str) -> Self {
        let mut set = Self::default();
        for scope in list.split_whitespace() {
            // What is not understood grants nothing.
            let _ = set.add(scope);
        }
        set
    }

    /// Reads a blank-separated list.
    ///
    /// # Errors
    /// The first scope that is not understood.
    pub fn parse_all(list: &str) -> Result<Self, UnknownScope> {
        let mut set = Self::default();
        list.split_whitespace().try_for_each(|scope| set.add(scope))?;
        Ok(set)
    }

    fn add(&mut self, scope: &str) -> Result<(), UnknownScope> {
        match scope {
            "ingest" => self.ingest = true,
            "control" => self.control = true,
            _ => {
                if let Some(mark) = Mark::ALL.into_iter().find(|mark| mark.word() == scope) {
                    self.marks.insert(mark);
                    return Ok(());
                }
                let parsed = ResourceScope::parse(scope).ok_or_else(|| UnknownScope(scope.to_owned()))?;
                if !self.resources.contains(&parsed) {
                    self.resources.push(parsed);
                }
            }
        }
        Ok(())
    }

    /// Whether it grants nothing.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && !self.ingest && !self.control && self.marks.is_empty()
    }

    /// Whether packets may be sent.
    pub fn may_ingest(&self) -> bool {
        self.ingest
    }

    /// Whether the control plane may be used.
    pub fn may_control(&self) -> bool {
        self.control
    }

    /// Whether it has this one, which is about no resources.
    pub fn is_marked(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// Whether it has any that only apps have that people use.
    pub fn is_an_apps(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Without these.
    #[must_use]
    pub fn without(mut self, marks: &[Mark]) -> Self {
        self.marks.retain(|mark| !marks.contains(mark));
        self
    }

    /// Those about resources.
    pub fn resources(&self) -> &[ResourceScope] {
        &self.resources
    }

    /// Whether it is about some resources of this type and this access.
    #[cfg(test)]
    fn may(&self, kind: &str, access: Access) -> bool {
        self.resources.iter().any(|scope| scope.covers(kind, access))
    }

    /// Whether one of them is about resources of this context.
    pub fn has(&self, context: Context) -> bool {
        self.resources.iter().any(|scope| scope.context == context)
    }

    /// Whether another grants all that this does.
    pub fn is_within(&self, other: &Self) -> bool {
        let ours = |scope: &ResourceScope| other.resources.iter().any(|one| one.includes(scope));
        self.resources.iter().all(ours)
            && (other.ingest || !self.ingest)
            && (other.control || !self.control)
            && self.marks.is_subset(&other.marks)
    }

    /// What both grant.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut resources: Vec<ResourceScope> = Vec::new();
        for both in self.resources.iter().flat_map(|own| other.resources.iter().filter_map(|one| own.and(one))) {
            if !resources.iter().any(|one| one.includes(&both)) {
                resources.retain(|one| !both.includes(one));
                resources.push(both);
            }
        }
        Self {
            resources,
            ingest: self.ingest && other.ingest,
            control: self.control && other.control,
            marks: self.marks.intersection(&other.marks).copied().collect(),
        }
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scopes: Vec<String> = self.resources.iter().map(ToString::to_string).collect();
        scopes.extend(self.ingest.then(|| "ingest".to_owned()));
        scopes.extend(self.control.then(|| "control".to_owned()));
        scopes.extend(self.marks.iter().map(|mark| mark.word().to_owned()));
        f.write_str(&scopes.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scopes_grant_what_they_say_and_no_more() {
        let scopes = ScopeSet::parse("system/Observation.rs system/Device.r ingest patient/Patient.r?_id=1");
        assert!(scopes.may("Observation", Access::Search) && scopes.may("Observation", Access::Read));
        assert!(!scopes.may("Observation", Access::Create));
        assert!(!scopes.may("Device", Access::Search));
        assert_eq!(scopes.resources()[2].query, [("_id".to_owned(), "1".to_owned())]);
        assert!(scopes.may_ingest() && !scopes.may_control());
        assert!(ScopeSet::parse("system/*.read").may("Provenance", Access::Search));
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for wrong in [
            "system/Observation.sr", // not in the order of cruds
            "system/Observation.rr",
            "system/Observation.",
            "system/Observation.x",
            "system/Observation.readwrite",
            "system/Observation.read?code=1", // SMART 1 has no queries
            "system/Observation.rs?",
            "system/.rs",
            "system/observation.rs",
            "system/Observation,Patient.rs",
            "*/Observation.rs",
            "System/Observation.rs",
            "systemObservation.rs",
            "/Observation.rs",
            "control/",
            "INGEST",
        ] {
            assert!(ScopeSet::parse(wrong).is_empty(), "{wrong}");
            assert_eq!(ScopeSet::parse_all(&format!("ingest {wrong}")), Err(UnknownScope(wrong.to_owned())));
        }
    }

    #[test]
    fn what_is_granted_is_what_was_asked_for_and_registered() {
        for (asked, registered, granted) in [
            ("system/*.rs", "system/Observation.rs system/Patient.r", "system/Observation.rs system/Patient.r"),
            ("system/Observation.cruds", "system/*.rs", "system/Observation.rs"),
            ("system/*.read", "system/*.cruds", "system/*.read"),
            ("system/*.*", "system/*.rs", "system/*.read"),
            ("system/*.read", "system/*.r", "system/*.r"),
            ("system/Observation.rs", "system/Observation.rs?code=1", "system/Observation.rs?code=1"),
            ("system/Observation.r?a=1", "system/Observation.rs?b=2", "system/Observation.r?a=1&b=2"),
            ("system/Observation.rs", "patient/Observation.rs user/Observation.rs", ""),
            ("system/Observation.rs ingest", "ingest control", "ingest"),
            ("system/*.rs system/Observation.rs", "system/*.rs", "system/*.rs"),
            ("openid launch offline_access", "launch/patient launch openid fhirUser", "openid launch"),
        ] {
            let found = ScopeSet::parse(asked).and(&ScopeSet::parse(registered));
            assert_eq!(found.to_string(), granted, "{asked} of {registered}");
        }
    }

    #[test]
    fn what_is_within_another_is_no_more_than_it() {
        let all = ScopeSet::parse("system/*.cruds ingest control");
        for (inner, outer, expected) in [
            ("system/Observation.rs", "system/*.cruds", true),
            ("system/Observation.rs ingest control", "system/*.cruds ingest control", true),
            ("system/Observation.rs?code=1", "system/Observation.rs", true),
            ("system/Observation.rs", "system/Observation.rs?code=1", false),
            ("system/Observation.cruds", "system/Observation.rs", false),
            ("ingest", "system/*.cruds control", false),
            ("user/*.rs", "system/*.cruds", false),
            ("openid", "system/*.cruds", false),
        ] {
            assert_eq!(ScopeSet::parse(inner).is_within(&ScopeSet::parse(outer)), expected, "{inner} in {outer}");
        }
        assert!(all.is_within(&all));
    }

    proptest! {
        #[test]
        fn nothing_is_granted_that_one_side_does_not_grant(
            a in "(system|patient)/(\\*|Patient|Device)\\.c?r?u?d?s?", b in "(system|patient)/(\\*|Patient|Device)\\.c?r?u?d?s?"
        ) {
            let (a, b) = (ScopeSet::parse(&a), ScopeSet::parse(&b));
            let both = a.and(&b);
            for kind in ["Patient", "Device", "Observation"] {
                for access in Access::ALL {
                    let same = a.resources().iter().zip(b.resources()).all(|(a, b)| a.context == b.context);
                    prop_assert_eq!(both.may(kind, access), same && a.may(kind, access) && b.may(kind, access));
                }
            }
            prop_assert_eq!(&ScopeSet::parse(&both.to_string()), &both);
        }

        #[test]
        fn any_text_is_read(text in ".{0,80}") {
            let set = ScopeSet::parse(&text);
            prop_assert_eq!(ScopeSet::parse(&set.to_string()), set);
        }
    }
}
