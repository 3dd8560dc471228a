//! What an authenticated caller may do.

use crate::id::TenantId;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tenant it acts in.
    pub tenant: TenantId,
    /// Whether it may touch synthetic patients only.
    pub sandbox: bool,
    /// Its scopes.
    pub scope: ScopeSet,
    /// Public id of the key, safe to log.
    pub key_id: String,
}

/// A FHIR access as SMART App Launch 2.2 writes it: one letter of `cruds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Create.
    Create,
    /// Read, vread, instance history.
    Read,
    /// Update, patch.
    Update,
    /// Delete.
    Delete,
    /// Search, type and system history.
    Search,
}

impl Access {
    fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }
}

/// Granted scopes: `system/Observation.rs`, `system/*.read`, and our own `ingest` and `control`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet {
    scopes: Vec<String>,
}

impl ScopeSet {
    /// Reads a blank-separated list. What is not understood grants nothing.
    pub fn parse(list: &str) -> Self {
        Self { scopes: list.split_whitespace().map(str::to_owned).collect() }
    }

    /// Whether packets may be sent.
    pub fn may_ingest(&self) -> bool {
        self.scopes.iter().any(|s| s == "ingest")
    }

    /// Whether the control plane may be used.
    pub fn may_control(&self) -> bool {
        self.scopes.iter().any(|s| s == "control")
    }

    /// Whether resources of this type may be accessed so.
    ///
    /// Scopes with a query (`?category=…`) are narrower than a type and grant nothing here.
    pub fn may(&self, resource_type: &str, access: Access) -> bool {
        self.scopes.iter().any(|scope| {
            let Some((context, rest)) = scope.split_once('/') else { return false };
            let Some((kind, verbs)) = rest.split_once('.') else { return false };
            if !matches!(context, "system" | "user" | "*") || !(kind == "*" || kind == resource_type) {
                return false;
            }
            match verbs {
                "*" => true,
                "read" => matches!(access, Access::Read | Access::Search),
                "write" => matches!(access, Access::Create | Access::Update | Access::Delete),
                letters => letters.chars().all(|c| "cruds".contains(c)) && letters.contains(access.letter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_grant_what_they_say_and_no_more() {
        let scopes = ScopeSet::parse("system/Observation.rs system/Device.r ingest system/Patient.rs?_id=1");
        assert!(scopes.may("Observation", Access::Search) && scopes.may("Observation", Access::Read));
        assert!(!scopes.may("Observation", Access::Create));
        assert!(!scopes.may("Device", Access::Search));
        assert!(!scopes.may("Patient", Access::Read));
        assert!(scopes.may_ingest() && !scopes.may_control());
        assert!(ScopeSet::parse("system/*.read").may("Provenance", Access::Search));
    }
}
