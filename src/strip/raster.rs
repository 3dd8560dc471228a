//! A scene as PNG: 8 px/mm, 16 colours, resolution in `pHYs` (PNG third edition, 11.3.4.3).
//!
//! Grid lines keep the 1 mm and 5 mm of ECG paper (IEC 60601-2-25:2011) on whole pixels. Trace and text are rasterised to
//! coverage, four steps of which are mixed with each of the paper's three colours: the antialiased picture fits into four
//! bits a pixel, and most rows equal the one above.

use tiny_skia::{FillRule, Mask, Transform};

use super::StripError;
use super::layout::{Anchor, Colours, LINE_WIDTH, Point, Scene, Text};
use super::line::Coverage;
use super::text::Font;

/// Resolution.
pub(super) const PX_PER_MM: u32 = 8;
const GRID_BOLD: u32 = 5 * PX_PER_MM;
const SCALE: f64 = PX_PER_MM as f64;

/// Steps of coverage up to full ink. Palette index: background * STEPS + step; then ink; then mark.
const STEPS: u8 = 4;
const THIN: u8 = 1;
const BOLD: u8 = 2;
const INK: u8 = 3 * STEPS;
const MARK: u8 = INK + 1;

/// Draws and encodes.
pub(super) fn encode(scene: &Scene) -> Result<Vec<u8>, StripError> {
    let mut canvas = Canvas::new(scene);
    canvas.grid(scene);
    for mark in &scene.marks {
        let (x, y) = (px(mark.x), px(mark.y));
        canvas.fill(x..x + px(mark.width), y..y + px(mark.height), MARK);
    }

    let paper = &scene.paper;
    let mut coverage = Coverage::new(px(paper.width), px(paper.height));
    for line in scene.reference.iter().chain(&scene.trace) {
        let points = line.iter().map(|p| Point { x: (p.x - paper.x) * SCALE, y: (p.y - paper.y) * SCALE });
        coverage.line(points, LINE_WIDTH * SCALE);
    }
    canvas.ink(&coverage.values, coverage.width, (px(paper.x), px(paper.y)));

    let font = Font::built_in()?;
    for text in &scene.texts {
        canvas.write(text, &font)?;
    }
    canvas.png(scene).map_err(StripError::Encode)
}

/// The nearest whole pixel.
fn px(mm: f64) -> u32 {
    (mm * SCALE).round() as u32
}

/// A picture of palette indices, two a byte.
struct Canvas {
    width: u32,
    height: u32,
    stride: usize,
    packed: Vec<u8>,
}

impl Canvas {
    fn new(scene: &Scene) -> Self {
        let (width, height) = (px(scene.width), px(scene.height));
        let stride = width.div_ceil(2) as usize;
        Self { width, height, stride, packed: vec![0; stride * height as usize] }
    }

    /// Every row of the paper is one of three.
    fn grid(&mut self, scene: &Scene) {
        let (left, top) = (px(scene.paper.x), px(scene.paper.y));
        let (width, height) = (px(scene.paper.width), px(scene.paper.height));
        let row = |line: Option<u8>| {
            let mut row = vec![0; self.stride];
            for x in 0..=width {
                set(&mut row, left + x, STEPS * line.max(grid_line(x)).unwrap_or(0));
            }
            set(&mut row, left - 1, STEPS * BOLD);
            row
        };
        let rows = [row(None), row(Some(THIN)), row(Some(BOLD))];
        let painted = self.packed.chunks_exact_mut(self.stride).skip(top as usize - 1).take(height as usize + 2);
        for (n, target) in painted.enumerate() {
            let line = if n == 0 { Some(BOLD) } else { grid_line(n as u32 - 1) };
            if let Some(row) = rows.get(usize::from(line.unwrap_or(0))) {
                target.copy_from_slice(row);
            }
        }
    }

    fn fill(&mut self, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>, index: u8) {
        let rows = rows.start as usize..rows.end.min(self.height) as usize;
        for row in self.packed.chunks_exact_mut(self.stride).take(rows.end).skip(rows.start) {
            for x in columns.start..columns.end.min(self.width) {
                set(row, x, index);
            }
        }
    }

    /// Writes a text at its place.
    fn write(&mut self, text: &Text, font: &Font) -> Result<(), StripError> {
        let advance = super::text::width(&text.content) * text.size;
        let x = match text.anchor {
            Anchor::Start => text.at.x,
            Anchor::Middle => text.at.x - advance / 2.0,
            Anchor::End => text.at.x - advance,
        };
        // A box with room for the highest and the lowest letter, on an even column.
        let (left, top) = (px(x.max(0.0)) / 2 * 2, px((text.at.y - text.size * 1.1).max(0.0)));
        let (width, height) = (px(advance) + 2 * PX_PER_MM, px(text.size * 1.5));
        let at = Point { x: x * SCALE - f64::from(left), y: text.at.y * SCALE - f64::from(top) };
        let Some(path) = font.outline(&text.content, at, text.size * SCALE) else { return Ok(()) };
        let mut mask = Mask::new(width, height).ok_or(StripError::Surface { width, height })?;
        mask.fill_path(&path, FillRule::Winding, true, Transform::identity());
        self.ink(mask.data(), width as usize, (left, top));
        Ok(())
    }

    /// Inks what is covered; `at` is the upper left corner, on an even column.
    fn ink(&mut self, coverage: &[u8], width: usize, at: (u32, u32)) {
        let rows = self.packed.chunks_exact_mut(self.stride).skip(at.1 as usize);
        for (row, coverage) in rows.zip(coverage.chunks_exact(width)) {
            let bytes = row.get_mut(at.0 as usize / 2..).unwrap_or_default();
            for (bytes, coverage) in bytes.chunks_mut(16).zip(coverage.chunks(32)) {
                if coverage.iter().all(|&c| c == 0) {
                    continue;
                }
                for (byte, pair) in bytes.iter_mut().zip(coverage.chunks(2)) {
                    let (left, right) = (pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0));
                    if left | right != 0 {
                        *byte = (inked(*byte >> 4, left) << 4) | inked(*byte & 15, right);
                    }
                }
            }
        }
    }

    fn png(&self, scene: &Scene) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::with_capacity(48 * 1024);
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Four);
        encoder.set_palette(palette(&scene.colours));
        encoder.set_deflate_compression(png::DeflateCompression::Level(4));
        encoder.set_filter(png::Filter::Up);
        let per_metre = PX_PER_MM * 1000;
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
        encoder.add_text_chunk("Title".into(), scene.title.into())?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.packed)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// The grid line at a pixel's distance from the paper's edge: bold ones are two pixels wide, around the millimetre.
fn grid_line(distance: u32) -> Option<u8> {
    match distance {
        d if d % GRID_BOLD == 0 || d % GRID_BOLD == GRID_BOLD - 1 => Some(BOLD),
        d if d % PX_PER_MM == 0 => Some(THIN),
        _ => None,
    }
}

/// Sets one pixel of a row.
fn set(row: &mut [u8], x: u32, index: u8) {
    if let Some(byte) = row.get_mut(x as usize / 2) {
        *byte = if x.is_multiple_of(2) { (*byte & 0x0f) | (index << 4) } else { (*byte & 0xf0) | index };
    }
}

/// The palette index of a pixel after ink of this coverage.
fn inked(index: u8, coverage: u8) -> u8 {
    let step = ((u16::from(coverage) * u16::from(STEPS) + 127) / 255) as u8;
    match index {
        INK => INK,
        MARK => {
            if step > STEPS / 2 {
                INK
            } else {
                MARK
            }
        }
        _ if step >= STEPS => INK,
        _ => index / STEPS * STEPS + step.max(index % STEPS),
    }
}

/// RGB of every index.
fn palette(colours: &Colours) -> Vec<u8> {
    let rgb = |colour: u32| [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255];
    let ink = rgb(colours.ink);
    let mut palette = Vec::with_capacity(3 * usize::from(MARK + 1));
    for background in [colours.paper, colours.thin, colours.bold] {
        for step in 0..u32::from(STEPS) {
            let parts = rgb(background).into_iter().zip(ink);
            palette.extend(parts.map(|(b, i)| ((b * (u32::from(STEPS) - step) + i * step) / u32::from(STEPS)) as u8));
        }
    }
    palette.extend([colours.ink, colours.mark].into_iter().flat_map(rgb).map(|c| c as u8));
    palette
}
