//! What an algorithm no longer says about a window is taken back.
//!
//! When a window is computed anew, with a late packet or by a better version, most of what it gave is replaced in place.
//! Something that happened at a moment of its own, such as the beginning of an episode, may not be found any more. The
//! Provenance of the window names all that it gave: what a new version of it names no longer was an error, and stays with
//! the status that says so. <https://hl7.org/fhir/R4/valueset-observation-status.html>

use std::collections::BTreeSet;

use sqlx::{Any, Transaction};

use super::StoreError;
use super::body::Bodies;
use super::resource::derived;
use crate::fhir::{Element, make, read};
use crate::id::{ResourceId, TenantId};
use crate::resource::Resource;

/// The references `before` names as targets and `after` does not.
pub(super) fn dropped(before: &Element, after: &[String]) -> Vec<String> {
    let targets = read::strings(before, "target.reference").into_iter();
    targets.filter(|target| !after.iter().any(|a| a == target)).map(str::to_owned).collect()
}

/// The resources behind `references` with the status `entered-in-error`, but for those that are `written` right now.
pub(super) async fn retracted(
    tx: &mut Transaction<'_, Any>,
    bodies: &Bodies,
    tenant: &TenantId,
    references: Vec<String>,
    written: &BTreeSet<String>,
) -> Result<Vec<Resource>, StoreError> {
    let mut retracted = Vec::new();
    for reference in references.into_iter().filter(|r| !written.contains(r)) {
        // A strip's picture has no status; the document that names it has.
        let Some((kind, id)) = reference.split_once('/').filter(|(kind, _)| *kind != "Binary") else { continue };
        let Some(mut element) = derived(tx, bodies, tenant, kind, id).await? else { continue };
        let Ok(id) = ResourceId::new(id) else { continue };
        element.extend(make::element([("status", make::text("entered-in-error"))]));
        retracted.push(Resource { kind: kind.to_owned(), id, element });
    }
    Ok(retracted)
}
