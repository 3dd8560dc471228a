//! What is to be done, and what became of it.

use crate::auth::Access;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::patch::Patch;
use crate::store::{Condition, Stored};
use crate::time::Instant;

/// One resource to be written.
#[derive(Debug)]
pub(in crate::rest) struct Task<'a> {
    /// `Bundle.entry[3]`, where it is one of many.
    pub(in crate::rest) place: Option<String>,
    pub(in crate::rest) kind: String,
    pub(in crate::rest) method: Method,
    pub(in crate::rest) target: Target,
    /// What it must be now.
    pub(in crate::rest) if_match: Option<IfMatch>,
    /// What other resources of the same list call it.
    pub(in crate::rest) full_url: Option<String>,
    /// The resource, where one was sent.
    pub(in crate::rest) body: &'a [u8],
}

impl Task<'_> {
    /// An error, with the place of this task.
    pub(in crate::rest) fn fault(&self, error: Error) -> Error {
        match &self.place {
            Some(place) => error.at(place),
            None => error,
        }
    }

    /// The same for an error in the resource that was sent.
    pub(in crate::rest) fn fault_in_resource(&self, error: Error) -> Error {
        match &self.place {
            Some(place) => error.at(&format!("{place}.resource")),
            None => error,
        }
    }
}

/// What is to be done with it.
#[derive(Debug)]
pub(in crate::rest) enum Method {
    Create,
    Update,
    Patch(Patch),
    Delete,
}

impl Method {
    /// What the caller must be allowed to do.
    pub(super) fn access(&self) -> Access {
        match self {
            Self::Create => Access::Create,
            Self::Update | Self::Patch(_) => Access::Update,
            Self::Delete => Access::Delete,
        }
    }
}

/// Which resource it is about.
#[derive(Debug)]
pub(in crate::rest) enum Target {
    /// One that is not there yet.
    New,
    /// The one with this id.
    Id(ResourceId),
    /// The one that matches.
    Condition(Condition),
}

/// What must be there for a task to be done: `If-Match`, or `If-None-Match: *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rest) enum IfMatch {
    /// Any version.
    Any,
    /// This one.
    Version(i64),
    /// None at all.
    Nothing,
}

impl IfMatch {
    /// Reads `W/"3"`, `"3"` or `*`.
    pub(in crate::rest) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let tag = text.strip_prefix("W/").unwrap_or(text);
        let version = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag);
        let is_number = !version.is_empty() && version.len() < 19 && version.bytes().all(|b| b.is_ascii_digit());
        let version = version.parse().ok().filter(|_| is_number);
        version.map(Self::Version).ok_or_else(|| Error::invalid("If-Match", "must be W/\"version\", as in ETag"))
    }

    /// What an update says of the version that must be there and of the one that must not. Versions that must not be there
    /// are for reads.
    pub(in crate::rest) fn of_update(matching: Option<&str>, none: Option<&str>) -> Result<Option<Self>, Error> {
        match (matching, none.map(str::trim)) {
            (Some(text), None) => Self::parse(text).map(Some),
            (None, Some("*")) => Ok(Some(Self::Nothing)),
            (_, Some(_)) => {
                Err(Error::invalid("If-None-Match", "must be *, and not together with If-Match, on an update"))
            }
            (None, None) => Ok(None),
        }
    }
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rest) enum Outcome {
    /// `201`.
    Created,
    /// `200`: a new version, or none because it was the same.
    Updated,
    /// `200`: the condition of a create matches one that is there.
    Existing,
    /// `204`.
    Deleted,
    /// `204`: there was nothing to delete.
    Absent,
}

/// A task that is done.
#[derive(Debug)]
pub(in crate::rest) struct Done {
    pub(in crate::rest) kind: String,
    pub(in crate::rest) id: String,
    pub(in crate::rest) outcome: Outcome,
    /// The version that is current now; nothing where there was nothing.
    pub(in crate::rest) version: Option<(i64, Instant)>,
    /// The same with its content, where it was written.
    pub(in crate::rest) stored: Option<Stored>,
}

impl Done {
    /// `Observation/123`.
    pub(in crate::rest) fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_entity_tags() {
        for (text, expected) in [
            ("W/\"3\"", IfMatch::Version(3)),
            (" \"3\" ", IfMatch::Version(3)),
            ("3", IfMatch::Version(3)),
            ("*", IfMatch::Any),
        ] {
            assert_eq!(IfMatch::parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(IfMatch::of_update(None, Some(" * ")).unwrap(), Some(IfMatch::Nothing));
        assert!(
            IfMatch::of_update(Some("*"), Some("*")).is_err() && IfMatch::of_update(None, Some("W/\"1\"")).is_err()
        );
        for bad in ["", "W/", "W/\"\"", "W/\"x\"", "\"-1\"", "W/\"1\", W/\"2\"", "99999999999999999999"] {
            assert!(IfMatch::parse(bad).is_err(), "{bad}");
        }
    }
}
