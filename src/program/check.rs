//! What is wrong with a profile version that can be read: against itself and against the registry.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::spec::{EndConditions, ExpectedSignal, Export, Source, Spec, Threshold, Trigger};
use crate::registry::{Kind, Registry, Signal};

/// Ten years: longer than any device lasts.
const LONGEST_S: u64 = 315_360_000;
const DAY_S: u64 = 86_400;
const NAME: RangeInclusive<usize> = 1..=64;

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the element, such as `exports[1].interval_s`.
    pub element: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Collects faults.
struct Faults<'a> {
    registry: &'a Registry,
    found: Vec<Fault>,
}

impl Spec {
    /// Everything wrong with it.
    pub fn faults(&self, registry: &Registry) -> Vec<Fault> {
        let mut faults = Faults { registry, found: Vec::new() };
        faults.check("signals", !self.signals.is_empty(), "at least one signal");
        for (i, signal) in self.signals.iter().enumerate() {
            let twice = self.signals.iter().take(i).any(|earlier| earlier.signal == signal.signal);
            faults.check(&format!("signals[{i}].signal"), !twice, "is there twice");
            faults.signal(&format!("signals[{i}]"), signal);
        }
        for (i, model) in self.device_models.iter().enumerate() {
            faults.model(&format!("device_models[{i}]"), model);
        }
        faults.end_conditions(&self.end_conditions);
        let mut names = BTreeSet::new();
        for (i, export) in self.exports.iter().enumerate() {
            faults.check(&format!("exports[{i}].name"), names.insert(&export.name), "is there twice");
            faults.export(&format!("exports[{i}]"), export);
        }
        faults.found
    }
}

impl Faults<'_> {
    fn check(&mut self, element: &str, right: bool, problem: &str) {
        if !right {
            self.found.push(Fault { element: element.to_owned(), problem: problem.to_owned() });
        }
    }

    fn range(&mut self, element: String, value: Option<u64>, most: u64) {
        let right = value.is_none_or(|value| (1..=most).contains(&value));
        self.check(&element, right, &format!("must be 1 to {most}"));
    }

    fn model(&mut self, element: &str, model: &str) {
        let known = self.registry.devices.contains_key(model);
        self.check(element, known, &format!("there is no registry/device row {model}"));
    }

    fn signal(&mut self, at: &str, expected: &ExpectedSignal) {
        self.range(format!("{at}.window_s"), expected.window_s.map(u64::from), DAY_S);
        self.range(format!("{at}.cadence_s"), expected.cadence_s.map(u64::from), DAY_S);
        for (i, source) in expected.sources.iter().enumerate() {
            let twice = expected.sources.iter().take(i).any(|earlier| earlier == source);
            self.check(&format!("{at}.sources[{i}]"), !twice, "is there twice");
            if let Source::Model(model) = source {
                self.model(&format!("{at}.sources[{i}].model"), model);
            }
        }
        let Some(row) = self.registry.signal(&expected.signal) else {
            let problem = format!("there is no registry/signal row {}", expected.signal);
            self.check(&format!("{at}.signal"), false, &problem);
            return;
        };
        for (i, threshold) in expected.thresholds.iter().enumerate() {
            self.threshold(&format!("{at}.thresholds[{i}]"), row, threshold);
        }
    }

    fn threshold(&mut self, at: &str, row: &Signal, threshold: &Threshold) {
        match (row.kind, &threshold.component) {
            (Kind::Quantity, None) => {}
            (Kind::Panel, Some(code)) if row.component.iter().any(|c| c.code == *code) => {}
            (Kind::Panel, _) => {
                let codes: Vec<&str> = row.component.iter().map(|c| c.code.as_str()).collect();
                self.check(&format!("{at}.component"), false, &format!("must be one of {}", codes.join(", ")));
            }
            (_, Some(_)) => self.check(&format!("{at}.component"), false, "only panels have components"),
            (_, None) => self.check(at, false, "only numbers have thresholds"),
        }
        match (threshold.low, threshold.high) {
            (None, None) => self.check(at, false, "low or high is needed"),
            (Some(low), Some(high)) => self.check(&format!("{at}.low"), low < high, "must be less than high"),
            _ => {}
        }
    }

    fn end_conditions(&mut self, conditions: &EndConditions) {
        self.range("end_conditions.max_duration_s".to_owned(), conditions.max_duration_s, LONGEST_S);
        self.range("end_conditions.inactivity_s".to_owned(), conditions.inactivity_s, LONGEST_S);
        self.range("end_conditions.sample_count".to_owned(), conditions.sample_count, i64::MAX.cast_unsigned());
    }

    fn export(&mut self, at: &str, export: &Export) {
        self.check(&format!("{at}.target"), NAME.contains(&export.target.len()), "must have 1 to 64 characters");
        let interval = format!("{at}.interval_s");
        match (export.trigger, export.interval_s) {
            (Trigger::OnSchedule, None) => self.check(&interval, false, "on_schedule needs it"),
            (Trigger::OnSchedule, given) => self.range(interval, given, LONGEST_S),
            (_, given) => self.check(&interval, given.is_none(), "only on_schedule has one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec() -> Value {
        json!({
            "signals": [
                {"signal": "heart-rate", "window_s": 60, "cadence_s": 60, "thresholds": [{"low": 40, "high": 130}],
                 "sources": [{"device": "strap-1"}, {"model": "gatt-heart-rate"}]},
                {"signal": "blood-pressure", "thresholds": [{"component": "systolic", "high": 180}]},
            ],
            "device_models": ["gatt-heart-rate"],
            "end_conditions": {"max_duration_s": 86400, "inactivity_s": 600, "sample_count": 1000},
            "exports": [
                {"name": "summary", "trigger": "on_episode_end", "target": "ehr"},
                {"name": "hourly", "trigger": "on_schedule", "interval_s": 3600, "target": "ehr"},
            ],
        })
    }

    fn faults(spec: Value) -> Vec<Fault> {
        serde_json::from_value::<Spec>(spec).unwrap().faults(&Registry::builtin().unwrap())
    }

    #[test]
    fn a_whole_specification_is_taken_and_comes_back_as_it_was() {
        assert_eq!(faults(spec()), []);
        let read: Spec = serde_json::from_value(spec()).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn every_fault_names_its_element() {
        let table = [
            ("/signals", json!([]), "signals"),
            ("/signals/1", json!({"signal": "heart-rate"}), "signals[1].signal"),
            ("/signals/0/signal", json!("aura"), "signals[0].signal"),
            ("/signals/0/window_s", json!(0), "signals[0].window_s"),
            ("/signals/0/cadence_s", json!(86_401), "signals[0].cadence_s"),
            ("/signals/0/sources/1/model", json!("x"), "signals[0].sources[1].model"),
            ("/signals/0/sources/1", json!({"device": "strap-1"}), "signals[0].sources[1]"),
            ("/signals/0/thresholds/0/low", json!(130), "signals[0].thresholds[0].low"),
            ("/signals/0/thresholds/0", json!({}), "signals[0].thresholds[0]"),
            ("/signals/0/thresholds/0", json!({"component": "a", "low": 1}), "signals[0].thresholds[0].component"),
            ("/signals/1/thresholds/0", json!({"high": 180}), "signals[1].thresholds[0].component"),
            ("/signals/0", json!({"signal": "ecg", "thresholds": [{"low": 1}]}), "signals[0].thresholds[0]"),
            ("/device_models/0", json!("toaster"), "device_models[0]"),
            ("/end_conditions/max_duration_s", json!(0), "end_conditions.max_duration_s"),
            ("/end_conditions/inactivity_s", json!(315_360_001), "end_conditions.inactivity_s"),
            ("/end_conditions/sample_count", json!(0), "end_conditions.sample_count"),
            ("/exports/1/name", json!("summary"), "exports[1].name"),
            ("/exports/1/interval_s", json!(null), "exports[1].interval_s"),
            ("/exports/1/trigger", json!("on_measurement"), "exports[1].interval_s"),
            ("/exports/0/target", json!(""), "exports[0].target"),
        ];
        for (place, value, element) in table {
            let mut changed = spec();
            *changed.pointer_mut(place).unwrap() = value;
            let found: Vec<String> = faults(changed).into_iter().map(|fault| fault.element).collect();
            assert_eq!(found, [element], "{place}");
        }
    }
}
