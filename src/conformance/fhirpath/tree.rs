//! A parsed expression.

use std::sync::OnceLock;

use regex::Regex;

use super::function::Function;

/// An expression. `Focus` stands for what it is evaluated on.
#[derive(Debug)]
pub enum Expression {
    /// `$this`, or nothing before the first step.
    Focus,
    /// `{}`.
    Nothing,
    /// A text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Decimal(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// `%resource` and the like.
    Variable(Variable),
    /// `left.name`.
    Member(Box<Expression>, String),
    /// `left[index]`.
    Index(Box<Expression>, Box<Expression>),
    /// `left.function(…)`.
    Call(Box<Expression>, Function, Vec<Expression>, Pattern),
    /// `left is Type`.
    Is(Box<Expression>, String),
    /// `left as Type`, `ofType(Type)`.
    As(Box<Expression>, String),
    /// Two sides.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `-right`.
    Negative(Box<Expression>),
}

/// What `%name` may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// The resource the node is in.
    Resource,
    /// The resource that holds that, when it is contained.
    RootResource,
    /// The node the expression is evaluated on.
    Context,
    /// A fixed text, such as UCUM's system.
    Text(&'static str),
}

/// Operators with two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    Quotient,
    Remainder,
}

/// The regular expression of a call, compiled when it is first needed.
#[derive(Debug, Default)]
pub struct Pattern(OnceLock<Option<Regex>>);

impl Pattern {
    /// The compiled expression; the text is the same at each call, or the pattern is not kept.
    pub(super) fn get(&self, text: &str) -> Option<&Regex> {
        // FHIRPath's `.` matches line ends, as XML Schema's does not; ported patterns may escape what needs none.
        self.0
            .get_or_init(|| Regex::new(&format!("(?s){}", text.replace("\\/", "/").replace("\\'", "'"))).ok())
            .as_ref()
    }
}
