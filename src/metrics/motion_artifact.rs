//! What simultaneous motion leaves of a window's signal quality.
//!
//! A signal's own quality index sees the artefacts that look like none of its beats. It is blind where motion is as regular
//! as a pulse: at the wrist, the arm swing of a walk moves blood and sensor once a step, a detector of pulses follows it,
//! and all the "pulses" are alike (Zhang, Pi & Liu 2015, doi:10.1109/TBME.2014.2359372). The
//! accelerometer sees exactly that. So the quality is capped by stillness: the lower of the two counts, not their
//! product, because artefacts which the signal's own index has seen already are not to be counted twice.

use crate::motion::Motion;

/// How a sensor touches the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Light through skin, or a dry electrode pressed to it: PPG, oximetry, skin conductance. Every change of pressure
    /// shows in the signal.
    Pressed,
    /// An adhesive electrode: ECG patches. It moves with the skin, only its stretching shows.
    Adhesive,
}

impl Contact {
    /// Shaking at which the signal is worth nothing, in milli-g: a brisk arm swing at a pressed sensor; at an adhesive one
    /// twice that, a run.
    fn spoiling_mg(self) -> f64 {
        match self {
            Self::Pressed => 500.0,
            Self::Adhesive => 1000.0,
        }
    }
}

/// Shaking up to which nobody moves, in milli-g: breath, heart beat and the noise of the sensor.
const REST_MG: f64 = 30.0;

/// Quality in [0, 1] of a window of `quality` during which the sensor moved so: never more than before, the same at rest.
///
/// Without a [`Motion`] (no accelerometer, or too few samples of it) the quality stands as it is: not knowing is no motion.
pub fn with_motion(quality: f64, motion: Option<&Motion>, contact: Contact) -> f64 {
    let Some(motion) = motion else { return quality };
    let over = (motion.shaking_mg - REST_MG) / (contact.spoiling_mg() - REST_MG);
    quality.min((1.0 - over).clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::motion::summarize;

    /// Ten seconds of a swing of this amplitude, in g.
    fn swinging(amplitude_g: f32) -> Motion {
        let samples: Vec<[f32; 3]> =
            (0..500).map(|i| [0.0, 0.0, 1.0 + amplitude_g * (i as f32 * 0.25).sin()]).collect();
        summarize(&samples, 50.0).unwrap()
    }

    #[test]
    fn rest_and_ignorance_change_nothing() {
        for contact in [Contact::Pressed, Contact::Adhesive] {
            assert_eq!(with_motion(0.93, None, contact), 0.93);
            assert_eq!(with_motion(0.93, Some(&swinging(0.0)), contact), 0.93);
            assert_eq!(with_motion(1.0, Some(&swinging(0.03)), contact), 1.0);
        }
    }

    #[test]
    fn quality_falls_with_motion_and_never_rises() {
        for contact in [Contact::Pressed, Contact::Adhesive] {
            let capped: Vec<f64> =
                (0..20_u8).map(|n| with_motion(0.9, Some(&swinging(f32::from(n) * 0.05)), contact)).collect();
            assert!(capped.is_sorted_by(|a, b| a >= b), "{capped:?}");
            assert!(capped.iter().all(|quality| (0.0..=0.9).contains(quality)));
        }
        assert_eq!(with_motion(0.2, Some(&swinging(0.1)), Contact::Pressed), 0.2);
    }

    #[test]
    fn a_walk_spoils_a_pressed_sensor_before_an_adhesive_one() {
        let walk = swinging(0.45);
        let (pressed, adhesive) =
            (with_motion(0.95, Some(&walk), Contact::Pressed), with_motion(0.95, Some(&walk), Contact::Adhesive));
        // 0.7 divides what is fit for measurements from what is not.
        assert!(pressed < 0.7 && adhesive >= 0.7, "{pressed} {adhesive}");
        assert_eq!(with_motion(0.95, Some(&swinging(0.9)), Contact::Pressed), 0.0);
    }
}
