//! Whether codes are of value sets.

use crate::table::{Include, Terminology, ValueSet};

/// A system whose codes are a grammar's.
pub(super) const UCUM: &str = "http://unitsofmeasure.org";

impl Terminology {
    /// Whether a code is of a value set; none: that cannot be said. Without a system, which one is meant is found out.
    pub(super) fn contains(&self, value_set: &str, system: Option<&str>, code: &str) -> Option<bool> {
        self.search(value_set, system, code, 0)
    }

    fn search(&self, url: &str, system: Option<&str>, code: &str, depth: usize) -> Option<bool> {
        let set = self.value_sets.get(url)?;
        if depth > 16 {
            return None;
        }
        let found = self.any(&set.include, system, code, depth);
        if found != Some(false) && self.any(&set.exclude, system, code, depth) == Some(true) {
            return Some(false);
        }
        found
    }

    fn any(&self, parts: &[Include], system: Option<&str>, code: &str, depth: usize) -> Option<bool> {
        let mut unknown = false;
        for part in parts {
            match self.part(part, system, code, depth) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { None } else { Some(false) }
    }

    fn part(&self, part: &Include, system: Option<&str>, code: &str, depth: usize) -> Option<bool> {
        let mut certain = true;
        for url in &part.value_sets {
            match self.search(url, system, code, depth + 1) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => certain = false,
            }
        }
        if let Some(own) = &part.system {
            if system.is_some_and(|system| system != own) {
                return Some(false);
            }
            match self.of_system(part, own, code) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => certain = false,
            }
        }
        certain.then_some(true)
    }

    fn of_system(&self, part: &Include, system: &str, code: &str) -> Option<bool> {
        if part.unknown {
            return None;
        }
        if let Some(codes) = &part.codes {
            let listed = codes.binary_search_by(|known| (**known).cmp(code)).is_ok();
            let folded = || {
                let fold = self.systems.get(system).is_some_and(|known| !known.case_sensitive);
                fold && codes.iter().any(|known| known.eq_ignore_ascii_case(code))
            };
            return Some(listed || folded());
        }
        self.is_code(system, code)
    }

    /// Whether a system has a code; none if the system is not known, or not all of it.
    pub(super) fn is_code(&self, system: &str, code: &str) -> Option<bool> {
        if system == UCUM {
            return Some(octofhir_ucum::validate(code).is_ok());
        }
        let known = self.systems.get(system)?;
        match known.concept(code) {
            Some(_) => Some(true),
            None => known.complete.then_some(false),
        }
    }

    /// A value set.
    pub(super) fn value_set(&self, url: &str) -> Option<&ValueSet> {
        self.value_sets.get(url)
    }
}
