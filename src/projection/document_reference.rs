//! DocumentReference and Binary of a strip: ten seconds of a waveform as a picture.
//! <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-documentreference.html>, <https://hl7.org/fhir/R4/binary.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::canonical::us_core;
use super::code::signal_codings;
use super::identifier::{self, Identity};
use super::narrative::narrative;
use super::observation::source_reference;
use super::{Context, ProjectionError, alert, start};
use crate::fhir::datatype::{LOINC, coding, concept, period, reference};
use crate::fhir::make::{element, integer, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::id::ResourceId;
use crate::registry::{Category, Registry, SampledData, Signal, StripPaper};
use crate::resource::Resource;
use crate::signal::{self, Alert, AlgorithmRef, Measured, Quality, SampleBlock, Source};
use crate::time::{Instant, Interval};

const NULL_FLAVOR: &str = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";

/// A strip to be drawn.
pub(crate) struct Strip<'a> {
    measured: &'a Measured,
    row: &'a Signal,
    form: &'a SampledData,
    paper: StripPaper,
    /// What it shows.
    piece: SampleBlock,
    /// Logical id of its DocumentReference.
    id: ResourceId,
}

impl Strip<'_> {
    /// What made the waveform, where that was not the device.
    pub(crate) fn algorithm(&self) -> Option<&AlgorithmRef> {
        self.measured.algorithm.as_ref()
    }

    /// `DocumentReference/{id}`.
    pub(crate) fn reference(&self) -> String {
        format!("DocumentReference/{}", self.id)
    }

    /// Whether the strip shows `source`, or the waveform `source` was computed from, during `interval`.
    pub(crate) fn shows(&self, registry: &Registry, source: &Source, interval: Interval) -> bool {
        let Measured { signal, interval: chunk, .. } = self.measured;
        let overlaps = chunk.start < interval.end && interval.start < chunk.end;
        let algorithm = source.algorithm.as_ref().and_then(|a| registry.algorithms.get(&a.id));
        overlaps && (&source.signal == signal || algorithm.is_some_and(|a| &a.input == signal))
    }

    /// Binary and DocumentReference; none when it cannot be drawn.
    pub(crate) fn draw(&self, context: &Context<'_>) -> Option<[Resource; 2]> {
        let picture = Picture {
            identities: ["Binary", "DocumentReference"].map(|kind| identity(context, self.measured, kind)),
            row: self.row,
            form: self.form,
            paper: self.paper,
            piece: &self.piece,
            quality: self.measured.quality,
            date: self.measured.interval.end,
            related: related(context, self.measured),
        };
        picture.draw(context)
    }
}

/// What alerts show: the waveform when one was raised.
pub(super) fn evidence(context: &Context<'_>, of: &Alert, block: &SampleBlock) -> Option<[Resource; 2]> {
    let row = context.row(&block.signal).ok()?;
    let form = row.sampled_data.as_ref()?;
    let picture = Picture {
        identities: ["Binary", "DocumentReference"].map(|kind| alert::identity(context, of, kind)),
        row,
        form,
        paper: form.strip?,
        piece: block,
        quality: of.quality,
        date: of.raised,
        related: Vec::new(),
    };
    picture.draw(context)
}

/// A picture of a waveform with what is said of it.
struct Picture<'a> {
    /// Those of the Binary and of the DocumentReference.
    identities: [Identity; 2],
    row: &'a Signal,
    form: &'a SampledData,
    paper: StripPaper,
    piece: &'a SampleBlock,
    quality: Quality,
    /// When it was known.
    date: Instant,
    /// The Observations it belongs to.
    related: Vec<Element>,
}

impl Picture<'_> {
    fn draw(&self, context: &Context<'_>) -> Option<[Resource; 2]> {
        let lead = context.batch.origin.lead.as_deref();
        let png = (context.draw)(self.piece, self.paper, lead, self.quality)?;
        let binary = binary(context, &self.identities[0].id, &png);
        let document = document(context, self, &png, &binary);
        Some([binary, document])
    }
}

/// The strip of a waveform measurement; none where its row draws none or there is nothing to see.
pub(crate) fn strip<'a>(context: &Context<'a>, measured: &'a Measured) -> Result<Option<Strip<'a>>, ProjectionError> {
    let row = context.row(&measured.signal)?;
    let signal::Value::Samples(block) = &measured.value else { return Ok(None) };
    let Some((form, paper)) = row.sampled_data.as_ref().and_then(|form| Some((form, form.strip?))) else {
        return Ok(None);
    };
    let Some(piece) = clearest_piece(block, form.strip_s) else { return Ok(None) };
    let id = identity(context, measured, "DocumentReference").id;
    Ok(Some(Strip { measured, row, form, paper, piece, id }))
}

fn identity(context: &Context<'_>, measured: &Measured, kind: &str) -> Identity {
    identifier::strip(&context.batch.origin, kind, &measured.signal, measured.interval)
}

/// The piece of `seconds` with the fewest missing samples, the first of equals; all of a shorter block.
fn clearest_piece(block: &SampleBlock, seconds: u32) -> Option<SampleBlock> {
    let length = ((f64::from(seconds) * block.rate_hz).round() as usize).max(1);
    let missing = |values: &[f32]| values.iter().filter(|v| v.is_nan()).count();
    let (index, values) = if block.values.len() <= length {
        (0, block.values.as_slice())
    } else {
        block.values.chunks_exact(length).enumerate().min_by_key(|(_, values)| missing(values))?
    };
    if missing(values) == values.len() {
        return None;
    }
    Some(SampleBlock { start: block.time_of(index * length), values: values.to_vec(), ..block.clone() })
}

fn binary(context: &Context<'_>, id: &ResourceId, png: &[u8]) -> Resource {
    let origin = &context.batch.origin;
    let mut body = start("Binary", id, None);
    body.extend(element([
        ("contentType", text("image/png")),
        ("securityContext", Some(Value::Element(reference(&format!("Patient/{}", origin.patient))))),
        ("data", text(STANDARD.encode(png))),
    ]));
    Resource { kind: "Binary".to_owned(), id: id.clone(), element: body }
}

fn document(context: &Context<'_>, picture: &Picture<'_>, png: &[u8], binary: &Resource) -> Resource {
    let Picture { identities: [_, identity], row, form, piece, .. } = picture;
    let origin = &context.batch.origin;
    let (from, to) = (piece.start.to_fhir(), piece.end().to_fhir());
    let lead = origin.lead.as_deref().map(|l| format!(", lead {l}")).unwrap_or_default();
    let title = format!("{} strip{lead}, {from}", row.display);
    let attachment = object([
        ("contentType", text("image/png")),
        ("url", text(binary.reference())),
        ("size", i32::try_from(png.len()).ok().and_then(integer)),
        ("hash", text(STANDARD.encode(Sha1::digest(png)))),
        ("title", text(title.as_str())),
        ("creation", text(to.as_str())),
    ]);
    let mut body = start("DocumentReference", &identity.id, Some(us_core("us-core-documentreference")));
    body.extend(element([
        ("text", narrative(&title)),
        ("identifier", one(identifier::identifier("document", &identity.value))),
        ("status", text("current")),
        ("type", document_type(row, form)),
        ("category", one(concept(signal_codings(row)))),
        ("subject", Some(Value::Element(reference(&format!("Patient/{}", origin.patient))))),
        ("date", text(picture.date.to_fhir())),
        ("author", one(reference(&context.device_reference(None)))),
        ("custodian", Some(Value::Element(reference(&context.organization_reference())))),
        ("content", one(element([("attachment", attachment)]))),
        (
            "context",
            object([
                ("encounter", list(context.encounter_reference().into_iter().collect())),
                ("period", period(&from, &to)),
                ("related", list(picture.related.clone())),
            ]),
        ),
    ]));
    Resource { kind: "DocumentReference".to_owned(), id: identity.id.clone(), element: body }
}

/// LOINC where the row has a document type. US Core's value set knows no other waveform: unknown there, named by our code.
fn document_type(row: &Signal, form: &SampledData) -> Option<Value> {
    let code = match &form.document_type {
        Some(loinc) => coding(LOINC, &loinc.code, Some(&loinc.display)),
        None => coding(NULL_FLAVOR, "UNK", Some("unknown")),
    };
    object([("coding", one(code)), ("text", text(format!("{} strip", row.display)))])
}

/// The waveform's Observation, and those computed from it that are no vital signs (those point here).
fn related(context: &Context<'_>, waveform: &Measured) -> Vec<Element> {
    let own = |m: &Measured| Source {
        signal: m.signal.clone(),
        interval: m.interval,
        algorithm: m.algorithm.clone(),
        stream: None,
    };
    let source = own(waveform);
    let computed = context.batch.measured.iter().filter(|m| {
        let vital = context.registry.signal(&m.signal).is_some_and(|row| row.category == Category::VitalSigns);
        !vital && m.derived_from.contains(&source)
    });
    std::iter::once(&source)
        .cloned()
        .chain(computed.map(own))
        .map(|s| reference(&source_reference(context, &s)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SignalCode;

    fn block(values: Vec<f32>) -> SampleBlock {
        SampleBlock { signal: SignalCode::new("ecg").unwrap(), start: Instant(0), rate_hz: 1.0, dimensions: 1, values }
    }

    #[test]
    fn the_piece_with_the_fewest_missing_samples_is_drawn_and_the_first_of_equals() {
        let mut values: Vec<f32> = (0..35u8).map(f32::from).collect();
        values[3] = f32::NAN;
        let piece = clearest_piece(&block(values), 10).unwrap();
        assert_eq!((piece.start, piece.values.len(), piece.values[0]), (Instant(10_000_000), 10, 10.0));
    }

    #[test]
    fn a_short_block_is_drawn_whole_and_an_empty_one_not_at_all() {
        assert_eq!(clearest_piece(&block(vec![1.0; 4]), 10).unwrap().values.len(), 4);
        assert_eq!(clearest_piece(&block(vec![f32::NAN; 30]), 10), None);
        assert_eq!(clearest_piece(&block(Vec::new()), 10), None);
    }
}
