//! `_include` and `_revinclude`. <https://hl7.org/fhir/R4/search.html#include>

use super::{Refusal, ignored};
use crate::capability::{Capability, Interaction, Parameter, ResourceRow, Source};
use crate::rest::error::Error;
use crate::store::search::Include;

/// Which way references are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `_include`
    To,
    /// `_revinclude`
    From,
}

impl Way {
    /// The way of a parameter, and whether it is followed from what came along as well.
    pub(super) fn of(name: &str) -> Option<(Self, bool)> {
        match name {
            "_include" => Some((Self::To, false)),
            "_include:iterate" => Some((Self::To, true)),
            "_revinclude" => Some((Self::From, false)),
            "_revinclude:iterate" => Some((Self::From, true)),
            _ => None,
        }
    }
}

/// `Type:parameter`, `Type:parameter:Target`, `Type:*` or `*`, if this server can follow it.
pub(super) fn includes(
    capability: &Capability,
    row: &ResourceRow,
    name: &str,
    text: &str,
    (way, iterate): (Way, bool),
) -> Result<Vec<Include>, Refusal> {
    let include = |from: &ResourceRow, p: &Parameter, target: Option<&str>| Include {
        kind: from.resource.clone(),
        parameter: p.name.clone(),
        target: target.map(str::to_owned),
        iterate,
    };
    if text == "*" {
        return Ok(match way {
            Way::To => row.references().map(|p| include(row, p, None)).collect(),
            Way::From => capability.references_to(&row.resource).map(|(from, p)| include(from, p, None)).collect(),
        });
    }
    let mut parts = text.split(':');
    let (kind, parameter, target) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let Some(parameter) = parameter.filter(|p| !p.is_empty() && !kind.is_empty() && parts.next().is_none()) else {
        return Err(Error::invalid(name, "must be Type:parameter, Type:parameter:Target, Type:* or *").into());
    };
    let from =
        capability.resource(kind).filter(|from| from.supports(Interaction::SearchType) && from.source == Source::Store);
    let fits = |p: &&Parameter| {
        let named = parameter == "*" || p.name == parameter;
        let reaches = target.is_none_or(|target| p.target.iter().any(|t| t == target));
        // What came along may be of any type, so any reference may be followed from there.
        let starts = iterate
            || match way {
                Way::To => kind == row.resource,
                Way::From => p.target.contains(&row.resource) && target.is_none_or(|target| target == row.resource),
            };
        named && reaches && starts
    };
    let found: Vec<Include> = from
        .into_iter()
        .flat_map(|from| from.references().filter(fits).map(move |p| (from, p)))
        .map(|(from, p)| include(from, p, target))
        .collect();
    if found.is_empty() {
        return Err(Refusal::Ignored(ignored(name, &format!("{name}={text} cannot be followed"))));
    }
    Ok(found)
}
