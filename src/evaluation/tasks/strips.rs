//! Labelled strips: atrial fibrillation against every other class, and signal quality against the noise class.

mod figures;

use std::path::{Path, PathBuf};

use afferent_dsp::ecg;
use afferent_metrics::atrial_fibrillation::{self, atrial_coherence, strip_probability};
use afferent_metrics::rr;

use super::super::folder::{Folder, Sheet};
use super::super::read::ecg::{Lead, lead};
use super::super::report::{Algorithm, Findings, Strip};
use super::super::task::{Context, Found, Judged, Task};

/// Short strips with one label each.
pub(super) struct Strips;

/// A strip and its label.
pub(super) struct Case {
    /// Its place in the folder's list of records.
    at: usize,
    label: Class,
}

/// The labels of the challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Normal,
    Fibrillation,
    Other,
    Noise,
}

/// One strip, judged.
pub(super) struct Outcome {
    label: Class,
    /// Probability of fibrillation; none where there are too few beats to say.
    probability: Option<f64>,
    quality: f64,
    beats: usize,
    strip: Strip,
}

/// Probability from which a strip is said to fibrillate.
const SAID: f64 = 0.5;
/// Seconds of a strip that are shown.
const SHOWN_S: f64 = 10.0;

impl Task for Strips {
    type Case = Case;
    type Outcome = Outcome;
    const NAME: &'static str = "strips";
    const TITLE: &'static str = "Labelled strips: fibrillation and signal quality";
    const ABOUT: &'static str = "Strips of 10 to 60 s against their label (normal, atrial fibrillation, other rhythm, \
        noise), after the PhysioNet/CinC Challenge 2017 (Clifford et al. 2017, doi:10.22489/CinC.2017.065-469). \
        Fibrillation is said from a probability of 0.5 on; F1 is the challenge's, over strips of all classes. Signal \
        quality is judged by how well it tells noise from the other classes.";
    const ALGORITHMS: &'static [Algorithm] = &[
        Algorithm { id: "R peaks and signal quality (ecg)", version: ecg::VERSION },
        Algorithm { id: "atrial fibrillation of a strip", version: atrial_fibrillation::VERSION },
    ];

    fn recognise(context: &Context<'_>) -> Vec<Found<Case>> {
        let folder = context.folder;
        let mut found = Vec::new();
        for sheet in newest(folder) {
            let Ok(text) = folder.text(&sheet.path) else { continue };
            let beside = sheet.path.parent().unwrap_or(Path::new(""));
            for (name, label) in text.lines().filter_map(labelled) {
                let record = |at: &usize| folder.records.get(*at).filter(|r| is_named(&r.header, beside, name));
                let Some(at) = search(folder, beside, name).filter(|at| record(at).is_some()) else { continue };
                let Some(record) = folder.records.get(at) else { continue };
                let mut files: Vec<PathBuf> = record.data.iter().chain([&record.header]).cloned().collect();
                files.push(sheet.path.clone());
                found.push(Found { record: record.name.clone(), files, case: Case { at, label } });
            }
        }
        found
    }

    fn run(context: &Context<'_>, case: &Case) -> Result<Outcome, String> {
        let record = context.folder.records.get(case.at).ok_or("is gone")?;
        let lead = lead(context, record)?;
        let (beats, quality) = super::detect::beats(&lead)?;
        let positions: Vec<f64> = beats.iter().map(|beat| beat.sample / lead.rate_hz).collect();
        let coherence = atrial_coherence(&lead.samples, lead.rate_hz, &beats);
        Ok(Outcome {
            label: case.label,
            probability: strip_probability(&rr::intervals(&beats, lead.rate_hz), &quality, coherence),
            quality: quality.index,
            beats: beats.len(),
            strip: picture(&lead, &positions),
        })
    }

    fn report(judged: &[Judged<Outcome>]) -> Findings {
        figures::findings(judged)
    }
}

impl Class {
    fn of(label: &str) -> Option<Self> {
        match label {
            "N" => Some(Self::Normal),
            "A" => Some(Self::Fibrillation),
            "O" => Some(Self::Other),
            "~" => Some(Self::Noise),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Normal => "N",
            Self::Fibrillation => "A",
            Self::Other => "O",
            Self::Noise => "~",
        }
    }
}

impl Outcome {
    fn says_fibrillation(&self) -> bool {
        self.probability.is_some_and(|p| p > SAID)
    }

    fn is_wrong(&self) -> bool {
        self.says_fibrillation() != (self.label == Class::Fibrillation)
    }
}

/// A line `A00015,A`.
fn labelled(line: &str) -> Option<(&str, Class)> {
    let (name, label) = line.split_once([',', ';', '\t'])?;
    let name = name.trim().trim_matches('"');
    Some((name, Class::of(label.trim().trim_matches('"'))?)).filter(|_| !name.is_empty())
}

/// The tables of labels; of several versions in one folder (`-v3`) the newest.
fn newest(folder: &Folder) -> Vec<&Sheet> {
    let is_labels = |s: &&Sheet| s.first.len() == 2 && s.first.get(1).is_some_and(|label| Class::of(label).is_some());
    let version = |s: &Sheet| s.name.rsplit_once("-v").and_then(|(_, v)| v.parse::<u32>().ok());
    let mut tables: Vec<&Sheet> = Vec::new();
    for sheet in folder.tables.iter().filter(is_labels) {
        match tables.iter_mut().find(|other| other.path.parent() == sheet.path.parent()) {
            Some(other) if version(sheet) > version(other) => *other = sheet,
            Some(_) => {}
            None => tables.push(sheet),
        }
    }
    tables
}

fn is_named(header: &Path, beside: &Path, name: &str) -> bool {
    header.starts_with(beside) && header.file_stem().is_some_and(|stem| stem == name)
}

/// A record of this name in the table's folder, or in one below it.
fn search(folder: &Folder, beside: &Path, name: &str) -> Option<usize> {
    let direct = beside.join(name).to_string_lossy().into_owned();
    let near = folder.records.binary_search_by(|r| r.name.as_str().cmp(&direct)).ok();
    near.or_else(|| folder.records.iter().position(|r| is_named(&r.header, beside, name)))
}

fn picture(lead: &Lead, beats_s: &[f64]) -> Strip {
    let count = ((SHOWN_S * lead.rate_hz) as usize).min(lead.samples.len());
    Strip {
        title: String::new(),
        unit: "mV".to_owned(),
        from_s: 0.0,
        rate_hz: lead.rate_hz,
        samples: lead.samples.get(..count).unwrap_or_default().to_vec(),
        reference: Vec::new(),
        detected: beats_s.iter().filter(|s| **s < SHOWN_S).map(|s| (*s, true)).collect(),
    }
}
