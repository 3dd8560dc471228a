//! Text as outlines of the built-in font, so that a strip looks the same on every machine.
//!
//! The font is Hack Regular (MIT licence; the Bitstream Vera parts under Bitstream's permissive licence), which tells 0 from
//! O and 1 from l, as text beside a measurement has to (IEC 60601-2-25:2011, legibility of indications).

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::StripError;
use super::layout::Point;

/// What a glyph of the font advances, as part of its size: it is monospaced.
const ADVANCE: f64 = 1233.0 / 2048.0;

/// Width of a text at size 1.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * ADVANCE
}

/// Turns text into paths.
pub(super) struct Font {
    face: Face<'static>,
}

impl Font {
    /// The built-in font.
    pub(super) fn built_in() -> Result<Self, StripError> {
        Face::parse(epaint_default_fonts::HACK_REGULAR, 0).map(|face| Self { face }).map_err(StripError::Font)
    }

    /// The outline of `text`, its baseline starting at `at`, all in pixels; none for blanks.
    pub(super) fn outline(&self, text: &str, at: Point, size: f64) -> Option<Path> {
        let mut path = PathBuilder::new();
        let scale = (size / f64::from(self.face.units_per_em())) as f32;
        for (n, character) in text.chars().enumerate() {
            let glyph = self.face.glyph_index(character).unwrap_or(GlyphId(0));
            let x = (at.x + n as f64 * ADVANCE * size) as f32;
            self.face.outline_glyph(glyph, &mut Pen { path: &mut path, x, y: at.y as f32, scale });
        }
        path.finish()
    }
}

/// Draws a glyph at its place; the font's y goes upwards.
struct Pen<'a> {
    path: &'a mut PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen<'_> {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
