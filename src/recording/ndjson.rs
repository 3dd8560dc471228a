//! NDJSON: a raw packet a line, sent as it stands, signature included.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::{RecordingError, read_error};
use crate::packet::{Format, Limits, RawPacket, parse_one};

/// A file of packets, read line by line.
pub struct PacketFile {
    path: PathBuf,
    reader: BufReader<File>,
    line: usize,
}

/// A packet and the text it is written as.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The packet.
    pub packet: RawPacket,
    /// Its text, without the line break.
    pub text: String,
}

impl PacketFile {
    /// Opens the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(read_error(path))?;
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), line: 0 })
    }
}

impl Iterator for PacketFile {
    type Item = Result<Line, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut text = String::new();
            self.line += 1;
            match self.reader.read_line(&mut text) {
                Ok(0) => return None,
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => {
                    let text = text.trim().to_owned();
                    let malformed = |error: crate::packet::BatchError| RecordingError::Malformed {
                        path: self.path.clone(),
                        line: self.line,
                        problem: error.to_string(),
                    };
                    let packet = parse_one(Format::Json, text.as_bytes(), Limits::default()).map_err(malformed);
                    return Some(packet.map(|packet| Line { packet, text }));
                }
                Err(source) => return Some(Err(RecordingError::Read { path: self.path.clone(), source })),
            }
        }
    }
}
