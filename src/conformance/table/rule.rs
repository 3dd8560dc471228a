//! What a profile says of one element and of those below.

use serde::{Deserialize, Serialize};

use super::{Binding, TypeId, TypeUse};
use crate::json::Json;

/// What a profile adds to an element; what is `None` or empty stays as the type has it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Least number.
    pub min: Option<u32>,
    /// Greatest number.
    pub max: Option<u32>,
    /// What it may be.
    pub types: Option<Vec<TypeUse>>,
    /// What its value is.
    pub expected: Option<Box<Expected>>,
    /// Which codes it may have.
    pub binding: Option<Box<Binding>>,
    /// Indices of invariants.
    pub constraints: Vec<u32>,
    /// Longest text, in characters.
    pub max_length: Option<u32>,
    /// Least number that it may be.
    pub least: Option<f64>,
    /// Greatest number that it may be.
    pub greatest: Option<f64>,
    /// Its elements by name, of a choice without `[x]`.
    pub children: Vec<(String, Rule)>,
    /// How repetitions are told apart.
    pub slicing: Option<Box<Slicing>>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expected {
    /// Exactly this.
    Fixed(Json<'static>),
    /// At least this.
    Pattern(Json<'static>),
}

/// How repetitions of an element are told apart.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Slicing {
    /// Whether each repetition has to be in a slice.
    pub closed: bool,
    /// Whether slices come in their order.
    pub ordered: bool,
    /// The slices.
    pub slices: Vec<Slice>,
}

/// A slice: repetitions of an element with rules of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// What its members are known by; none: nothing is known to be one.
    pub tests: Vec<Test>,
    /// What holds for them.
    pub rule: Rule,
}

/// One of the things by which members of a slice are known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Test {
    /// What a path leads to has a value.
    Value(String, Expected),
    /// What a path leads to has a code of a value set.
    Member(String, String),
    /// A path leads to something, or to nothing.
    Exists(String, bool),
    /// What a path leads to is of one of these types.
    Type(String, Vec<TypeId>),
    /// What a path leads to follows one of these profiles.
    Profile(String, Vec<String>),
}

impl Rule {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.min.is_none()
            && self.max.is_none()
            && self.types.is_none()
            && self.expected.is_none()
            && self.binding.is_none()
            && self.constraints.is_empty()
            && self.max_length.is_none()
            && self.least.is_none()
            && self.greatest.is_none()
            && self.children.is_empty()
            && self.slicing.is_none()
    }
}
