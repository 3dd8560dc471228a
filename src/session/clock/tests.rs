#![allow(clippy::print_stdout, reason = "figures are told with the result")]

use super::*;

const START: i64 = 1_768_744_800 * MICROS;

/// A small generator: repeatable numbers.
struct Random(u64);

impl Random {
    /// In [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A sensor that sends a packet a second.
#[derive(Clone, Copy)]
struct Sensor {
    offset_us: f64,
    drift: f64,
}

impl Sensor {
    /// What its clock says at a true time.
    fn says(self, at_us: f64) -> DeviceTime {
        DeviceTime(START + (at_us * (1.0 + self.drift) + self.offset_us).round() as i64)
    }

    /// The clock after so many packets, each of which took 30 ms and up to 2 s more.
    fn survey(self, seconds: u64, seed: u64) -> Clock {
        let mut random = Random(seed);
        let mut clock = Clock::new(Discipline::Free);
        for n in 0..seconds {
            let made = n as f64 * 1e6;
            let came = Instant(START + (made + 30e3 + 2e6 * random.next()) as i64);
            clock.observe(n, self.says(made), came);
        }
        clock
    }
}

/// The greatest distance, in milliseconds, between what two sensors' clocks make of the same moments.
fn apart_ms(a: (Sensor, &Clock), b: (Sensor, &Clock), seconds: u64) -> f64 {
    let read = |(sensor, clock): (Sensor, &Clock), n: u64| clock.read(n, sensor.says(n as f64 * 1e6)).at.0;
    (0..seconds).map(|n| (read(a, n) - read(b, n)).abs() as f64 / 1e3).fold(0.0, f64::max)
}

#[test]
fn sensors_with_drifting_clocks_and_jittered_delivery_share_a_time_base() {
    let fast = Sensor { offset_us: 3.2e6, drift: 50e-6 };
    let slow = Sensor { offset_us: -41.7e6, drift: -50e-6 };
    for (seconds, most_ms) in [
        (610, 60.0),
        (1_210, 20.0),
        (2_410, 10.0),
        (4_100, 5.0),
        (4_700, 5.0),
        (6_000, 5.0),
        (9_000, 5.0),
        (30_000, 5.0),
    ] {
        let mut apart: Vec<f64> = (1..=9)
            .map(|seed| {
                let (a, b) = (fast.survey(seconds, seed), slow.survey(seconds, seed + 100));
                apart_ms((fast, &a), (slow, &b), seconds)
            })
            .collect();
        apart.sort_by(f64::total_cmp);
        println!("{seconds} s: at most {:.2} ms apart (median run), {:.2} ms (worst of 9)", apart[4], apart[8]);
        assert!(apart[4] < most_ms && apart[8] < 2.0 * most_ms, "{seconds} s: {apart:?}");
    }
}

#[test]
fn a_flush_of_a_buffer_and_late_packets_move_nothing() {
    let sensor = Sensor { offset_us: 5e6, drift: 0.0 };
    let run = |buffered: bool| {
        let (mut random, mut clock) = (Random(7), Clock::new(Discipline::Free));
        for n in 0..1_000_u64 {
            let made = n as f64 * 1e6;
            let delay = 30e3 + 1e5 * random.next();
            // Packets 300 to 400 come together, when the link is back.
            let came = if buffered && (300..400).contains(&n) { 400e6 } else { made + delay };
            clock.observe(n, sensor.says(made), Instant(START + came as i64));
        }
        clock
    };
    let (buffered, live) = (run(true), run(false));
    for n in 0..1_000 {
        let at = |clock: &Clock| clock.read(n, sensor.says(n as f64 * 1e6)).at.0;
        assert!((at(&buffered) - at(&live)).abs() < 5_000, "packet {n}");
    }
}

#[test]
fn a_clock_that_starts_anew_is_a_new_segment() {
    let mut clock = Clock::new(Discipline::Free);
    let mut changed = Vec::new();
    for n in 0..400_u64 {
        let made = n.cast_signed() * MICROS;
        // After 200 s it says 2019, as a strap does that was switched off.
        let says = if n < 200 { START + made } else { 1_546_300_800 * MICROS + made };
        changed.extend(clock.observe(n, DeviceTime(says), Instant(START + made + 40_000)));
    }
    assert_eq!(clock.segments().iter().map(|s| s.first).collect::<Vec<_>>(), [0, 200]);
    assert!(changed.ends_with(&[200]), "{changed:?}");
    for n in [0_u64, 199, 200, 399] {
        let says = if n < 200 { START } else { 1_546_300_800 * MICROS } + n.cast_signed() * MICROS;
        assert_eq!(clock.read(n, DeviceTime(says)).at.0, START + n.cast_signed() * MICROS + 40_000);
    }
}

#[test]
fn duplicate_stamps_and_a_jump_ahead_are_taken_for_what_they_are() {
    let mut clock = Clock::new(Discipline::Free);
    for n in 0..200_u64 {
        let made = n.cast_signed() * MICROS;
        // Stamps come in pairs; after 100 s the clock is set ahead by an hour.
        let says = START + made / (2 * MICROS) * (2 * MICROS) + if n < 100 { 0 } else { 3600 * MICROS };
        clock.observe(n, DeviceTime(says), Instant(START + made + 10_000));
    }
    let found: Vec<(u64, i64)> =
        clock.segments().iter().map(|s| (s.first, (s.offset_us / 1e6).round() as i64)).collect();
    assert_eq!(found, [(0, 0), (100, -3600)]);
}

#[test]
fn a_clock_somebody_keeps_is_believed_and_said_to_be_off_when_it_is() {
    let kept = Discipline::Kept { bound_us: 10 * MICROS };
    let skew = |offset_s: i64, came: &dyn Fn(i64) -> i64| {
        let mut clock = Clock::new(kept);
        for n in 0..600_i64 {
            let says = START + (n + offset_s) * MICROS;
            clock.observe(n as u64, DeviceTime(says), Instant(START + came(n) * MICROS));
        }
        let reading = clock.read(599, DeviceTime(START));
        assert_eq!((reading.at, reading.added_us), (Instant(START), 0), "nothing is added");
        reading.skew_us.map(|us| us / MICROS)
    };
    assert_eq!(skew(0, &|n| n), None);
    assert_eq!(skew(9, &|n| n), None);
    assert_eq!(skew(60, &|n| n), Some(-60));
    assert_eq!(skew(-3600, &|n| n), Some(3600));
    // All of it comes 40 minutes late and at once: that is no clock.
    assert_eq!(skew(0, &|n| 2_400 + n / 100), None);
    assert_eq!(skew(0, &|n| if n < 300 { 2_400 } else { n }), None);
}

#[test]
fn it_goes_on_from_what_was_saved() {
    let sensor = Sensor { offset_us: 1e6, drift: 20e-6 };
    let whole = sensor.survey(5_000, 3);
    let (mut random, mut clock) = (Random(3), Clock::new(Discipline::Free));
    for n in 0..5_000_u64 {
        let made = n as f64 * 1e6;
        let came = Instant(START + (made + 30e3 + 2e6 * random.next()) as i64);
        clock.observe(n, sensor.says(made), came);
        if n % 777 == 0 {
            clock = postcard::from_bytes(&postcard::to_stdvec(&clock).unwrap()).unwrap();
            clock.observe(n, sensor.says(0.0), Instant(0)); // seen already: without effect
        }
    }
    assert_eq!(clock, whole);
    assert!(postcard::to_stdvec(&clock).unwrap().len() < 1_500);
}
