//! Whether what clients write is valid: by R4, and by the profiles that it claims.
//!
//! What FHIR does not forbid is taken: addresses of example domains, and profiles, extensions and addresses that the tables of
//! this server do not have. They may well be known to those who use them.

use super::Context;
use crate::conformant::{Code, Issue, Severity};
use crate::fhir::content::Content;
use crate::fhir::stored;
use crate::rest::error::Error;

/// Refuses what is not valid; `place` is the Bundle's entry, where it is one.
pub(super) fn check(context: Context<'_>, id: &str, content: &Content, place: Option<&str>) -> Result<(), Error> {
    if !context.state.validate_writes {
        return Ok(());
    }
    let text = stored::without_version(content.kind(), id, &content.tail());
    let mut issues = context.state.validator.validate(&text, &[]);
    issues.retain(|issue| issue.severity != Severity::Information);
    if !issues.iter().any(refuses) {
        return Ok(());
    }
    issues.sort_by_key(|issue| !refuses(issue));
    if let Some(place) = place {
        // In a Bundle the entry's place stands for the type.
        let inner =
            |issue: &Issue| issue.expression.find(['.', '[']).map_or("", |at| &issue.expression[at..]).to_owned();
        for issue in &mut issues {
            issue.expression = format!("{place}.resource{}", inner(issue));
        }
    }
    Err(Error::NotValid(issues))
}

/// Whether an issue is reason enough.
fn refuses(issue: &Issue) -> bool {
    issue.severity == Severity::Error && !matches!(issue.code, Code::NotFound | Code::BusinessRule)
}
