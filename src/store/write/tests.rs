//! What clients write is found as what the pipeline writes.

use crate::capability::Capability;
use crate::fhir::content::Content;
use crate::fhir::{json, stored};
use crate::store::index::Index;

/// A resource of each kind of searched value: tokens of every form, references, dates, periods, numbers.
const RESOURCES: [&str; 6] = [
    r#"{"resourceType":"Observation","meta":{"profile":["http://p"],"tag":[{"system":"urn:t","code":"a"}]},"identifier":[{"system":"urn:i","value":"1"}],"status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"},{"code":"own"}],"text":"x"},"subject":{"reference":"Patient/p/_history/2"},"encounter":{"reference":"Encounter/e"},"effectivePeriod":{"start":"2026-01-18T14:00:00Z","end":"2026-01-18T15:00:00Z"},"valueQuantity":{"value":72,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"},"device":{"reference":"Device/d"},"derivedFrom":[{"reference":"Observation/a"}],"component":[{"code":{"text":"a"},"valueQuantity":{"value":1.50}},{"code":{"text":"b"},"valueInteger":3}]}"#,
    r#"{"resourceType":"Observation","status":"final","_status":{"id":"s"},"code":{"coding":[{"id":"c","system":"http://loinc.org","code":"1"}]},"effectiveDateTime":"2026-01","valueInteger":7,"extension":[{"url":"http://x","valueCode":"y"}]}"#,
    r#"{"resourceType":"Patient","active":true,"name":[{"family":"Doe","given":["A","B"],"_given":[null,{"id":"g"}]}],"gender":"female","birthDate":"1980","multipleBirthInteger":2,"address":[{"city":"X","postalCode":"1"}],"generalPractitioner":[{"reference":"Practitioner/1"}]}"#,
    r#"{"resourceType":"Device","status":"active","patient":{"reference":"Patient/p"},"type":{"coding":[{"code":"t"}]},"version":[{"value":"1"}]}"#,
    r#"{"resourceType":"Provenance","target":[{"reference":"Observation/1"},{"reference":"Observation/2"}],"recorded":"2026-01-18T14:00:00.123Z","agent":[{"who":{"reference":"Device/d"}}],"entity":[{"role":"source","what":{"reference":"Binary/b"}}]}"#,
    r#"{"resourceType":"Encounter","status":"finished","class":{"system":"urn:c","code":"HH"},"subject":{"reference":"Patient/p"},"period":{"start":"2026-01-18"},"length":{"value":5,"code":"h"}}"#,
];

#[test]
fn content_is_indexed_as_the_element_model_would() {
    let tenant = crate::store::fixture::tenant("a");
    let capability = Capability::builtin().unwrap();
    for resource in RESOURCES {
        let content = Content::parse(resource.as_bytes()).unwrap_or_else(|e| panic!("{resource}: {e}"));
        let row = capability.resource(content.kind());
        let expected = Index::of(&tenant, row, &json::parse(resource.as_bytes()).unwrap());
        assert_eq!(Index::of(&tenant, row, &content.element()), expected, "{resource}");
        // What is read back from the store to be taken out of the index.
        let mut whole = Vec::new();
        stored::write(&mut whole, content.kind(), "x", 1, "2026-01-18T14:00:00.000Z", &content.tail());
        assert_eq!(Index::of(&tenant, row, &json::parse(&whole).unwrap()), expected, "{resource}");
    }
}
