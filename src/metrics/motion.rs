//! Activity, posture and motion level of a window of accelerations.
//!
//! Activity is the Euclidean norm minus one (van Hees et al. 2013, doi:10.1371/journal.pone.0061691); its cut points for
//! intensity are those for a wrist-worn sensor (Hildebrand et al. 2014, doi:10.1249/MSS.0000000000000289).

use afferent_dsp::motion::magnitude;

/// Changes whenever the same samples could give other values.
pub const VERSION: &str = "1.0.0";

/// Shortest window in seconds.
pub const MIN_WINDOW_S: f64 = 1.0;
/// Activity from which a person moves at all, and from which moderately and vigorously, in g.
const LIGHT_G: f64 = 0.03;
const MODERATE_G: f64 = 0.1;
const VIGOROUS_G: f64 = 0.43;
/// Standard deviation of the norm up to which a window is still enough for a posture, in g.
const STILL_G: f64 = 0.1;
/// Standard deviation of the norm in a brisk arm swing, in g.
const SPOILING_G: f64 = 0.5;
/// cos 45°: an axis this near to gravity names the posture.
const NEAR: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// How the body lies or stands, by a chest-worn sensor (x towards the head, y to the left, z out of the chest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posture {
    /// Standing or sitting.
    Upright,
    /// Head down.
    Inverted,
    /// On the back.
    Supine,
    /// On the belly.
    Prone,
    /// On the left side.
    LeftSide,
    /// On the right side.
    RightSide,
}

impl Posture {
    /// The posture's code in the code system.
    pub fn code(self) -> &'static str {
        match self {
            Self::Upright => "upright",
            Self::Inverted => "inverted",
            Self::Supine => "supine",
            Self::Prone => "prone",
            Self::LeftSide => "left-side",
            Self::RightSide => "right-side",
        }
    }
}

/// Intensity of activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intensity {
    /// Below 30 mg.
    Sedentary,
    /// Below 100 mg.
    Light,
    /// Below 430 mg.
    Moderate,
    /// 430 mg and more.
    Vigorous,
}

impl Intensity {
    /// The intensity's code in the code system.
    pub fn code(self) -> &'static str {
        match self {
            Self::Sedentary => "sedentary",
            Self::Light => "light",
            Self::Moderate => "moderate",
            Self::Vigorous => "vigorous",
        }
    }
}

/// Motion of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Mean of the norm minus one where positive, in milli-g.
    pub activity_mg: f64,
    /// Class of that.
    pub intensity: Intensity,
    /// Posture, when the window is still and an axis lies within 45° of gravity.
    pub posture: Option<Posture>,
    /// 1 at rest, 0 at a brisk arm swing.
    pub stillness: f64,
    /// Standard deviation of the norm, in milli-g: how much the sensor was shaken, whatever the posture.
    pub shaking_mg: f64,
    /// Share of samples present, in [0, 1].
    pub quality: f64,
}

/// Motion of one window of accelerations in g.
///
/// `None` for less than [`MIN_WINDOW_S`] of finite samples.
pub fn summarize(samples_g: &[[f32; 3]], rate_hz: f64) -> Option<Motion> {
    let present: Vec<&[f32; 3]> =
        samples_g.iter().filter(|sample| sample.iter().all(|axis| axis.is_finite())).collect();
    let count = present.len() as f64;
    if !rate_hz.is_finite() || rate_hz <= 0.0 || count < MIN_WINDOW_S * rate_hz || present.is_empty() {
        return None;
    }
    let norms: Vec<f64> = present.iter().map(|sample| magnitude(sample)).collect();
    let mean = norms.iter().sum::<f64>() / count;
    let deviation = (norms.iter().map(|norm| (norm - mean) * (norm - mean)).sum::<f64>() / count).sqrt();
    let activity = norms.iter().map(|norm| (norm - 1.0).max(0.0)).sum::<f64>() / count;
    let axis = |nth: usize| present.iter().map(|sample| f64::from(sample[nth])).sum::<f64>() / count;
    Some(Motion {
        activity_mg: 1000.0 * activity,
        intensity: intensity(activity),
        posture: if deviation <= STILL_G { posture([axis(0), axis(1), axis(2)]) } else { None },
        stillness: (1.0 - deviation / SPOILING_G).clamp(0.0, 1.0),
        shaking_mg: 1000.0 * deviation,
        quality: count / samples_g.len() as f64,
    })
}

fn intensity(activity_g: f64) -> Intensity {
    match activity_g {
        least if least < LIGHT_G => Intensity::Sedentary,
        little if little < MODERATE_G => Intensity::Light,
        some if some < VIGOROUS_G => Intensity::Moderate,
        _ => Intensity::Vigorous,
    }
}

/// At rest an accelerometer feels the support: the axis that points up reads +1 g.
fn posture([x, y, z]: [f64; 3]) -> Option<Posture> {
    let norm = (x * x + y * y + z * z).sqrt();
    let near = |axis: f64| axis / norm >= NEAR;
    let postures = [
        (x, Posture::Upright),
        (-x, Posture::Inverted),
        (z, Posture::Supine),
        (-z, Posture::Prone),
        (-y, Posture::LeftSide),
        (y, Posture::RightSide),
    ];
    postures.into_iter().find(|(axis, _)| near(*axis)).map(|(_, posture)| posture)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn postures_follow_the_axis_that_points_up() {
        let posture = |sample: [f32; 3]| summarize(&[sample; 100], 50.0).unwrap().posture.map(Posture::code);
        assert_eq!(posture([1.0, 0.0, 0.1]), Some("upright"));
        assert_eq!(posture([0.0, 0.1, 1.0]), Some("supine"));
        assert_eq!(posture([0.1, 0.0, -1.0]), Some("prone"));
        assert_eq!(posture([0.0, -1.0, 0.0]), Some("left-side"));
        assert_eq!(posture([0.577, 0.577, 0.577]), None);
    }

    #[test]
    fn moving_is_told_from_rest() {
        let rest = summarize(&[[0.0, 0.0, 1.0]; 100], 50.0).unwrap();
        assert_eq!((rest.activity_mg, rest.intensity.code(), rest.stillness), (0.0, "sedentary", 1.0));
        let swing: Vec<[f32; 3]> = (0..500).map(|i| [0.0, 0.0, 1.0 + 0.9 * (i as f32 * 0.3).sin()]).collect();
        let moving = summarize(&swing, 50.0).unwrap();
        assert_eq!((moving.intensity, moving.posture, moving.stillness), (Intensity::Moderate, None, 0.0));
    }

    #[test]
    fn missing_samples_lower_the_quality_until_nothing_is_left() {
        let mut samples = vec![[0.0, 0.0, 1.0]; 100];
        samples[..50].fill([f32::NAN; 3]);
        assert_eq!(summarize(&samples, 50.0).unwrap().quality, 0.5);
        assert_eq!(summarize(&samples[..90], 50.0), None);
        assert_eq!(summarize(&[], 50.0), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let samples: Vec<[f32; 3]> =
            (0..500).map(|i| [0.2, 0.1 * (i as f32 * 0.21).cos(), 1.0 + 0.2 * (i as f32 * 0.3).sin()]).collect();
        let moving = summarize(&samples, 50.0).unwrap();
        let values = [moving.activity_mg, moving.stillness, moving.quality].map(|value| (value * 1e3).round());
        assert_eq!((VERSION, moving.intensity.code(), values), ("1.0.0", "light", [74_404.0, 723.0, 1000.0]));
    }
}
