//! What a derived resource says when it is computed again and comes out otherwise: that it was amended, and why.
//!
//! An Observation becomes `amended`, which tells readers that it was final before
//! (<https://hl7.org/fhir/R4/valueset-observation-status.html>); its Provenance says by what: other packets, which is what
//! late ones make, another source of the same signal, or another version of the algorithm.

use super::canonical::code_system;
use super::lineage::packet_sources;
use super::sole::without_passed_over;
use crate::fhir::datatype::coded;
use crate::fhir::make::{element, one, text};
use crate::fhir::{Element, Value, read};

const DATA_OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
const REASON: &str = "reason";
const ACTIVITY: &str = "activity";
const STATUS: &str = "status";

/// What to store in place of `before` now that `after` was computed; none where that is the same.
pub fn revised(kind: &str, before: &Element, after: &Element) -> Option<Element> {
    if as_computed(kind, before, after) == *after {
        return None;
    }
    Some(match kind {
        "Observation" => amended(before, after),
        "Provenance" => changed(before, after),
        // What is over has been raised: going through it again, with late packets or for a comparison, is no news.
        "Flag" if status(before) == Some("inactive") && status(after) == Some("active") => return None,
        _ => after.clone(),
    })
}

/// A stored resource as it was computed, or would be now if it were new: without what makes it a revision, and without what
/// it says about other sources.
#[must_use]
pub fn as_first_computed(kind: &str, mut stored: Element) -> Element {
    match kind {
        "Observation" if status(&stored) == Some("amended") => stored.extend(element([(STATUS, text("final"))])),
        "Provenance" => {
            stored = without_passed_over(stored);
            if stored.shift_remove(REASON).is_some() {
                stored.extend(element([(ACTIVITY, Some(Value::Element(created())))]));
            }
        }
        _ => {}
    }
    stored
}

/// The activity of what is computed for the first time.
pub(super) fn created() -> Element {
    coded(DATA_OPERATION, "CREATE", Some("create"))
}

/// The activity of what is changed.
pub(super) fn updated() -> Element {
    coded(DATA_OPERATION, "UPDATE", Some("revise"))
}

/// `before` without what was added to it as a revision.
fn as_computed(kind: &str, before: &Element, after: &Element) -> Element {
    let mut computed = before.clone();
    match kind {
        "Observation" if status(before) == Some("amended") => computed.extend(element([(STATUS, text("final"))])),
        "Provenance" if computed.shift_remove(REASON).is_some() => {
            computed.extend(after.get(ACTIVITY).map(|activity| (ACTIVITY.to_owned(), activity.clone())));
        }
        _ => {}
    }
    computed
}

fn amended(before: &Element, after: &Element) -> Element {
    let mut revised = after.clone();
    if status(after) == Some("final") && matches!(status(before), Some("final" | "amended")) {
        revised.extend(element([(STATUS, text("amended"))]));
    }
    revised
}

fn changed(before: &Element, after: &Element) -> Element {
    let (code, display) = reason(before, after);
    let why = coded(&code_system("revision-reason"), code, Some(display));
    let operation = updated();
    let mut revised = Element::with_capacity(after.len() + 1);
    for (name, value) in after {
        if name == ACTIVITY {
            revised.extend(element([(REASON, one(why.clone())), (ACTIVITY, Some(Value::Element(operation.clone())))]));
        } else {
            revised.insert(name.clone(), value.clone());
        }
    }
    revised
}

fn reason(before: &Element, after: &Element) -> (&'static str, &'static str) {
    let packets = |provenance| read::strings(provenance, "entity.extension.extension.valueString").join(" ");
    let agents = |provenance| read::strings(provenance, "agent.who.reference").join(" ");
    let sources = |provenance| {
        let streams: Vec<_> = packet_sources(provenance).into_iter().map(|s| (s.device, s.stream)).collect();
        (streams, read::elements(provenance, "extension"))
    };
    if sources(before) != sources(after) {
        ("source", "Sources weighed anew")
    } else if packets(before) != packets(after) {
        ("packets", "Computed from other packets")
    } else if agents(before) != agents(after) {
        ("algorithm", "Computed by another version of the algorithm")
    } else {
        ("recomputed", "Computed again")
    }
}

fn status(resource: &Element) -> Option<&str> {
    read::string(resource, STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json;

    fn parse(body: serde_json::Value) -> Element {
        json::parse(body.to_string().as_bytes()).unwrap()
    }

    fn observation(status: &str, value: u32) -> Element {
        parse(
            serde_json::json!({"resourceType": "Observation", "status": status, "code": {"text": "x"}, "valueInteger": value}),
        )
    }

    #[test]
    fn an_observation_is_amended_once_and_the_same_content_is_no_news() {
        let status_of = |before: &Element, after: &Element| {
            revised("Observation", before, after).map(|r| read::string(&r, "status").unwrap().to_owned())
        };
        let [first, other] = [observation("final", 1), observation("final", 2)];
        assert_eq!(status_of(&first, &first), None);
        assert_eq!(status_of(&first, &other).as_deref(), Some("amended"));
        assert_eq!(status_of(&observation("amended", 2), &other), None);
        assert_eq!(status_of(&observation("amended", 2), &first).as_deref(), Some("amended"));
        // What was an error and is found again was never final.
        assert_eq!(status_of(&observation("entered-in-error", 1), &first).as_deref(), Some("final"));
    }

    #[test]
    fn a_flag_that_is_over_is_not_raised_again() {
        let flag = |status: &str| parse(serde_json::json!({"resourceType": "Flag", "status": status}));
        let status_of = |before: &str, after: &str| {
            revised("Flag", &flag(before), &flag(after)).map(|r| read::string(&r, "status").unwrap().to_owned())
        };
        assert_eq!(status_of("inactive", "active"), None);
        assert_eq!(status_of("active", "inactive").as_deref(), Some("inactive"));
        assert_eq!(status_of("entered-in-error", "active").as_deref(), Some("active"));
    }

    #[test]
    fn its_provenance_says_why() {
        let provenance = |hash: &str, algorithm: &str| {
            parse(serde_json::json!({
                "resourceType": "Provenance", "target": [{"reference": "Observation/o"}],
                "recorded": "2026-01-18T14:00:00.000Z", "activity": {"coding": [{"code": "CREATE"}]},
                "agent": [{"who": {"reference": format!("Device/{algorithm}")}}],
                "entity": [{"role": "source", "what": {"display": "packets"}, "extension": [{"url": "https://afferent.dev/x",
                    "extension": [{"url": "sha256", "valueString": hash}]}]}],
            }))
        };
        let first = provenance("a", "v1");
        let why = |after: &Element| {
            let revised = revised("Provenance", &first, after)?;
            let names: Vec<&str> = revised.keys().map(String::as_str).collect();
            assert_eq!(names, ["resourceType", "target", "recorded", "reason", "activity", "agent", "entity"]);
            assert_eq!(read::string(&revised, "activity.coding.code"), Some("UPDATE"));
            assert_eq!(super::revised("Provenance", &revised, after), None, "the same again");
            Some(read::string(&revised, "reason.coding.code").unwrap().to_owned())
        };
        assert_eq!(why(&first), None);
        assert_eq!(why(&provenance("b", "v1")).as_deref(), Some("packets"));
        assert_eq!(why(&provenance("a", "v2")).as_deref(), Some("algorithm"));
    }
}
