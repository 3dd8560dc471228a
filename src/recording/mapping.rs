//! What channels of recordings are called, and the signals they are. A new name is a line of this table.

use super::{Target, waveform};
use crate::id::SignalCode;
use crate::registry::Registry;

/// Names of one signal in recordings.
struct Row {
    /// Channel names, in capitals; a trailing `*` stands for anything.
    names: &'static [&'static str],
    /// The row in `registry/signal`, or why there is none.
    signal: Result<&'static str, &'static str>,
    /// Units as recordings write them, with their UCUM code; units that are UCUM codes of the signal need no line.
    units: &'static [(&'static str, &'static str)],
    /// The unit of a channel that states none.
    unstated: Option<&'static str>,
    /// Whether the channel's name is its lead.
    lead: bool,
}

const PER_MINUTE: &[(&str, &str)] = &[("bpm", "/min"), ("BPM", "/min"), ("1/min", "/min"), ("brpm", "/min")];

/// A sensor's own scale has no unit, whatever a recording calls it.
const OWN_SCALE: &[(&str, &str)] = &[
    ("NU", "1"),
    ("nu", "1"),
    ("a.u.", "1"),
    ("au", "1"),
    ("adu", "1"),
    ("pm", "1"),
    ("mV", "1"),
    ("V", "1"),
    ("Ohm", "1"),
    ("ohm", "1"),
];

const TABLE: &[Row] = &[
    Row {
        names: &[
            "ECG", "ECG*", "EKG", "MLI", "MLII", "MLIII", "I", "II", "III", "AVR", "AVL", "AVF", "V", "V1", "V2", "V3",
            "V4", "V5", "V6", "MCL1", "CM2", "CM4", "CM5", "CC5", "D3", "D4", "MOD.V1", "LEAD*",
        ],
        signal: Ok("ecg"),
        units: &[("mv", "mV"), ("MV", "mV"), ("µV", "uV"), ("μV", "uV"), ("microvolt", "uV"), ("millivolt", "mV")],
        unstated: None,
        lead: true,
    },
    Row { names: &["PLETH*", "PPG*", "BVP"], signal: Ok("ppg"), units: OWN_SCALE, unstated: Some("1"), lead: false },
    Row {
        names: &["RESP_RATE", "RESPIRATORY RATE", "RESPIRATORY_RATE", "RESPIRATORY-RATE"],
        signal: Ok("respiratory-rate"),
        units: PER_MINUTE,
        unstated: Some("/min"),
        lead: false,
    },
    Row { names: &["RESP*", "RSP"], signal: Ok("respiration"), units: OWN_SCALE, unstated: Some("1"), lead: false },
    Row {
        names: &["EDA", "GSR", "SCL"],
        signal: Ok("eda"),
        units: &[("µS", "uS"), ("μS", "uS"), ("microsiemens", "uS")],
        unstated: None,
        lead: false,
    },
    Row {
        names: &["HR", "HEART RATE", "HEART_RATE", "HEART-RATE"],
        signal: Ok("heart-rate"),
        units: PER_MINUTE,
        unstated: Some("/min"),
        lead: false,
    },
    Row {
        names: &["PULSE", "PR", "PULSE RATE", "PULSE_RATE", "PULSE-RATE"],
        signal: Ok("pulse-rate"),
        units: PER_MINUTE,
        unstated: Some("/min"),
        lead: false,
    },
    Row { names: &["SPO2", "SAO2"], signal: Ok("spo2"), units: &[("percent", "%")], unstated: Some("%"), lead: false },
    Row {
        names: &["TEMP", "TEMPERATURE"],
        signal: Ok("body-temperature"),
        units: &[("degC", "Cel"), ("°C", "Cel"), ("C", "Cel"), ("degF", "[degF]"), ("°F", "[degF]"), ("F", "[degF]")],
        unstated: None,
        lead: false,
    },
    Row {
        names: &["ABP", "ART", "BP", "CVP", "PAP", "ICP"],
        signal: Err("pressure waveforms have no row in the signal registry"),
        units: &[],
        unstated: None,
        lead: false,
    },
    Row {
        names: &["EEG*", "EMG*", "EOG*", "ACC*"],
        signal: Err("has no row in the signal registry"),
        units: &[],
        unstated: None,
        lead: false,
    },
];

/// The code of the signal a name stands for, whatever its unit.
pub(super) fn code(name: &str) -> Option<&'static str> {
    row(name)?.signal.ok()
}

fn row(name: &str) -> Option<&'static Row> {
    let capitals = name.trim().to_uppercase();
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => capitals.starts_with(prefix),
        None => **pattern == capitals,
    };
    TABLE.iter().find(|row| row.names.iter().any(matches))
}

/// The signal of a channel, or why it is none.
pub(super) fn target(name: &str, unit: Option<&str>, registry: &Registry) -> Result<Target, String> {
    let by_code = SignalCode::new(name.trim().to_lowercase()).ok().filter(|code| registry.signal(code).is_some());
    let (code, listed) = match (by_code, row(name)) {
        (Some(code), row) => (code, row),
        (None, Some(row)) => (SignalCode::new(row.signal?).map_err(|e| e.to_string())?, Some(row)),
        (None, None) => return Err("its name stands for no signal known".to_owned()),
    };
    let row = registry.signal(&code).ok_or_else(|| format!("{code} has no row in the signal registry"))?;
    let waveform = waveform(row.kind).ok_or_else(|| format!("{code} is not a series of numbers"))?;
    let lead = listed.is_some_and(|l| l.lead).then(|| name.trim().to_owned());
    let lead = lead.filter(|l| l.len() <= 32 && !l.eq_ignore_ascii_case("ecg"));
    let unit = match unit {
        Some(unit) => {
            let ucum = listed
                .and_then(|l| l.units.iter().find(|(written, _)| *written == unit))
                .map_or(unit, |(_, ucum)| ucum);
            Some(ucum.to_owned())
        }
        None => listed.and_then(|l| l.unstated).map(str::to_owned),
    };
    let accepted = row.accepted_units().join(", ");
    match unit {
        None => Err(format!("states no unit; write it in brackets after the name, one of {accepted}")),
        Some(unit) if row.conversion(Some(&unit)).is_none() => {
            Err(format!("unit {unit} is not accepted for {code}; accepted: {accepted}"))
        }
        Some(unit) => Ok(Target { signal: code, unit, lead, waveform }),
    }
}
