//! Codes: LOINC first, ours second, IEEE 11073 third. <https://hl7.org/fhir/R4/observation-definitions.html#Observation.code>

use super::canonical::{MDC, OBSERVATION_CATEGORY, code_system, structure_definition};
use crate::fhir::Element;
use crate::fhir::datatype::{LOINC, coded, coding};
use crate::registry::{Category, Kind, LoincCoding, Signal};

/// The newest US Core the resources claim: key of the rows' `profile` table.
pub(crate) const US_CORE: &str = "us-core-6.1.0";
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

/// The profile an Observation claims: US Core's where there is one, else ours.
pub(crate) fn profile(row: &Signal) -> String {
    if let Some(url) = row.profile.get(US_CORE).or_else(|| row.profile.get(OWN)) {
        return url.clone();
    }
    structure_definition(match row.kind {
        Kind::SampledData => "biosignal-waveform",
        Kind::Intervals => "biosignal-intervals",
        Kind::Classification => "biosignal-classification",
        Kind::Quantity | Kind::Panel => "biosignal-observation",
    })
}
