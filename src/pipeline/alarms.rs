//! The rules of `registry/alert` on one stream: what they hear, and the strip that shows why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::algorithm::alarm::{Alarm, Change, Heard, Reading};
use crate::algorithm::{Chain, Said};
use crate::id::SignalCode;
use crate::projection::Batch;
use crate::registry::{Alert as Rule, Registry};
use crate::signal::{Alert, Evidence, EvidenceOf, Measured, PacketRange, Value};
use crate::time::{Instant, Interval, MICROS};

/// The state of every rule that has heard something, by its id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Alarms(BTreeMap<String, Ringing>);

/// A rule, and what it has shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Ringing {
    alarm: Alarm,
    shown: Option<EvidenceOf>,
}

impl Alarms {
    /// Lets the rules hear what followers `said` and what was `given`: raised alerts, and those that are over.
    ///
    /// What is said of moments goes before what closed windows give. A signal whose moments are spoken of is heard by them only:
    /// its windows would tell the same again, and later.
    pub(super) fn hear(
        &mut self,
        registry: &Registry,
        chains: &BTreeMap<SignalCode, Chain>,
        said: &[Said],
        given: &[Batch],
    ) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for rule in registry.alerts.values() {
            for one in said.iter().filter(|said| said.signal == rule.signal) {
                let interval = Interval { start: one.at, end: one.at };
                let heard = Heard::Code(one.code);
                let reading = Reading { interval, heard, quality: one.quality, packets: &one.packets };
                alerts.extend(self.push(registry, rule, chains, &reading));
            }
            if chains.values().any(|chain| chain.speaks_of(&rule.signal)) {
                continue;
            }
            for batch in given {
                for measured in batch.measured.iter().filter(|measured| measured.signal == rule.signal) {
                    let Some(reading) = reading(rule, measured, &batch.packets) else { continue };
                    alerts.extend(self.push(registry, rule, chains, &reading));
                }
            }
        }
        alerts
    }

    /// The rules whose condition holds, raised or not yet, and since when.
    pub(super) fn onsets(&self) -> impl Iterator<Item = (&str, Instant)> {
        self.0.iter().filter_map(|(rule, ringing)| Some((rule.as_str(), ringing.alarm.onset()?)))
    }

    /// The stream has ended: what is raised is over, as far as anybody knows.
    pub(super) fn finish(&mut self, registry: &Registry) -> Vec<Alert> {
        let ended = std::mem::take(&mut self.0).into_iter().filter_map(|(id, mut ringing)| {
            let rule = registry.alerts.get(&id)?;
            let change = ringing.alarm.finish()?;
            Some(alert(rule, change, ringing.shown.map(|of| Evidence { of, block: None })))
        });
        ended.collect()
    }

    fn push(
        &mut self,
        registry: &Registry,
        rule: &Rule,
        chains: &BTreeMap<SignalCode, Chain>,
        reading: &Reading<'_>,
    ) -> Option<Alert> {
        // A rule that has heard of nothing yet has no state.
        let ringing = match self.0.get_mut(&rule.id) {
            Some(ringing) => ringing,
            None => self.0.entry(rule.id.clone()).or_default(),
        };
        let change = ringing.alarm.push(rule, reading)?;
        let evidence = match change.over {
            None => evidence(registry, rule, chains, change.raised),
            Some(_) => ringing.shown.take().map(|of| Evidence { of, block: None }),
        };
        if change.over.is_none() {
            ringing.shown = evidence.as_ref().map(|evidence| evidence.of.clone());
        }
        Some(alert(rule, change, evidence))
    }
}

fn alert(rule: &Rule, change: Change, evidence: Option<Evidence>) -> Alert {
    let Change { onset, raised, over, quality, packets } = change;
    Alert { rule: rule.reference(), onset, raised, over, quality, packets, evidence }
}

/// What a measurement is to a rule; nothing where it has no value.
fn reading<'a>(rule: &Rule, measured: &'a Measured, packets: &'a PacketRange) -> Option<Reading<'a>> {
    let heard = match (&measured.value, &rule.component) {
        (Value::Quantity(value), None) => Heard::Number(*value),
        (Value::Concept(code), None) => Heard::Code(code),
        (Value::Components(values), Some(wanted)) => {
            Heard::Number(*values.iter().find(|(code, _)| code == wanted)?.1.as_ref().ok()?)
        }
        _ => return None,
    };
    Some(Reading { interval: measured.interval, heard, quality: measured.quality, packets })
}

/// The last whole strip before `at`: what it shows does not depend on how the samples were cut into packets.
fn evidence(registry: &Registry, rule: &Rule, chains: &BTreeMap<SignalCode, Chain>, at: Instant) -> Option<Evidence> {
    let signal = rule.evidence.as_ref()?;
    let form = registry.signal(signal)?.sampled_data.as_ref()?;
    let length = i64::from(form.strip_s) * MICROS;
    let end = Interval::aligned(at, length).start;
    let interval = Interval { start: end.plus(-length), end };
    let block = chains.get(signal)?.piece(registry, interval)?;
    Some(Evidence { of: EvidenceOf { signal: signal.clone(), interval }, block: Some(block) })
}
