//! Every algorithm row on a signal with a known answer: the values, and that neither the cut into packets nor a checkpoint
//! shows in them.

use super::*;
use crate::signal::AbsentReason;

/// A stream of one waveform from its values, the channels of a moment together.
struct Wave {
    signal: &'static str,
    unit: &'static str,
    rate_hz: f64,
    dimensions: usize,
    values: Vec<f64>,
    model: Option<&'static str>,
}

impl Wave {
    fn new(signal: &'static str, unit: &'static str, rate_hz: f64, seconds: usize, value: impl Fn(f64) -> f64) -> Self {
        let values = (0..seconds * rate_hz as usize).map(|i| value(i as f64 / rate_hz)).collect();
        Self { signal, unit, rate_hz, dimensions: 1, values, model: None }
    }

    fn of_channels<const N: usize>(
        signal: &'static str,
        unit: &'static str,
        rate_hz: f64,
        seconds: usize,
        values: impl Fn(f64) -> [f64; N],
    ) -> Self {
        let values = (0..seconds * rate_hz as usize).flat_map(|i| values(i as f64 / rate_hz)).collect();
        Self { signal, unit, rate_hz, dimensions: N, values, model: None }
    }

    fn packets(&self, moments: usize) -> Vec<RawPacket> {
        let packet = |(sequence, values): (usize, &[f64])| {
            let at = START + ((sequence * moments) as f64 / self.rate_hz * MICROS as f64).round() as i64;
            serde_json::from_value(serde_json::json!({
                "device": "d", "stream": "s", "sequence": sequence, "device_time": DeviceTime(at).to_rfc3339(),
                "samples": {"signal": self.signal, "rate_hz": self.rate_hz, "unit": self.unit, "values": values},
            }))
            .unwrap()
        };
        self.values.chunks(moments * self.dimensions).enumerate().map(packet).collect()
    }

    fn track(&self, registry: &Registry, state: Option<&[u8]>) -> Track {
        let model = self.model.map(str::to_owned);
        Track::resume(registry, &key(), with_one_patient(model), state)
    }

    /// What comes out, checked to be the same however the stream is cut or interrupted.
    fn measured(&self) -> Vec<Measured> {
        let registry = Registry::builtin().unwrap();
        let second = self.rate_hz as usize;
        let whole = run(&registry, &mut self.track(&registry, None), &self.packets(second));
        let cut = run(&registry, &mut self.track(&registry, None), &self.packets(second * 7 / 2));
        assert_eq!(owned(&cut), owned(&whole), "{} cut differently", self.signal);
        let (mut batches, mut state) = (Vec::new(), None::<Vec<u8>>);
        for piece in self.packets(second).chunks(37) {
            let mut track = self.track(&registry, state.as_deref());
            batches.extend(run(&registry, &mut track, piece));
            state = Some(track.save());
        }
        assert_eq!(batches, whole, "{} resumed", self.signal);
        owned(&whole)
    }
}

fn owned(batches: &[Batch]) -> Vec<Measured> {
    // Windows of different algorithms may close in another order, never with another content.
    let mut all: Vec<Measured> = measured(batches).into_iter().cloned().collect();
    all.sort_by(|a, b| (&a.signal, &a.algorithm, a.interval).cmp(&(&b.signal, &b.algorithm, b.interval)));
    all
}

fn quantities(measured: &[Measured], signal: &str) -> Vec<f64> {
    let value = |m: &Measured| match m.value {
        Value::Quantity(value) => value,
        _ => f64::NAN,
    };
    measured.iter().filter(|m| m.signal.as_str() == signal).map(value).collect()
}

fn codes(measured: &[Measured], signal: &str) -> Vec<String> {
    let code = |m: &Measured| match &m.value {
        Value::Concept(code) => code.clone(),
        other => format!("{other:?}"),
    };
    measured.iter().filter(|m| m.signal.as_str() == signal).map(code).collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance);
    assert!(found.len() == expected.len() && close, "{found:?}, expected {expected:?} ± {tolerance}");
}

/// Noise in [-1, 1] that is the same every time.
fn noise(seed: f64) -> f64 {
    (seed * 12.9898).sin() * 43_758.545 % 1.0
}

#[test]
fn atrial_fibrillation_is_a_state_a_burden_and_two_events() {
    let fibrillating = |t: f64| (300.0..600.0).contains(&t);
    let heart = Heart::new(|t| if fibrillating(t) { 110.0 + 35.0 * noise(t) } else { 70.0 }, 960.0);
    let measured = Wave::new("ecg", "mV", 250.0, 950, |t| heart.ecg(t)).measured();
    let rhythm = codes(&measured, "rhythm");
    assert_eq!(rhythm[6..9], ["atrial-fibrillation"; 3]);
    assert_eq!(rhythm[..4], ["no-atrial-fibrillation"; 4]);
    assert_eq!(rhythm[12..14], ["no-atrial-fibrillation"; 2]);
    near(&quantities(&measured, "af-burden")[6..9], &[100.0; 3], 0.0);
    let events: Vec<(String, f64)> = measured
        .iter()
        .filter(|m| m.algorithm.as_ref().is_some_and(|a| a.id == "atrial-fibrillation") && m.interval.micros() == 0)
        .map(|m| (format!("{:?}", m.value), (m.interval.start.0 - START) as f64 / 1e6))
        .collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].0.contains("onset") && (270.0..330.0).contains(&events[0].1), "{events:?}");
    assert!(events[1].0.contains("offset") && (570.0..640.0).contains(&events[1].1), "{events:?}");
}

#[test]
fn a_racing_heart_is_an_episode_from_where_the_rate_crossed_the_limit() {
    let heart = Heart::new(|t| if (120.0..240.0).contains(&t) { 130.0 } else { 75.0 }, 420.0);
    let measured = Wave::new("ecg", "mV", 250.0, 400, |t| heart.ecg(t)).measured();
    near(&quantities(&measured, "heart-rate"), &[75.0, 75.0, 130.0, 130.0, 75.0, 75.0], 2.0);
    assert_eq!(
        codes(&measured, "rate-state"),
        ["normal-rate", "normal-rate", "tachycardia", "tachycardia", "normal-rate", "normal-rate"]
    );
    let events: Vec<(&Value, f64)> = measured
        .iter()
        .filter(|m| {
            m.signal.as_str() == "rhythm-event" && m.algorithm.as_ref().is_some_and(|a| a.id == "rate-episodes")
        })
        .map(|m| (&m.value, (m.interval.start.0 - START) as f64 / 1e6))
        .collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0].0, &Value::Concept("tachycardia-onset".to_owned()));
    assert_eq!(events[1].0, &Value::Concept("tachycardia-offset".to_owned()));
    assert!((events[0].1 - 120.0).abs() < 8.0 && (events[1].1 - 240.0).abs() < 8.0, "{events:?}");
}

#[test]
fn a_belt_gives_rate_and_pauses() {
    // Eighteen breaths a minute, and none from 130 to 150 s.
    let value = |t: f64| if (130.0..150.0).contains(&t) { 0.0 } else { (std::f64::consts::TAU * 0.3 * t).sin() };
    let measured = Wave::new("respiration", "1", 25.0, 260, value).measured();
    near(&quantities(&measured, "respiratory-rate")[..2], &[18.0, 18.0], 0.3);
    near(&quantities(&measured, "apnea-count"), &[0.0, 0.0, 1.0, 0.0], 0.0);
    near(&quantities(&measured, "apnea-longest"), &[0.0, 0.0, 20.0, 0.0], 2.5);
}

#[test]
fn the_pulse_wave_gives_rate_variability_and_breathing() {
    let heart = Heart::new(|_| 72.0, 330.0);
    let breath = |t: f64| 0.12 * (std::f64::consts::TAU * 0.25 * t).sin();
    let measured = Wave::new("ppg", "1", 100.0, 320, |t| 3.0 + heart.ppg(t) + breath(t)).measured();
    near(&quantities(&measured, "pulse-rate"), &[72.0; 5], 1.0);
    near(&quantities(&measured, "respiratory-rate"), &[15.0; 5], 0.5);
    let from: Vec<f64> = heart.beats().windows(2).map(|b| 1000.0 * (b[1] - b[0])).take(355).collect();
    let mean = from.iter().sum::<f64>() / from.len() as f64;
    let sdnn = (from.iter().map(|i| (i - mean).powi(2)).sum::<f64>() / (from.len() - 1) as f64).sqrt();
    near(&quantities(&measured, "prv-sdnn"), &[sdnn], 2.0);
}

#[test]
fn red_and_infrared_give_a_saturation_only_with_the_sensors_curve() {
    let heart = Heart::new(|_| 66.0, 140.0);
    // Ratio of ratios 0.6: 95 % by the textbook line.
    let light = |t: f64| [2.0 * (1.0 - 0.6 * 0.02 * heart.ppg(t)), 3.0 * (1.0 - 0.02 * heart.ppg(t))];
    let mut wave = Wave::of_channels("ppg-red-infrared", "1", 100.0, 130, light);
    let measured = wave.measured();
    let absent: Vec<&Value> = measured.iter().filter(|m| m.signal.as_str() == "spo2").map(|m| &m.value).collect();
    assert_eq!(absent, [&Value::Absent(AbsentReason::NotPerformed); 2]);
    near(&quantities(&measured, "pulse-rate"), &[66.0; 2], 1.0);
    wave.model = Some("oximeter-reference");
    let measured = wave.measured();
    near(&quantities(&measured, "spo2"), &[95.0; 2], 0.5);
    near(&quantities(&measured, "perfusion-index"), &[2.2; 2], 0.4);
}

#[test]
fn skin_conductance_gives_level_and_responses() {
    let response = |t: f64| if t < 0.0 { 0.0 } else { 0.4 * (t / 1.5) * (1.0 - t / 1.5).exp() };
    let value = |t: f64| 5.0 + (0..6).map(|i| response(t - 10.0 - 20.0 * f64::from(i))).sum::<f64>();
    let measured = Wave::new("eda", "uS", 4.0, 200, value).measured();
    near(&quantities(&measured, "eda-tonic"), &[5.0; 2], 0.02);
    near(&quantities(&measured, "scr-rate"), &[3.0; 2], 0.0);
    near(&quantities(&measured, "scr-amplitude"), &[0.4; 2], 0.08);
}

#[test]
fn a_walk_has_steps_and_rest_a_posture() {
    let walk = |t: f64| if t < 60.0 { 0.4 * (std::f64::consts::TAU * 1.8 * t).sin() } else { 0.0 };
    let measured = Wave::of_channels("acceleration", "[g]", 50.0, 140, |t| [1.0 + walk(t), 0.02, 0.05]).measured();
    near(&quantities(&measured, "steps")[..1], &[108.0], 3.0);
    near(&quantities(&measured, "steps")[1..2], &[0.0], 1.0);
    assert_eq!(codes(&measured, "activity-intensity"), ["moderate", "sedentary"]);
    assert_eq!(codes(&measured, "posture")[1], "upright");
}

#[test]
fn smoothed_readings_leave_out_what_one_reading_alone_says() {
    let registry = Registry::builtin().unwrap();
    let reading = |sequence: u32| {
        let value = if sequence == 17 { 20.0 } else { 61.0 + noise(f64::from(sequence)) };
        serde_json::from_value::<RawPacket>(serde_json::json!({
            "device": "d", "stream": "s", "sequence": sequence,
            "device_time": DeviceTime(START + i64::from(sequence) * 5 * MICROS).to_rfc3339(),
            "samples": {"signal": "tissue-oxygen", "unit": "%", "values": [value]},
        }))
        .unwrap()
    };
    let packets: Vec<RawPacket> = (0..40).map(reading).collect();
    let batches = run(&registry, &mut track(&registry, None), &packets);
    let all = owned(&batches);
    assert_eq!(quantities(&all, "tissue-oxygen").len(), 40);
    near(&quantities(&all, "tissue-oxygen-smoothed"), &[61.0; 3], 0.5);
    let second = all.iter().filter(|m| m.signal.as_str() == "tissue-oxygen-smoothed").nth(1).unwrap();
    assert!((second.quality.index() - 11.0 / 12.0).abs() < 1e-9, "{:?}", second.quality);
}
