//! The Observation that says what a device's clock showed at a moment of the server's, after the Personal Health Device
//! implementation guide's coincident timestamp. <https://hl7.org/fhir/uv/phd/CoincidentTimeStampProfile.html>
//!
//! One for every stretch over which the clock ran evenly: with the offset in each Provenance it tells how device times became
//! the times in the record.

use super::canonical::MDC;
use super::identifier::{coincident, identifier};
use super::narrative::narrative;
use super::{Organization, Origin, sensor_id, start};
use crate::fhir::Value;
use crate::fhir::datatype::{coded, reference};
use crate::fhir::make::{element, list, one, text};
use crate::resource::Resource;
use crate::session::clock::Segment;
use crate::time::Instant;

/// What the clock of a stream's device showed where a segment begins.
pub fn coincident_timestamp(origin: &Origin, segment: &Segment, organization: &Organization) -> Resource {
    let identity = coincident(&origin.tenant, &origin.device, &origin.stream, segment.first);
    let shown = Instant(segment.origin.0);
    let at = shown.plus(segment.offset_us.round() as i64);
    let mut body = start("Observation", &identity.id, None);
    body.extend(element([
        ("text", narrative(&format!("The device's clock showed {} at {}", shown.to_fhir(), at.to_fhir()))),
        ("identifier", one(identifier("observation", &identity.value))),
        ("status", text("final")),
        ("code", Some(Value::Element(coded(MDC, "68226", Some("MDC_ATTR_TIME_BO"))))),
        ("effectiveDateTime", text(at.to_fhir())),
        ("performer", list(vec![reference(&format!("Organization/{}", organization.id))])),
        ("valueDateTime", text(shown.to_fhir())),
        ("device", Some(Value::Element(reference(&format!("Device/{}", sensor_id(origin)))))),
    ]));
    Resource { kind: "Observation".to_owned(), id: identity.id, element: body }
}
