//! Reading back what a Provenance says about the packets behind it.

use super::canonical::structure_definition;
use super::extension::{DEVICE, EPISODE, STREAM};
use crate::fhir::{Element, Primitive, Value, read};

/// A stream packets came from, as a Provenance names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketSource<'a> {
    /// Device.
    pub device: &'a str,
    /// Its stream.
    pub stream: &'a str,
    /// The episode they belong to.
    pub episode: Option<&'a str>,
}

/// The streams behind a Provenance.
pub fn packet_sources(provenance: &Element) -> Vec<PacketSource<'_>> {
    let url = structure_definition("packet-range");
    let ranges = read::elements(provenance, "entity.extension").into_iter().filter(|e| is(e, &url));
    ranges.filter_map(source).collect()
}

fn source(range: &Element) -> Option<PacketSource<'_>> {
    let part = |name: &str| {
        let parts = read::elements(range, "extension").into_iter();
        parts.filter(|part| is(part, name)).find_map(|part| read::string(part, "valueString"))
    };
    Some(PacketSource { device: part(DEVICE)?, stream: part(STREAM)?, episode: part(EPISODE) })
}

/// Whether an extension has this URL.
fn is(extension: &Element, url: &str) -> bool {
    matches!(extension.get("url"), Some(Value::Primitive(Primitive::String(found))) if found == url)
}
