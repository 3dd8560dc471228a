//! Alerts of a heart whose atria fibrillate for a while.

use super::*;
use crate::signal::Evidence;

const ONSET_S: f64 = 130.0;
const OFFSET_S: f64 = 300.0;

fn heart() -> Heart {
    Heart::fibrillating(|_| 75.0, ONSET_S..OFFSET_S, 480.0)
}

fn alerts(batches: &[Batch]) -> Vec<&Alert> {
    batches
        .iter()
        .flat_map(|batch| &batch.alerts)
        .filter(|alert| alert.rule.id == "alert-atrial-fibrillation")
        .collect()
}

fn since_start(at: Instant) -> f64 {
    at.seconds_since(Instant(START))
}

#[test]
fn fibrillation_is_told_while_it_lasts_with_the_strip_that_shows_it() {
    let registry = Registry::builtin().unwrap();
    let mut track = track(&registry, None);
    let packets = packets(&heart(), 480, 250);
    let mut told = Vec::new();
    for (second, packet) in packets.iter().enumerate() {
        let batches = run(&registry, &mut track, std::slice::from_ref(packet));
        told.extend(alerts(&batches).into_iter().cloned().map(|alert| (second, alert)));
    }
    let [(told_at, raised), (_, over)] = told.as_slice() else { panic!("{told:#?}") };
    // The follower knows of a beat 32 beats later; it may take the first ones for extra beats.
    let (onset, decided) = (since_start(raised.onset), since_start(raised.raised));
    assert!((onset - ONSET_S).abs() < 15.0, "{onset}");
    assert!((30.0..32.0).contains(&(decided - onset)), "{decided}");
    assert!((*told_at as f64 - decided) < 32.0 * 1.2 + 1.0, "told at {told_at}, decided at {decided}");
    let Evidence { of, block } = raised.evidence.clone().unwrap();
    let block = block.unwrap();
    assert_eq!((of.interval.seconds(), block.len(), block.start), (10.0, 2500, of.interval.start));
    assert!(of.interval.start >= raised.onset && of.interval.end <= raised.raised);
    let sample = |second: f64| heart().ecg(second) as f32;
    assert!((block.values[100] - sample(since_start(block.time_of(100)))).abs() < 1e-3);
    assert!(raised.quality.index() > 0.8 && raised.over.is_none());
    assert_eq!(raised.packets.first().map(|range| range.first), Some(120));
    // Over, since when it was over and with the strip it was raised with.
    let end = since_start(over.over.unwrap());
    assert!((end - OFFSET_S).abs() < 15.0, "{end}");
    assert_eq!((over.onset, over.raised), (raised.onset, raised.raised));
    assert_eq!(over.evidence, Some(Evidence { of, block: None }));
}

#[test]
fn neither_the_cut_into_packets_nor_a_restart_shows_in_alerts() {
    let registry = Registry::builtin().unwrap();
    let whole = run(&registry, &mut track(&registry, None), &packets(&heart(), 480, 250));
    let told = |batches: &[Batch]| -> Vec<_> {
        let told = alerts(batches).into_iter().map(|a| (a.onset, a.raised, a.over, a.quality, a.evidence.clone()));
        told.collect()
    };
    assert_eq!(told(&whole).len(), 2);
    for per_packet in [50, 125, 1000] {
        let cut = run(&registry, &mut track(&registry, None), &packets(&heart(), 480, per_packet));
        assert_eq!(told(&cut), told(&whole), "{per_packet} samples a packet");
    }
    let (mut batches, mut state) = (Vec::new(), None::<Vec<u8>>);
    for piece in packets(&heart(), 480, 250).chunks(37) {
        let mut track = track(&registry, state.as_deref());
        batches.extend(run(&registry, &mut track, piece));
        state = Some(track.save());
    }
    assert_eq!(told(&batches), told(&whole));
}

#[test]
fn what_is_raised_is_over_when_the_device_is_with_somebody_else() {
    let registry = Registry::builtin().unwrap();
    let at = |seconds: i64| START + seconds * MICROS;
    let spans = vec![span("a", i64::MIN, Some(at(250))), span("b", at(250), None)];
    let associations = Associations { model: None, spans, revision: 1, ..Associations::default() };
    let mut track = Track::resume(&registry, &key(), associations, None);
    let batches = run(&registry, &mut track, &packets(&heart(), 480, 250));
    let of = |patient: &str| -> Vec<bool> {
        let of = batches.iter().filter(|b| b.origin.patient.as_str() == patient);
        of.flat_map(|b| &b.alerts).map(|alert| alert.over.is_some()).collect()
    };
    assert_eq!((of("a"), of("b")), (vec![false, true], vec![false, true]));
}
