//! What is searched for, its values checked.

use crate::store::date::{DateMatch, Prefix};

/// A search parameter with its alternatives, at least one unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Logical id.
    Id(Vec<String>),
    /// `meta.lastUpdated`.
    Updated(Vec<DateMatch>),
    /// Reference the type's subject is, such as `Patient/x`.
    Subject(Vec<String>),
    /// The type's date.
    Date(Vec<DateMatch>),
    /// A parameter whose values are terms.
    Term {
        /// Its name.
        parameter: String,
        /// Codes, URIs or references.
        values: Vec<TermMatch>,
    },
    /// A parameter whose values are text.
    String {
        /// Its name.
        parameter: String,
        /// Texts.
        values: Vec<StringMatch>,
    },
    /// A date that is not the type's date.
    Moment {
        /// Its name.
        parameter: String,
        /// Dates.
        values: Vec<DateMatch>,
    },
    /// A number with a unit.
    Quantity {
        /// Its name.
        parameter: String,
        /// Numbers.
        values: Vec<QuantityMatch>,
    },
    /// A code and a value in the same repetition of a part, such as a component.
    Together {
        /// Name of the code's parameter.
        parameter: String,
        /// The code.
        code: TermMatch,
        /// The value, a term or a quantity of the same part.
        value: Box<Filter>,
    },
    /// Whether the resource has a value of a parameter.
    Missing {
        /// Its name.
        parameter: String,
        /// Whether it must have none.
        missing: bool,
    },
    /// What must not hold.
    Not(Box<Filter>),
    /// One of these must hold in all its parts; none is never.
    Any(Vec<Vec<Filter>>),
    /// The resource a reference leads to matches. <https://hl7.org/fhir/R4/search.html#chaining>
    Chain {
        /// The reference's parameter.
        parameter: String,
        /// What must hold for a target of each type.
        targets: Vec<(String, Vec<Filter>)>,
    },
    /// A resource that refers here matches. <https://hl7.org/fhir/R4/search.html#has>
    Has {
        /// Its type.
        kind: String,
        /// Its reference's parameter.
        parameter: String,
        /// What must hold for it.
        filters: Vec<Filter>,
    },
}

/// One value of a token, URI or reference parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermMatch {
    /// The system it must be from, empty for none; `None` leaves it open.
    pub system: Option<String>,
    /// The code or reference.
    pub value: String,
}

impl TermMatch {
    /// A reference, or a code whose system is left open.
    pub fn of(value: String) -> Self {
        Self { system: None, value }
    }
}

/// One value of a string parameter. <https://hl7.org/fhir/R4/search.html#string>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringMatch {
    /// How.
    pub how: How,
    /// To what.
    pub text: String,
}

/// How a text must be to another, case and accents apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It starts with it.
    Start,
    /// It contains it.
    Contains,
    /// It is it, case and accents included.
    Exact,
}

/// One value of a quantity parameter: `ge5.40|http://unitsofmeasure.org|mg`. <https://hl7.org/fhir/R4/search.html#quantity>
#[derive(Debug, Clone, PartialEq)]
pub struct QuantityMatch {
    /// How.
    pub prefix: Prefix,
    /// The number.
    pub value: f64,
    /// Half of the last digit that was written: what still counts as equal.
    pub half: f64,
    /// The unit, where one is asked for.
    pub unit: Option<UnitMatch>,
}

/// A unit as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitMatch {
    /// Its system; `None` leaves it open.
    pub system: Option<String>,
    /// Code, or the unit as people write it.
    pub code: String,
}
