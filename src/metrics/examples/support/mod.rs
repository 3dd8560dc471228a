//! The phone camera recordings of Hoffman et al. 2022, as they lie in `phonecam_spo2`.
#![allow(clippy::unwrap_used, reason = "a broken file ends the program")]

use std::{io::Read, path::PathBuf};

fn read_gz(path: &PathBuf) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Files of a folder whose name ends so, sorted.
fn files(folder: PathBuf, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(end));
    found.sort();
    found
}

fn columns(text: &str) -> (Vec<String>, Vec<Vec<f32>>) {
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap_or("").split(',').map(|name| name.trim().to_owned()).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        for (column, field) in columns.iter_mut().zip(line.split(',')) {
            column.push(field.trim().parse().unwrap_or(f32::NAN));
        }
    }
    (names, columns)
}

pub(crate) struct Phonecam {
    pub(crate) name: String,
    /// Red, green, blue at 30 Hz.
    pub(crate) channels: Vec<Vec<f32>>,
    /// Per second: the oximeters' median saturation, where two or more show one.
    pub(crate) saturation: Vec<Option<f64>>,
}

pub(crate) fn phonecam(folder: &str) -> Vec<Phonecam> {
    let folder = PathBuf::from(folder).join("phonecam_spo2");
    let hands = ["_Left.csv.gz", "_Right.csv.gz"];
    hands.iter().flat_map(|hand| files(folder.clone(), hand)).map(|path| read_phonecam(&path)).collect()
}

fn read_phonecam(path: &PathBuf) -> Phonecam {
    let name = path.file_name().unwrap().to_string_lossy().replace(".csv.gz", "");
    let truth = PathBuf::from(path.to_string_lossy().replace(&name, &format!("{}_gt", &name[..6])));
    let (names, columns_gt) = columns(&read_gz(&truth));
    let median = |what: &str| -> Vec<Option<f64>> {
        let shown: Vec<&Vec<f32>> = names
            .iter()
            .zip(&columns_gt)
            .filter(|(name, _)| name.starts_with(what))
            .map(|(_, column)| column)
            .collect();
        (0..columns_gt[0].len())
            .map(|row| {
                let mut values: Vec<f32> =
                    shown.iter().filter_map(|column| column.get(row).copied()).filter(|value| *value > 30.0).collect();
                values.sort_by(f32::total_cmp);
                (values.len() > 1).then(|| f64::from(values[values.len() / 2]))
            })
            .collect()
    };
    let channels = columns(&read_gz(path)).1;
    Phonecam { name, channels, saturation: median("SpO2 ") }
}

pub(crate) fn mean_abs(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len().max(1) as f64
}
