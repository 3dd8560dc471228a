//! `registry/signal/*.toml`: one row per biosignal.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::id::SignalCode;

/// A biosignal: how it comes in, what it is called, how it goes out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Version of the row format.
    pub format_version: u32,
    /// Our code, in `CodeSystem/biosignal`.
    pub code: SignalCode,
    /// Its display.
    pub display: String,
    /// One sentence for the code system and the mapping document.
    pub definition: String,
    /// Which `value[x]` carries it.
    pub kind: Kind,
    /// `Observation.category`.
    pub category: Category,
    /// LOINC codings, in the order they are written; our own coding follows them.
    #[serde(default)]
    pub loinc: Vec<LoincCoding>,
    /// IEEE 11073-10101 code (32 bit) and reference identifier, where one is known.
    #[serde(default)]
    pub mdc: Option<(u32, String)>,
    /// Canonical unit; none for panels, classifications and counts without one.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// Further units accepted at ingest, with the way to the canonical one.
    #[serde(default)]
    pub input_unit: Vec<InputUnit>,
    /// Decimals written.
    #[serde(default)]
    pub precision: u8,
    /// Bounds outside which a value is refused at ingest.
    #[serde(default)]
    pub plausible: Option<Plausible>,
    /// Below this quality index a measurement is marked low-quality.
    #[serde(default = "default_threshold")]
    pub quality_threshold: f64,
    /// SNOMED CT body site of the usual sensor (code, display).
    #[serde(default)]
    pub body_site: Option<(String, String)>,
    /// Profile canonicals by target, such as `us-core-6.1.0`.
    #[serde(default)]
    pub profile: BTreeMap<String, String>,
    /// Whether a patient has only one at a time: of several sources that give it at once, one counts.
    #[serde(default)]
    pub sole: bool,
    /// Components of a panel.
    #[serde(default)]
    pub component: Vec<Component>,
    /// Codes of a classification.
    #[serde(default)]
    pub value: Vec<CodedValue>,
    /// How a waveform is cut and written.
    #[serde(default)]
    pub sampled_data: Option<SampledData>,
}

fn default_threshold() -> f64 {
    0.7
}

/// Which `value[x]` carries a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `valueQuantity`.
    Quantity,
    /// `component[].valueQuantity` without a top-level value.
    Panel,
    /// `valueCodeableConcept`.
    Classification,
    /// `component[].valueQuantity`, one per interval: a series without a sampling period.
    Intervals,
    /// `valueSampledData`.
    SampledData,
}

/// `Observation.category` out of <http://terminology.hl7.org/CodeSystem/observation-category>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Vital signs.
    VitalSigns,
    /// Derived from a physiologic recording.
    Procedure,
    /// Laboratory.
    Laboratory,
    /// Activity.
    Activity,
    /// Exam.
    Exam,
}

impl Category {
    /// Code and display.
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::VitalSigns => ("vital-signs", "Vital Signs"),
            Self::Procedure => ("procedure", "Procedure"),
            Self::Laboratory => ("laboratory", "Laboratory"),
            Self::Activity => ("activity", "Activity"),
            Self::Exam => ("exam", "Exam"),
        }
    }
}

/// A LOINC coding.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoincCoding {
    /// Code.
    pub code: String,
    /// Official display.
    pub display: String,
}

/// A UCUM unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// UCUM code, case-sensitive.
    pub code: String,
    /// What people read.
    pub display: String,
}

impl Unit {
    /// The unit of counts and ratios.
    pub fn one() -> Self {
        Self { code: "1".to_owned(), display: "1".to_owned() }
    }
}

/// A unit accepted at ingest: canonical = value * factor + offset.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputUnit {
    /// The code as senders write it.
    pub code: String,
    /// Multiplier.
    pub factor: f64,
    /// Added after.
    #[serde(default)]
    pub offset: f64,
}

/// The way from an input unit to the canonical one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    /// Multiplier.
    pub factor: f64,
    /// Added after.
    pub offset: f64,
}

impl Conversion {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { factor: 1.0, offset: 0.0 };

    /// The value in the canonical unit.
    pub fn apply(self, value: f64) -> f64 {
        value * self.factor + self.offset
    }

    /// Whether it leaves values as they are.
    pub fn is_identity(self) -> bool {
        self.factor == 1.0 && self.offset == 0.0
    }
}

/// Bounds of what a value can be, in the canonical unit, both included.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plausible {
    /// Lowest.
    pub min: f64,
    /// Highest.
    pub max: f64,
}

/// A component of a panel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name within the panel; `{panel}-{code}` is our code in `CodeSystem/biosignal`.
    pub code: String,
    /// Its display.
    pub display: String,
    /// One sentence for the code system.
    pub definition: String,
    /// LOINC codings.
    #[serde(default)]
    pub loinc: Vec<LoincCoding>,
    /// IEEE 11073-10101 code (32 bit) and reference identifier, where one is known.
    #[serde(default)]
    pub mdc: Option<(u32, String)>,
    /// Canonical unit.
    pub unit: Unit,
    /// Further units accepted at ingest, with the way to the canonical one.
    #[serde(default)]
    pub input_unit: Vec<InputUnit>,
    /// Decimals written.
    #[serde(default)]
    pub precision: u8,
    /// Bounds of what it can be.
    pub plausible: Plausible,
    /// Whether the profile wants it even when it has no value.
    #[serde(default)]
    pub required: bool,
}

/// A code of a classification.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodedValue {
    /// Our code.
    pub code: String,
    /// Its display.
    pub display: String,
    /// What it means.
    pub definition: String,
}

/// How a waveform is cut into SampledData and pictures.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampledData {
    /// Seconds in one Observation.
    pub chunk_s: u32,
    /// The value of one count: `SampledData.factor`, in the canonical unit.
    pub factor: f64,
    /// Values at each point in time, interleaved in packets as in `SampledData.data`; the definition names them in order.
    #[serde(default = "one_dimension")]
    pub dimensions: u8,
    /// Draw a strip of every chunk on this paper.
    #[serde(default)]
    pub strip: Option<StripPaper>,
    /// LOINC document type of the strip, where one fits.
    #[serde(default)]
    pub document_type: Option<LoincCoding>,
    /// Seconds in the strip.
    #[serde(default = "default_strip")]
    pub strip_s: u32,
}

fn one_dimension() -> u8 {
    1
}

fn default_strip() -> u32 {
    10
}

/// The paper a strip is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StripPaper {
    /// 25 mm/s, 10 mm/mV.
    Ecg,
    /// 25 mm/s, amplitude scaled to the recording.
    Amplitude,
}

/// How values in `unit` become canonical, or `None` for a unit the row does not know.
fn conversion(canonical: Option<&Unit>, accepted: &[InputUnit], unit: Option<&str>) -> Option<Conversion> {
    let canonical = canonical.map(|u| u.code.as_str());
    match unit {
        None => canonical.is_none().then_some(Conversion::IDENTITY),
        Some(code) if Some(code) == canonical => Some(Conversion::IDENTITY),
        Some(code) => {
            accepted.iter().find(|u| u.code == code).map(|u| Conversion { factor: u.factor, offset: u.offset })
        }
    }
}

impl Component {
    /// How values in `unit` become canonical; `None` when the component does not know the unit.
    pub fn conversion(&self, unit: Option<&str>) -> Option<Conversion> {
        conversion(Some(&self.unit), &self.input_unit, unit)
    }
}

impl Signal {
    /// How values in `unit` become canonical; `None` when the row does not know the unit.
    ///
    /// No unit means the canonical one only where the row has none itself.
    pub fn conversion(&self, unit: Option<&str>) -> Option<Conversion> {
        conversion(self.unit.as_ref(), &self.input_unit, unit)
    }

    /// The component of a panel.
    pub fn component(&self, code: &str) -> Option<&Component> {
        self.component.iter().find(|c| c.code == code)
    }

    /// Every unit the row accepts, canonical first, for error texts.
    pub fn accepted_units(&self) -> Vec<&str> {
        self.unit.iter().map(|u| u.code.as_str()).chain(self.input_unit.iter().map(|u| u.code.as_str())).collect()
    }
}
