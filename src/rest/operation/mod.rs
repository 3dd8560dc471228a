//! Operations, one file each, named as FHIR names them. <https://hl7.org/fhir/R4/operations.html>
//!
//! Every operation here only reads, so it is invoked by GET with its parameters in the URL, or by POST with them in a
//! Parameters resource or a form.

mod call;
mod docref;
mod everything;
mod lastn;
mod lineage;
mod meta;
mod parameters;
mod series;
mod stats;
mod subscription;
mod terminology;
mod validate;

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get};

use super::payload::MOST_RESOURCE;
use super::state::TypeState;
use call::Call;

/// Most bytes of the parameters.
const BODY: usize = 64 * 1024;

/// What answers an operation; none where nothing does.
pub(super) fn route(kind: &str, name: &str) -> Option<MethodRouter<TypeState>> {
    if name == "validate" {
        // A whole resource may be among the parameters.
        let router = get(validate::validate).post(validate::validate);
        return Some(router.layer(DefaultBodyLimit::max(MOST_RESOURCE)));
    }
    let router = match (kind, name) {
        ("Observation", "lastn") => get(lastn::lastn).post(lastn::lastn),
        ("Observation", "stats") => get(stats::stats).post(stats::stats),
        ("Observation", "series") => get(series::series).post(series::series),
        ("Patient" | "Encounter", "everything") => get(everything::everything).post(everything::everything),
        ("DocumentReference", "docref") => get(docref::docref).post(docref::docref),
        ("CodeSystem", "lookup") => get(terminology::lookup).post(terminology::lookup),
        ("CodeSystem" | "ValueSet", "validate-code") => {
            get(terminology::validate_code).post(terminology::validate_code)
        }
        ("ValueSet", "expand") => get(terminology::expand).post(terminology::expand),
        ("Subscription", "status") => get(subscription::status).post(subscription::status),
        ("Subscription", "events") => get(subscription::events).post(subscription::events),
        ("Subscription", "get-ws-binding-token") => get(subscription::binding_token).post(subscription::binding_token),
        (_, "lineage") => get(lineage::lineage).post(lineage::lineage),
        (_, "meta") => get(meta::meta).post(meta::meta),
        _ => return None,
    };
    Some(router.layer(DefaultBodyLimit::max(BODY)))
}
