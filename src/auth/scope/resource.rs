//! A scope about resources.

use std::fmt;

use super::access::{Access, Accesses};

/// Whose resources a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Those of one patient, who is named with the token.
    Patient,
    /// Those the person may see who uses the client.
    User,
    /// Those of the tenant.
    System,
}

impl Context {
    fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// Access to resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceScope {
    /// Whose.
    pub context: Context,
    /// Of which type; none is any.
    kind: Option<String>,
    accesses: Accesses,
    /// Those alone that a search with these parameters finds.
    pub query: Vec<(String, String)>,
    /// Whether it came as SMART 1 writes it, and is written so again.
    first: bool,
}

impl ResourceScope {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (context, rest) = text.split_once('/')?;
        let context =
            [Context::Patient, Context::User, Context::System].into_iter().find(|known| known.word() == context)?;
        let (kind, rest) = rest.split_once('.')?;
        let kind = match kind {
            "*" => None,
            name if name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_alphabetic()) =>
            {
                Some(name.to_owned())
            }
            _ => return None,
        };
        let (letters, query) = rest.split_once('?').map_or((rest, None), |(letters, query)| (letters, Some(query)));
        let (accesses, first) = match letters {
            "read" => (Accesses::READ, true),
            "write" => (Accesses::WRITE, true),
            "*" => (Accesses::ALL, true),
            letters => (Accesses::parse(letters)?, false),
        };
        let pairs = query.map(|query| form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>());
        // SMART 1 has no queries, and an empty one is a mistake, not everything.
        if pairs.as_ref().is_some_and(|pairs| pairs.is_empty() || first) {
            return None;
        }
        Some(Self { context, kind, accesses, query: pairs.unwrap_or_default(), first })
    }

    /// Whether it is about resources of this type and this access.
    pub fn covers(&self, kind: &str, access: Access) -> bool {
        self.kind.as_deref().is_none_or(|own| own == kind) && self.accesses.0 & access.bit() != 0
    }

    /// The type it is about; none is any.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Whether it is about this type alone.
    pub fn is_of(&self, kind: &str) -> bool {
        self.kind() == Some(kind)
    }

    /// Whether it is about this access.
    pub fn grants(&self, access: Access) -> bool {
        self.accesses.0 & access.bit() != 0
    }

    /// The same about those alone that a search with this parameter finds as well.
    #[must_use]
    pub fn of_part(&self, parameter: &str, value: &str) -> Self {
        let mut part = Self { first: false, ..self.clone() };
        part.query.push((parameter.to_owned(), value.to_owned()));
        part
    }

    /// What both grant.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let kind = match (&self.kind, &other.kind) {
            (Some(own), Some(others)) if own != others => return None,
            (own, others) => own.clone().or_else(|| others.clone()),
        };
        let accesses = Accesses(self.accesses.0 & other.accesses.0);
        if self.context != other.context || accesses.0 == 0 {
            return None;
        }
        let mut query = self.query.clone();
        query.extend(other.query.iter().filter(|pair| !self.query.contains(pair)).cloned());
        let first = self.first && query.is_empty();
        Some(Self { context: self.context, kind, accesses, query, first })
    }

    /// Whether it grants all that `other` does.
    pub(super) fn includes(&self, other: &Self) -> bool {
        self.context == other.context
            && (self.kind.is_none() || self.kind == other.kind)
            && self.accesses.0 & other.accesses.0 == other.accesses.0
            && self.query.iter().all(|pair| other.query.contains(pair))
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.", self.context.word(), self.kind.as_deref().unwrap_or("*"))?;
        match self.accesses {
            Accesses::ALL if self.first => f.write_str("*")?,
            Accesses::READ if self.first => f.write_str("read")?,
            Accesses::WRITE if self.first => f.write_str("write")?,
            Accesses(bits) => {
                let letters = "cruds".chars().zip(Access::ALL).filter(|(_, access)| bits & access.bit() != 0);
                f.write_str(&letters.map(|(letter, _)| letter).collect::<String>())?;
            }
        }
        if self.query.is_empty() {
            return Ok(());
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        write!(f, "?{query}")
    }
}
