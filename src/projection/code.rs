//! Codes: LOINC first, ours second, IEEE 11073 third. <https://hl7.org/fhir/R4/observation-definitions.html#Observation.code>

use super::canonical::{MDC, OBSERVATION_CATEGORY, code_system, structure_definition};
use crate::fhir::Element;
use crate::fhir::datatype::{LOINC, coded, coding};
use crate::registry::{Category, Kind, LoincCoding, Signal};

/// Keys of the profiles of US Core's releases in a row's `profile` table start with it.
const US_CORE: &str = "us-core-";
/// Key of a row's own profile in its `profile` table.
const OWN: &str = "afferent";

/// Every coding of a thing: LOINC in the order of the row, our own, MDC.
pub(crate) fn codings(loinc: &[LoincCoding], own: (&str, &str), mdc: Option<&(u32, String)>) -> Vec<Element> {
    let mut all: Vec<Element> = loinc.iter().map(|l| coding(LOINC, &l.code, Some(&l.display))).collect();
    all.push(coding(&code_system("biosignal"), own.0, Some(own.1)));
    all.extend(mdc.map(|(code, reference_id)| coding(MDC, &code.to_string(), Some(reference_id))));
    all
}

/// The codings of a signal.
pub(crate) fn signal_codings(row: &Signal) -> Vec<Element> {
    codings(&row.loinc, (row.code.as_str(), &row.display), row.mdc.as_ref())
}

/// `Observation.category`.
pub(crate) fn category(category: Category) -> Element {
    let (code, display) = category.code();
    coded(OBSERVATION_CATEGORY, code, Some(display))
}

/// The interpretation of what is below its row's quality threshold.
pub(crate) fn low_quality() -> Element {
    coded(&code_system("quality"), "low-quality", Some("Low signal quality"))
}

/// The profile an Observation claims: that of the newest US Core the row has one of, else ours.
pub(crate) fn profile(row: &Signal) -> String {
    let releases = row.profile.iter().filter_map(|(target, url)| Some((release(target.strip_prefix(US_CORE)?), url)));
    if let Some(url) = releases.max().map(|(_, url)| url).or_else(|| row.profile.get(OWN)) {
        return url.clone();
    }
    structure_definition(match row.kind {
        Kind::SampledData => "biosignal-waveform",
        Kind::Intervals => "biosignal-intervals",
        Kind::Classification => "biosignal-classification",
        Kind::Quantity | Kind::Panel => "biosignal-observation",
    })
}

/// The numbers of a version, for the order of releases.
fn release(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn another_release_of_us_core_is_a_column_of_the_registry() {
        let mut registry = Registry::builtin().unwrap();
        let row = registry.signals.values_mut().find(|row| row.code.as_str() == "heart-rate").unwrap();
        assert!(profile(row).ends_with("/us-core-heart-rate"));
        for version in ["9.0.0", "10.0.0", "7.0.0"] {
            row.profile.insert(format!("us-core-{version}"), format!("http://hl7.org/x|{version}"));
        }
        assert_eq!(profile(row), "http://hl7.org/x|10.0.0");
    }
}
