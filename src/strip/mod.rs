//! Waveform strips: ten seconds of one channel as a picture a clinician can measure with a ruler.
//!
//! ECG paper follows IEC 60601-2-25:2011 (which took in IEC 60601-2-51) and the AHA/ACC/HRS recommendations of 2007
//! (Kligfield et al., Circulation 115:1306-1324): 25 mm/s, 10 mm/mV, a grid of 1 mm with every fifth line bold, and a
//! calibration pulse of 1 mV x 200 ms before the trace. Other signals use the same time base on grey paper with their own
//! labelled amplitude scale.
//!
//! A strip is a pure function of its input: the same [`Strip`] gives the same bytes. It has no place for a person's data;
//! `lead`, `unit` and `filter` are short technical texts and must stay so.
//!
//! Both encodings draw the same scene, laid out by `layout` and measured in millimetres of paper.

mod layout;
mod line;
mod raster;
#[cfg(test)]
mod tests;
mod text;
mod vector;

use crate::signal::{Quality, SampleBlock};

/// Seconds of signal a strip has room for: 250 mm of paper. Later samples are not drawn, and the strip says so.
pub const SECONDS: f64 = 10.0;

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct Strip<'a> {
    /// The samples, in mV for [`Paper::Ecg`]. The trace breaks where one is missing (NaN or infinite).
    pub block: &'a SampleBlock,
    /// The paper to draw on.
    pub paper: Paper<'a>,
    /// Name of the lead or channel, such as `MLII` or `PPG`; cut after 24 characters.
    pub lead: &'a str,
    /// What else the header says.
    pub caption: Caption<'a>,
}

/// Time base and amplitude scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper<'a> {
    /// 25 mm/s and 10 mm/mV, centred on the median: 2 mV of room either way, more in whole 5 mm steps up to 5 mV.
    Ecg,
    /// 25 mm/s; the 1st to 99th percentile takes 25 mm of 40 mm, and a scale bar tells how much that is.
    Amplitude {
        /// Unit of the samples as shown; cut after 12 characters.
        unit: &'a str,
    },
}

/// What the header says beyond lead, time, scale and sample rate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caption<'a> {
    /// Filters the samples went through, such as `0.5-40 Hz`; none reads `unfiltered`. Cut after 40 characters.
    pub filter: Option<&'a str>,
    /// Signal quality index of the window, where there is one.
    pub quality: Option<Quality>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum StripError {
    /// The built-in font does not parse.
    #[error("built-in font is unreadable")]
    Font(#[source] ttf_parser::FaceParsingError),
    /// The drawing surface could not be made.
    #[error("drawing surface of {width} x {height} px is impossible")]
    Surface {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The PNG encoder failed.
    #[error("cannot encode PNG")]
    Encode(#[source] png::EncodingError),
}

/// Draws the strip as a PNG of 8 px/mm that carries its resolution, so that a millimetre prints as a millimetre.
///
/// # Errors
/// Only if the built-in font, the drawing surface or the encoder fails; no input leads to an error.
pub fn png(strip: &Strip<'_>) -> Result<Vec<u8>, StripError> {
    raster::encode(&layout::Scene::new(strip))
}

/// Draws the strip as an SVG element that stands alone or inside a page, sized in millimetres, without ids or styles.
pub fn svg(strip: &Strip<'_>) -> String {
    vector::encode(&layout::Scene::new(strip))
}
