//! Our extensions; each has its StructureDefinition in `ig/`. <https://hl7.org/fhir/R4/extensibility.html>

use super::Origin;
use super::canonical::structure_definition;
use crate::fhir::Element;
use crate::fhir::make::{complex_extension, decimal, decimal_digits, extension, object, text};
use crate::signal::{PacketRange, Quality};
use crate::time::Instant;

// Parts of a packet-range.
pub(super) const DEVICE: &str = "device";
pub(super) const STREAM: &str = "stream";
pub(super) const EPISODE: &str = "episode";

/// `Observation.extension` signal-quality: the index, two places.
pub(crate) fn signal_quality(quality: Quality) -> Element {
    let digits = decimal_digits(quality.index(), 2).unwrap_or_else(|| "0.00".to_owned());
    extension(&structure_definition("signal-quality"), ("valueDecimal", decimal(digits)))
}

/// `valueQuantity.extension` original-value: what was sent before the unit was converted, unit as written.
pub(crate) fn original_value(value: f64, unit: &str) -> Option<Element> {
    let digits = value.is_finite().then(|| value.to_string())?;
    let quantity = object([("value", decimal(digits)), ("unit", text(unit))]);
    Some(extension(&structure_definition("original-value"), ("valueQuantity", quantity)))
}

/// `Observation.component.extension` beat-instant: when the beat was that ends the interval.
pub(crate) fn beat_instant(at: Instant) -> Element {
    extension(&structure_definition("beat-instant"), ("valueInstant", text(at.to_fhir())))
}

/// `Observation.extension` lead: the lead or channel of a waveform.
pub(crate) fn lead(name: &str) -> Element {
    extension(&structure_definition("lead"), ("valueString", text(name)))
}

/// `Observation.extension` clock-skew: how many seconds the device's clock was behind the server's, where that is more than
/// is taken for granted and nothing was done about it.
pub(crate) fn clock_skew(off_ms: i64) -> Element {
    extension(&structure_definition("clock-skew"), ("valueDecimal", decimal(seconds(off_ms))))
}

/// Milliseconds as a decimal of seconds.
fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

/// `Provenance.entity.extension` packet-range: the packets a resource comes from, what sent them, and their hash.
pub(crate) fn packet_range(origin: &Origin, packets: &PacketRange) -> Element {
    let string = |name: &str, value: &str| extension(name, ("valueString", text(value)));
    let number = |name: &str, value: u64| extension(name, ("valueDecimal", decimal(value.to_string())));
    let mut parts = vec![string(DEVICE, origin.device.as_str()), string(STREAM, origin.stream.as_str())];
    parts.extend(origin.firmware.as_deref().map(|v| string("firmware", v)));
    parts.extend(origin.sdk.as_deref().map(|v| string("sdk", v)));
    parts.extend(origin.episode.as_ref().map(|e| string(EPISODE, e.as_str())));
    let offset = origin.clock.filter(|clock| clock.is_corrected).map(|clock| seconds(clock.off_ms));
    parts.extend(offset.map(|offset| extension("clock-offset", ("valueDecimal", decimal(offset)))));
    parts.push(number("first", packets.first));
    parts.push(number("last", packets.last));
    parts.push(number("count", packets.count));
    parts.push(string("sha256", &hex::encode(packets.chain)));
    complex_extension(&structure_definition("packet-range"), parts)
}
