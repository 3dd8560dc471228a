//! Batches for tests: one for every row, and a recording with everything derived from it.

use super::{Batch, Organization, Origin};
use crate::id::{
    DeviceKey, EnrolmentId, EpisodeId, ProfileId, ProgramId, ResourceId, SignalCode, StreamName, TenantId,
};
use crate::program::{BusinessIdentifier, EncounterClass, Ended, EndedBy, Episode, ExternalEncounter, Pinned};
use crate::registry::{Kind, Plausible, Registry, Signal, StripPaper};
use crate::resource::Resource;
use crate::signal::{
    AbsentReason, Alert, AlgorithmRef, Beat, Evidence, EvidenceOf, Measured, PacketRange, Quality, SampleBlock, Source,
    Value,
};
use crate::time::{Instant, Interval, MICROS};

/// A PNG of one pixel.
const PIXEL: &str = "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8ffff3f0005fe02fea735818f0000000049454e44ae426082";

pub(super) fn draw(_: &SampleBlock, _: StripPaper, _: Option<&str>, _: Quality) -> Option<Vec<u8>> {
    hex::decode(PIXEL).ok()
}

pub(super) fn organization() -> Organization {
    Organization { id: ResourceId::new("clinic").unwrap(), name: "Example clinic".to_owned() }
}

pub(super) fn origin(stream: &str) -> Origin {
    Origin {
        tenant: TenantId::new("sandbox").unwrap(),
        device: DeviceKey::new("patch-0001").unwrap(),
        model: Some("gatt-heart-rate".to_owned()),
        stream: StreamName::new(stream).unwrap(),
        patient: ResourceId::new("p1").unwrap(),
        episode: None,
        encounter: None,
        firmware: Some("fw-2.4.1".to_owned()),
        sdk: Some("1.3.0".to_owned()),
        lead: Some("MLII".to_owned()),
        clock: None,
    }
}

/// The `minute`-th window of a recording, and the `count` minutes from there.
pub(super) fn minutes(minute: i64, count: i64) -> Interval {
    let start = Instant::parse("2026-01-18T14:30:00Z").unwrap().plus(minute * 60 * MICROS);
    Interval { start, end: start.plus(count * 60 * MICROS) }
}

pub(super) fn code(text: &str) -> SignalCode {
    SignalCode::new(text).unwrap()
}

pub(super) fn measured(signal: &str, interval: Interval, value: Value) -> Measured {
    Measured {
        signal: code(signal),
        interval,
        value,
        quality: Quality::new(0.934),
        algorithm: None,
        derived_from: Vec::new(),
        original: None,
    }
}

pub(super) fn batch(stream: &str, window: Interval, measured: Vec<Measured>) -> Batch {
    let packets = PacketRange { first: 17, last: 76, count: 60, chain: [7; 32] };
    Batch { origin: origin(stream), window, packets, measured, alerts: Vec::new(), added_us: 0, sources: Vec::new() }
}

fn point(interval: Interval) -> Interval {
    Interval { start: interval.end, end: interval.end }
}

/// The source that names a measurement.
pub(super) fn source(of: &Measured) -> Source {
    Source { signal: of.signal.clone(), interval: of.interval, algorithm: of.algorithm.clone(), stream: None }
}

fn derived(
    registry: &Registry,
    algorithm: &str,
    signal: &str,
    value: Value,
    sources: &[&Measured],
    over: Interval,
) -> Measured {
    let algorithm: AlgorithmRef = registry.algorithms[algorithm].reference();
    let derived_from = sources.iter().map(|s| source(s)).collect();
    Measured { algorithm: Some(algorithm), derived_from, ..measured(signal, over, value) }
}

pub(super) fn samples(signal: &str, start: Instant, rate_hz: f64, seconds: usize) -> SampleBlock {
    of_dimensions(signal, 1, start, rate_hz, seconds)
}

fn of_dimensions(signal: &str, dimensions: usize, start: Instant, rate_hz: f64, seconds: usize) -> SampleBlock {
    let count = (rate_hz as usize) * seconds * dimensions;
    let values = (0..count).map(|i| (i as f32 * 0.3).sin()).collect();
    SampleBlock { signal: code(signal), start, rate_hz, dimensions, values }
}

/// Four beats, a gap, and two more.
pub(super) fn beats(start: Instant) -> Vec<Beat> {
    let beat = |ms: i64, interval_ms, quality| Beat {
        at: start.plus(ms * 1000),
        interval_ms,
        amplitude: 0.0,
        quality: Quality::new(quality),
    };
    vec![
        beat(500, Some(812.0), 1.0),
        beat(1320, Some(820.0), 1.0),
        beat(2125, Some(805.04), 1.0),
        beat(6010, None, 0.9),
        beat(6810, Some(800.0), 0.4),
    ]
}

/// A minute of ECG with its intervals and heart rate.
pub(super) fn ecg(registry: &Registry) -> Batch {
    let window = minutes(0, 1);
    let waveform = measured("ecg", window, Value::Samples(samples("ecg", window.start, 25.0, 24)));
    let intervals =
        derived(registry, "ecg-beats", "rr-interval", Value::Beats(beats(window.start)), &[&waveform], window);
    let rate = derived(registry, "heart-rate", "heart-rate", Value::Quantity(74.26), &[&intervals], window);
    batch("ecg", window, vec![waveform, intervals, rate])
}

/// Five minutes of heart rate variability over the intervals of [`ecg`].
pub(super) fn hrv(registry: &Registry) -> Batch {
    let window = minutes(0, 5);
    let ecg = ecg(registry);
    let intervals = &ecg.measured[1];
    let mut all: Vec<Measured> = Vec::new();
    for signal in &registry.algorithms["hrv"].outputs {
        let row = registry.signal(signal).unwrap();
        let sources: Vec<&Measured> =
            if row.kind == Kind::Classification { all.iter().collect() } else { vec![intervals] };
        all.push(derived(registry, "hrv", signal.as_str(), value(row, window), &sources, window));
    }
    batch("ecg", window, all)
}

/// A minute of PPG with its pulse rate.
pub(super) fn ppg(registry: &Registry) -> Batch {
    let window = minutes(0, 1);
    let waveform = measured("ppg", window, Value::Samples(samples("ppg", window.start, 25.0, 4)));
    let rate = derived(registry, "ppg-pulses", "pulse-rate", Value::Quantity(73.0), &[&waveform], window);
    let mut batch = batch("ppg", window, vec![waveform, rate]);
    batch.origin.lead = None;
    batch
}

/// What each row can hold.
pub(super) fn value(row: &Signal, interval: Interval) -> Value {
    let middle = |range: Plausible| f64::midpoint(range.min, range.max);
    match row.kind {
        Kind::Quantity => Value::Quantity(row.plausible.map_or(1.0, middle)),
        Kind::Panel => {
            let each = row.component.iter().map(|c| (c.code.clone(), Ok(middle(c.plausible))));
            Value::Components(each.collect())
        }
        Kind::Classification => Value::Concept(row.value[0].code.clone()),
        Kind::Intervals => Value::Beats(beats(interval.start)),
        Kind::SampledData => {
            let dimensions = row.sampled_data.as_ref().map_or(1, |form| usize::from(form.dimensions));
            Value::Samples(of_dimensions(row.code.as_str(), dimensions, interval.start, 25.0, 4))
        }
    }
}

/// A batch with one value of a row, as a device would send it.
pub(super) fn of_row(row: &Signal) -> Batch {
    let series = matches!(row.kind, Kind::Intervals | Kind::SampledData);
    let interval = if series { minutes(7, 1) } else { point(minutes(7, 1)) };
    batch("direct", interval, vec![measured(row.code.as_str(), interval, value(row, interval))])
}

/// A batch with the same row and no value.
pub(super) fn without_value(row: &Signal) -> Batch {
    let mut batch = of_row(row);
    batch.origin.stream = StreamName::new("absent").unwrap();
    for measured in &mut batch.measured {
        measured.value = Value::Absent(AbsentReason::Error);
        measured.quality = Quality::NONE;
    }
    batch
}

/// A blood pressure whose cuff gave no diastolic value.
pub(super) fn half_a_blood_pressure() -> Batch {
    let at = point(minutes(3, 1));
    let given = vec![("systolic".to_owned(), Ok(118.04)), ("diastolic".to_owned(), Err(AbsentReason::NotANumber))];
    batch("cuff", at, vec![measured("blood-pressure", at, Value::Components(given))])
}

/// A temperature that came in Fahrenheit.
pub(super) fn fahrenheit() -> Batch {
    let at = point(minutes(4, 1));
    let mut temperature = measured("body-temperature", at, Value::Quantity(37.0));
    temperature.original = Some((98.6, "[degF]".to_owned()));
    batch("thermometer", at, vec![temperature])
}

/// An episode an EHR sees in an Encounter.
pub(super) fn episode() -> Episode {
    let identifier =
        |kind: &str| BusinessIdentifier { system: format!("https://ehr.example/{kind}"), value: "v-4711".to_owned() };
    let window = minutes(0, 60);
    Episode {
        id: EpisodeId::new("night-1").unwrap(),
        enrolment: EnrolmentId::new("n1").unwrap(),
        program: ProgramId::new("heart").unwrap(),
        profile: Pinned { id: ProfileId::new("ward").unwrap(), version: 1 },
        patient: ResourceId::new("p1").unwrap(),
        start: window.start,
        end: Some(Ended { at: window.end, by: EndedBy::Request }),
        encounter: Some(ExternalEncounter { identifier: identifier("visit"), class: EncounterClass::Hh }),
        episode_of_care: Some(identifier("episode")),
    }
}

/// What shows [`episode`].
pub(super) fn shown() -> [Resource; 2] {
    let (episode, organization) = (episode(), organization());
    let tenant = origin("ecg").tenant;
    let encounter = episode.encounter.as_ref().unwrap();
    let of_encounter = std::slice::from_ref(&episode.id);
    [
        super::episode_of_care(&tenant, &episode, "Heart rhythm at home", &organization),
        super::encounter(&tenant, encounter, &episode.patient, of_encounter),
    ]
}

/// A minute of ECG in [`episode`].
pub(super) fn in_episode(registry: &Registry) -> Batch {
    let (mut batch, episode) = (ecg(registry), episode());
    let encounter = episode.encounter.map(|e| super::encounter_id(&batch.origin.tenant, &e.identifier));
    (batch.origin.episode, batch.origin.encounter) = (Some(episode.id), encounter);
    batch
}

/// Every kind of batch there is.
/// Half a minute of fibrillation, and that it is over.
pub(super) fn alerts(registry: &Registry) -> [Batch; 2] {
    let onset = minutes(0, 1).start;
    let at = |seconds: i64| onset.plus(seconds * MICROS);
    let of = EvidenceOf { signal: code("ecg"), interval: Interval { start: at(20), end: at(30) } };
    let packets = vec![
        PacketRange { first: 17, last: 76, count: 60, chain: [7; 32] },
        PacketRange { first: 77, last: 99, count: 22, chain: [8; 32] },
    ];
    let raised = Alert {
        rule: registry.alerts["alert-atrial-fibrillation"].reference(),
        onset,
        raised: at(31),
        over: None,
        quality: Quality::new(0.934),
        packets,
        evidence: Some(Evidence { of: of.clone(), block: Some(samples("ecg", at(20), 25.0, 10)) }),
    };
    let over = Alert { over: Some(at(400)), evidence: Some(Evidence { of, block: None }), ..raised.clone() };
    [raised, over].map(|alert| Batch::of_alert(origin("ecg"), alert).unwrap())
}

pub(super) fn everything(registry: &Registry) -> Vec<(String, Batch)> {
    let [raised, _] = alerts(registry);
    let mut all = vec![
        ("alert".to_owned(), raised),
        ("ecg".to_owned(), ecg(registry)),
        ("in-episode".to_owned(), in_episode(registry)),
        ("hrv".to_owned(), hrv(registry)),
        ("ppg".to_owned(), ppg(registry)),
        ("half-a-blood-pressure".to_owned(), half_a_blood_pressure()),
        ("fahrenheit".to_owned(), fahrenheit()),
    ];
    for row in registry.signals.values() {
        all.push((format!("row-{}", row.code), of_row(row)));
        // R4's own BMI profile knows no missing value: there `valueQuantity` is mandatory.
        if row.code.as_str() != "bmi" {
            all.push((format!("absent-{}", row.code), without_value(row)));
        }
    }
    all
}
