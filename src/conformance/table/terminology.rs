//! Codes: which there are, and which belong to a value set.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Code systems and value sets by their canonical URL.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Terminology {
    /// Code systems.
    pub systems: BTreeMap<String, CodeSystem>,
    /// Value sets.
    pub value_sets: BTreeMap<String, ValueSet>,
}

/// A code system.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct CodeSystem {
    /// Its business version.
    pub version: String,
    /// Whether all of its codes are here.
    pub complete: bool,
    /// Whether case matters.
    pub case_sensitive: bool,
    /// Its codes, sorted.
    pub concepts: Vec<Concept>,
}

/// A code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concept {
    /// The code.
    pub code: Box<str>,
    /// Digests of what it may be displayed as: enough to tell a wrong display, and no text.
    pub displays: Box<[u32]>,
}

/// A value set.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct ValueSet {
    /// What is in it.
    pub include: Vec<Include>,
    /// What of that is not.
    pub exclude: Vec<Include>,
}

/// A part of a value set: what fulfils all of these.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Include {
    /// Of this code system.
    pub system: Option<String>,
    /// These codes, sorted; `None`: all of the code system.
    pub codes: Option<Box<[Box<str>]>>,
    /// Whether which codes could not be found out: by a filter of a code system that is not here.
    pub unknown: bool,
    /// Codes of each of these value sets.
    pub value_sets: Vec<String>,
}

impl CodeSystem {
    /// A code of the system.
    pub fn concept(&self, code: &str) -> Option<&Concept> {
        let found = self.concepts.binary_search_by(|concept| (*concept.code).cmp(code));
        match found {
            Ok(index) => self.concepts.get(index),
            Err(_) if self.case_sensitive => None,
            Err(_) => self.concepts.iter().find(|concept| concept.code.eq_ignore_ascii_case(code)),
        }
    }
}

/// A digest of a display: FNV-1a over its letters in lower case.
pub fn digest(display: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for letter in display.chars().flat_map(char::to_lowercase) {
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}
