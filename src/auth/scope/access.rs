//! What can be done to resources.

/// A FHIR access: one letter of `cruds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Every one, in the order of their letters.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// The interaction in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Search => "search",
        }
    }

    pub(super) fn bit(self) -> u8 {
        1 << Self::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }
}

/// Some of `cruds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accesses(pub(super) u8);

impl Accesses {
    pub(super) const ALL: Self = Self(0b1_1111);
    pub(super) const READ: Self = Self(0b1_0010);
    pub(super) const WRITE: Self = Self(0b0_1101);

    /// Letters of `cruds` in their order.
    pub(super) fn parse(letters: &str) -> Option<Self> {
        let mut rest = letters;
        let mut bits = 0;
        for (letter, access) in "cruds".chars().zip(Access::ALL) {
            if let Some(after) = rest.strip_prefix(letter) {
                (rest, bits) = (after, bits | access.bit());
            }
        }
        (rest.is_empty() && bits != 0).then_some(Self(bits))
    }
}
