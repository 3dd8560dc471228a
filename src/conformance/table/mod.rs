//! What profiles say, as tables: paths, cardinalities, types, codes and expressions, no prose.
//!
//! A [`Type`] holds all of what R4 says of its elements. A [`Profile`] holds only what it adds to that: most elements of
//! a profile's snapshot repeat the type's, and what is not there need not be looked at.

mod rule;
mod terminology;

pub use rule::{Expected, Rule, Slice, Slicing, Test};
pub use terminology::{CodeSystem, Concept, Include, Terminology, ValueSet, digest};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The index of a type in [`Tables::types`].
pub type TypeId = u16;

/// No upper bound of a cardinality.
pub const UNBOUNDED: u32 = u32::MAX;

/// What is known of types, profiles and codes.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Tables {
    /// The packages these come from, as `name#version`.
    pub packages: Vec<String>,
    /// R4's types; backbone elements stand as types of their own, named by their path.
    pub types: Vec<Type>,
    /// Profiles and extensions by their canonical URL.
    pub profiles: BTreeMap<String, Profile>,
    /// Invariants, which types and profiles name by their index.
    pub constraints: Vec<Constraint>,
    /// Code systems and value sets.
    pub terminology: Terminology,
}

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A value of JSON, with perhaps an id and extensions.
    Primitive,
    /// A data type.
    Complex,
    /// Elements within a resource.
    Backbone,
    /// A resource.
    Resource,
}

/// A type of R4.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Type {
    /// Such as `Quantity`, or `Observation.component`.
    pub name: String,
    /// What it specialises.
    pub base: Option<TypeId>,
    /// What it is.
    pub kind: Kind,
    /// Whether nothing is of this type itself.
    pub is_abstract: bool,
    /// Its elements, inherited ones among them, in R4's order.
    pub elements: Vec<Element>,
    /// Indices of invariants.
    pub constraints: Vec<u32>,
}

/// An element of a type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Element {
    /// Its name, of a choice without `[x]`.
    pub name: String,
    /// Whether its JSON name ends with its type.
    pub choice: bool,
    /// Least number.
    pub min: u32,
    /// Greatest number.
    pub max: u32,
    /// What it may be.
    pub types: Vec<TypeUse>,
    /// Which codes it may have.
    pub binding: Option<Box<Binding>>,
    /// Indices of invariants.
    pub constraints: Vec<u32>,
    /// Its value when it can have but one.
    pub fixed: Option<Box<Expected>>,
}

/// A type as an element has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeUse {
    /// The type.
    pub id: TypeId,
    /// Profiles of which the element follows at least one.
    pub profiles: Vec<String>,
    /// What a reference leads to: profiles of which the target follows at least one; none: anything.
    pub targets: Vec<String>,
    /// Where the target has to be, none: anywhere.
    pub aggregation: Vec<Aggregation>,
}

/// Where a reference's target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregation {
    /// In the resource itself.
    Contained,
    /// Elsewhere.
    Referenced,
    /// In the same Bundle.
    Bundled,
}

/// Which codes an element may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// How strictly.
    pub strength: Strength,
    /// The canonical URL of a value set.
    pub value_set: String,
    /// The value set beyond which nothing is allowed, though the binding is extensible.
    pub max: Option<String>,
}

/// How strictly a binding is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strength {
    /// Codes are examples.
    Example,
    /// Codes are recommended.
    Preferred,
    /// These codes where one of them fits.
    Extensible,
    /// These codes only.
    Required,
}

/// An invariant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Constraint {
    /// Its key, such as `obs-6`.
    pub key: String,
    /// Whether it is an error not to keep it, else a warning.
    pub error: bool,
    /// FHIRPath.
    pub expression: String,
}

/// A profile or an extension.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profile {
    /// Its business version.
    pub version: String,
    /// The type that it constrains.
    pub kind: TypeId,
    /// The profile it builds on, when what is here is only what it adds to that.
    pub base: Option<String>,
    /// What it says of the root.
    pub rule: Rule,
    /// Where an extension may be.
    pub contexts: Vec<Context>,
    /// FHIRPath that holds where the extension is.
    pub context_invariants: Vec<String>,
    /// Whether it is a modifier extension.
    pub modifier: bool,
}

/// Where an extension may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// On elements of a path or type.
    Element(String),
    /// Within an extension.
    Extension(String),
    /// On what FHIRPath selects from the resource.
    Path(String),
}

impl Tables {
    /// The tables as bytes for a file.
    pub fn pack(&self) -> Result<Vec<u8>, crate::check::Error> {
        Ok(zstd::encode_all(postcard::to_stdvec(self)?.as_slice(), 19)?)
    }

    /// Tables from such bytes.
    pub fn unpack(packed: &[u8]) -> Result<Self, crate::check::Error> {
        Ok(postcard::from_bytes(&zstd::decode_all(packed)?)?)
    }
}
