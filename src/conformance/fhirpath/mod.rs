//! FHIRPath as profiles use it: parsed once into a tree, evaluated over an instance's nodes without allocating for the
//! usual paths.
//!
//! The general engines there are evaluate asynchronously over copies of JSON; a heart rate's forty invariants would take
//! them longer than the whole validation may. What is not supported is refused when an expression is parsed, that is,
//! when tables are compiled, never at evaluation.

mod call;
mod evaluate;
mod function;
mod item;
mod operator;
mod parse;
mod text;
mod token;
mod tree;

pub use evaluate::{Evaluator, Resolve};
pub use item::{Collection, Item};
pub use parse::{Error, parse};
pub use tree::Expression;
