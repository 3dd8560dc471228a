//! Extensions of a Subscription, read and masked.

use serde_json::{Map, Value, json};

use super::seal::Given;
use crate::fhir::content::Object;
use crate::id::ResourceId;
use crate::secret::Secret;

/// Those of the Backport.
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
/// Our own.
const OWN: &str = "https://afferent.dev/fhir/StructureDefinition/";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// What an extension is called.
pub(super) fn backport(name: &str) -> String {
    format!("{BACKPORT}backport-{name}")
}

/// What one of ours is called.
pub(super) fn own(name: &str) -> String {
    format!("{OWN}subscription-{name}")
}

/// Values of the extensions with a URL: of `within`, an element or the `_name` of a primitive.
pub(super) fn values<'a>(within: Option<&'a Value>, url: &str) -> Vec<&'a Value> {
    let all = within.and_then(|element| element.get("extension")).and_then(Value::as_array).into_iter().flatten();
    let of_url = all.filter(|extension| extension["url"] == url);
    of_url.filter_map(Value::as_object).filter_map(value).collect()
}

/// Says whose a Subscription is: one patient's, or nobody's in particular.
pub(super) fn set_patient(subscription: &mut Object, patient: Option<&ResourceId>) {
    let url = own("patient");
    let mut all = match subscription.remove("extension") {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    all.retain(|extension| extension["url"] != url);
    if let Some(patient) = patient {
        all.push(json!({"url": url, "valueReference": {"reference": format!("Patient/{patient}")}}));
    }
    if !all.is_empty() {
        subscription.insert("extension".to_owned(), Value::Array(all));
    }
}

fn value(extension: &Map<String, Value>) -> Option<&Value> {
    extension.iter().find(|(name, _)| name.starts_with("value")).map(|(_, value)| value)
}

/// Takes a secret out of the extensions of an element and says there that it is masked.
pub(super) fn mask(element: &mut Value, url: &str) -> Option<Given> {
    let all = element.get_mut("extension").and_then(Value::as_array_mut).into_iter().flatten();
    let mut given = None;
    for extension in all.filter(|extension| extension["url"] == url) {
        let Some(members) = extension.as_object_mut() else { continue };
        given = match members.remove("valueString") {
            Some(Value::String(secret)) => Some(Given::Secret(Secret::new(secret))),
            _ => Some(Given::Masked),
        };
        let masked = json!({"extension": [{"url": ABSENT, "valueCode": "masked"}]});
        members.insert("_valueString".to_owned(), masked);
    }
    given
}
