use proptest::prelude::*;

use super::*;

const RATE: std::num::NonZeroU32 = std::num::NonZeroU32::new(30).unwrap();

/// Light through a finger: a pulse, breathing's blood volume in both colours, and red that `darker(t)` takes away.
fn light(seconds: u32, darker: impl Fn(f64) -> f64) -> Vec<[f32; 2]> {
    let frame = |i: u32| {
        let t = f64::from(i) / 30.0;
        let volume = 0.05 * (t * 0.4).sin() + 0.01 * (t * 7.5).sin();
        [(-volume * 39.0 / 91.0 - darker(t)).exp() as f32, 2.0 * (-volume).exp() as f32]
    };
    (0..30 * seconds).map(frame).collect()
}

fn oximeter() -> CameraOximeter {
    CameraOximeter::new(RATE, Calibration::HOFFMAN_2022, USUAL_START_PERCENT)
}

fn saturations_of(frames: &[[f32; 2]], chunk: usize) -> Vec<CameraSaturation> {
    let (mut oximeter, mut saturations) = (oximeter(), Vec::new());
    frames.chunks(chunk).for_each(|part| oximeter.push(part, &mut saturations));
    saturations
}

/// Log light that one percent takes from the red.
const PER_PERCENT: f64 = 1.0 / 91.0;

#[test]
fn a_slow_fall_is_followed_half_a_window_late() {
    let fall = |t: f64| 20.0 * PER_PERCENT * ((t - 90.0) / 300.0).clamp(0.0, 1.0);
    let found = saturations_of(&light(600, fall), 1000);
    assert_eq!(found.len(), 55, "every ten seconds from the first minute on");
    for one in &found {
        let middle = one.sample as f64 / 30.0 - 15.0;
        let expected = USUAL_START_PERCENT - fall(middle) / PER_PERCENT;
        assert!((one.percent - expected).abs() < 0.7 && one.quality > 0.8, "{one:?} instead of {expected}");
    }
}

#[test]
fn a_moved_finger_ends_it_until_a_new_start() {
    let (mut oximeter, mut found) = (oximeter(), Vec::new());
    let moved = light(300, |t| if t < 150.0 { 0.0 } else { 0.6 });
    oximeter.push(&moved, &mut found);
    assert!(oximeter.is_lost() && found.iter().all(|one| one.sample <= 160 * 30 && (one.percent - 97.5).abs() < 0.7));
    found.clear();
    oximeter.restart(90.0);
    oximeter.push(&moved[..100 * 30], &mut found);
    assert!(!found.is_empty() && found.iter().all(|one| (one.percent - 90.0).abs() < 0.7), "{found:?}");
}

#[test]
fn a_finger_that_comes_back_goes_on_and_darkness_is_no_light() {
    let mut frames = light(200, |t| if (100.0..110.0).contains(&t) { 0.6 } else { 0.0 });
    let found = saturations_of(&frames, 64);
    assert!(
        found.last().is_some_and(|one| one.sample == 6000) && found.iter().all(|one| (one.percent - 97.5).abs() < 0.7)
    );
    frames[3000..3900].fill([f32::NAN; 2]);
    assert!(saturations_of(&frames, 64).iter().all(|one| one.sample <= 3300));
    assert_eq!(saturations_of(&[[0.0; 2]; 6000], 64), vec![]);
    assert_eq!(saturations_of(&[[-1.0, f32::INFINITY]; 6000], 64), vec![]);
}

#[test]
fn a_gap_counts_like_missing_frames_however_long() {
    let frames = light(100, |_| 0.0);
    for missing in [0_u64, 29, 500, 12_345, 100_007] {
        let (mut by_gap, mut by_frames) = (oximeter(), oximeter());
        let (mut given, mut expected) = (Vec::new(), Vec::new());
        by_gap.push(&frames[..2500], &mut given);
        by_gap.gap(missing, &mut given);
        by_gap.push(&frames[..500], &mut given);
        by_frames.push(&frames[..2500], &mut expected);
        by_frames.push(&vec![[f32::NAN; 2]; missing as usize], &mut expected);
        by_frames.push(&frames[..500], &mut expected);
        assert_eq!((given, by_gap.position), (expected, by_frames.position));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn chunking_and_checkpoints_change_nothing(chunk in 1_usize..500, cut in 0_usize..6000, bad in 0_usize..6000) {
        let mut frames = light(200, |t| 0.0005 * t);
        frames[bad] = [f32::NAN, 1.0];
        let expected = saturations_of(&frames, 6000);
        prop_assert_eq!(&saturations_of(&frames, chunk), &expected);
        let (mut oximeter, mut found) = (oximeter(), Vec::new());
        oximeter.push(&frames[..cut], &mut found);
        let bytes = postcard::to_stdvec(&oximeter).unwrap();
        prop_assert!(bytes.len() < 2048);
        let mut restored: CameraOximeter = postcard::from_bytes(&bytes).unwrap();
        restored.push(&frames[cut..], &mut found);
        prop_assert_eq!(&found, &expected);
    }
}

/// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
#[test]
fn output_changes_only_with_the_version() {
    let found = saturations_of(&light(200, |t| 0.001 * t), 100);
    let sum: f64 = found.iter().map(|one| one.percent + one.quality).sum();
    assert_eq!((VERSION, found.len(), (sum * 1e3).round()), ("1.0.0", 15, 1_360_418.0));
}
