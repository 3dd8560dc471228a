//! Rows against themselves and against each other.

use super::{Alert, Algorithm, Condition, FORMAT_VERSION, Kind, Registry, RegistryError, Signal};

/// The first contradiction.
pub(super) fn check(registry: &Registry) -> Result<(), RegistryError> {
    for signal in registry.signals.values() {
        version(&format!("signal/{}", signal.code), signal.format_version)?;
        check_signal(signal).map_err(|problem| inconsistent(&format!("signal/{}", signal.code), problem))?;
    }
    for algorithm in registry.algorithms.values() {
        version(&format!("algorithm/{}", algorithm.id), algorithm.format_version)?;
        check_algorithm(registry, algorithm)
            .map_err(|problem| inconsistent(&format!("algorithm/{}", algorithm.id), problem))?;
    }
    for alert in registry.alerts.values() {
        let row = format!("alert/{}", alert.id);
        version(&row, alert.format_version)?;
        check_alert(registry, alert).map_err(|problem| inconsistent(&row, problem))?;
    }
    for model in registry.devices.values() {
        let row = format!("device/{}", model.model);
        version(&row, model.format_version)?;
        if let Some(curve) = model.calibration.iter().find(|c| !registry.algorithms.contains_key(&c.algorithm)) {
            return Err(inconsistent(&row, format!("calibration: no algorithm row {}", curve.algorithm)));
        }
        let fields = model.gatt.iter().flat_map(|g| &g.field).chain(model.vendor.iter().flat_map(|v| &v.field));
        for field in fields {
            let Some(signal) = registry.signals.get(&field.signal) else {
                return Err(inconsistent(&row, format!("field {}: no signal row {}", field.name, field.signal)));
            };
            if let Some(component) = &field.component
                && !signal.component.iter().any(|c| &c.code == component)
            {
                return Err(inconsistent(
                    &row,
                    format!("field {}: {} has no component {component}", field.name, signal.code),
                ));
            }
        }
    }
    for target in registry.targets.values() {
        let row = format!("target/{}", target.target);
        version(&row, target.format_version)?;
        let most = [target.transaction_entries, target.batch_entries, target.request_bytes];
        if most.contains(&0) {
            return Err(inconsistent(&row, "transaction_entries, batch_entries, request_bytes: at least 1".to_owned()));
        }
    }
    Ok(())
}

fn inconsistent(row: &str, problem: String) -> RegistryError {
    RegistryError::Inconsistent { row: row.to_owned(), problem }
}

fn version(row: &str, format_version: u32) -> Result<(), RegistryError> {
    if format_version == FORMAT_VERSION {
        return Ok(());
    }
    Err(inconsistent(row, format!("format_version: {format_version} is not the {FORMAT_VERSION} this version reads")))
}

fn check_signal(row: &Signal) -> Result<(), String> {
    let has = |present: bool, field: &str| {
        if present { Ok(()) } else { Err(format!("{field}: a {:?} row needs it", row.kind)) }
    };
    let has_not = |absent: bool, field: &str| {
        if absent { Ok(()) } else { Err(format!("{field}: a {:?} row has none", row.kind)) }
    };
    has(!row.display.is_empty(), "display")?;
    has_not(row.kind == Kind::Panel || row.component.is_empty(), "component")?;
    has_not(row.kind == Kind::Classification || row.value.is_empty(), "value")?;
    has_not(row.kind == Kind::SampledData || row.sampled_data.is_none(), "sampled_data")?;
    has_not(row.kind == Kind::Quantity || !row.sole, "sole")?;
    match row.kind {
        Kind::Quantity => has(row.plausible.is_some(), "plausible")?,
        Kind::Intervals => {
            has(row.unit.is_some(), "unit")?;
            has(row.plausible.is_some(), "plausible")?;
        }
        Kind::Panel => has(!row.component.is_empty(), "component")?,
        Kind::Classification => has(!row.value.is_empty(), "value")?,
        Kind::SampledData => {
            has(row.unit.is_some(), "unit")?;
            has(row.sampled_data.is_some(), "sampled_data")?;
        }
    }
    if let Some(sampled) = &row.sampled_data {
        if sampled.chunk_s == 0 || 3600 % sampled.chunk_s != 0 {
            return Err("sampled_data.chunk_s: must divide an hour".to_owned());
        }
        if sampled.dimensions == 0 || (sampled.dimensions > 1 && sampled.strip.is_some()) {
            return Err("sampled_data.dimensions: at least one, and a strip shows only one".to_owned());
        }
        if sampled.factor <= 0.0 || sampled.factor.is_nan() {
            return Err("sampled_data.factor: must be positive".to_owned());
        }
    }
    if let Some(range) = row.plausible
        && (range.min.is_nan() || range.max.is_nan() || range.min >= range.max)
    {
        return Err("plausible: min must be below max".to_owned());
    }
    if !(0.0..=1.0).contains(&row.quality_threshold) {
        return Err("quality_threshold: must be in [0, 1]".to_owned());
    }
    for coding in row.loinc.iter().chain(row.component.iter().flat_map(|c| &c.loinc)) {
        if !loinc_check_digit(&coding.code) {
            return Err(format!("loinc: {} has a wrong check digit", coding.code));
        }
    }
    for unit in row.input_unit.iter().chain(row.component.iter().flat_map(|c| &c.input_unit)) {
        if unit.factor == 0.0 || !unit.factor.is_finite() || !unit.offset.is_finite() {
            return Err(format!("input_unit {}: factor must be finite and not zero", unit.code));
        }
    }
    Ok(())
}

fn check_algorithm(registry: &Registry, row: &Algorithm) -> Result<(), String> {
    for code in row.inputs().chain(&row.outputs) {
        if !registry.signals.contains_key(code) {
            return Err(format!("no signal row {code}"));
        }
    }
    let series = |code| registry.signals.get(code).is_some_and(|row| row.kind == Kind::Intervals);
    if row.is_composite() && !row.inputs().all(series) {
        return Err("with: streams are brought together by series of intervals only".to_owned());
    }
    if row.outputs.is_empty() {
        return Err("outputs: at least one signal".to_owned());
    }
    if row.window_s == 0 || 3600 % row.window_s != 0 {
        return Err("window_s: must divide an hour".to_owned());
    }
    semantic(&row.version)
}

fn semantic(version: &str) -> Result<(), String> {
    if version.split('.').count() != 3 || version.split('.').any(|n| n.parse::<u32>().is_err()) {
        return Err(format!("version: {version} is not major.minor.patch"));
    }
    Ok(())
}

fn check_alert(registry: &Registry, row: &Alert) -> Result<(), String> {
    semantic(&row.version)?;
    if registry.algorithms.contains_key(&row.id) {
        return Err("id: an algorithm has it".to_owned());
    }
    let signal = registry.signals.get(&row.signal).ok_or_else(|| format!("signal: no signal row {}", row.signal))?;
    let has_component = |code: &String| signal.component.iter().any(|c| &c.code == code);
    let is_number = match &row.component {
        Some(code) if !has_component(code) => return Err(format!("component: {} has no {code}", row.signal)),
        Some(_) => true,
        None => signal.kind == Kind::Quantity,
    };
    match &row.condition {
        Condition::Code(code) if !signal.value.iter().any(|v| &v.code == code) => {
            return Err(format!("condition.code: {} has no value {code}", row.signal));
        }
        Condition::Code(_) => {}
        Condition::Below(_) | Condition::Above(_) if !is_number => {
            return Err(format!("condition: {} is no number; a panel needs a component", row.signal));
        }
        // Not the other way round, and no NaN either.
        Condition::Below(at) if at.limit <= at.release => {}
        Condition::Above(at) if at.limit >= at.release => {}
        Condition::Below(_) | Condition::Above(_) => {
            return Err("condition.release: must be on the side of the limit where all is well".to_owned());
        }
    }
    if !(0.0..=1.0).contains(&row.min_quality) {
        return Err("min_quality: must be in [0, 1]".to_owned());
    }
    if row.gap_s == 0 {
        return Err("gap_s: at least 1".to_owned());
    }
    let is_waveform = |code: &crate::id::SignalCode| {
        registry.signals.get(code).and_then(|row| row.sampled_data.as_ref()).is_some_and(|form| form.strip.is_some())
    };
    if row.evidence.as_ref().is_some_and(|code| !is_waveform(code)) {
        return Err("evidence: no waveform that has a strip".to_owned());
    }
    Ok(())
}

/// LOINC codes end in a mod-10 (Luhn) check digit.
fn loinc_check_digit(code: &str) -> bool {
    let Some((number, check)) = code.split_once('-') else { return false };
    let mut sum = 0;
    for (i, c) in number.chars().rev().enumerate() {
        let Some(digit) = c.to_digit(10) else { return false };
        let doubled = digit * 2;
        sum += if i % 2 == 0 { doubled / 10 + doubled % 10 } else { digit };
    }
    check == ((10 - sum % 10) % 10).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loinc_check_digits() {
        for good in ["8867-4", "59408-5", "2708-6", "85354-9", "80404-7", "11524-6"] {
            assert!(loinc_check_digit(good), "{good}");
        }
        for bad in ["8867-5", "8867", "x-1", "59408-6"] {
            assert!(!loinc_check_digit(bad), "{bad}");
        }
    }

    #[test]
    fn the_built_in_rows_are_consistent() {
        Registry::builtin().unwrap();
    }
}
