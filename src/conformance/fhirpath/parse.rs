//! From text to tree, by precedence climbing.

use super::function::Function;
use super::token::{Token, tokens};
use super::tree::{Expression, Operator, Pattern, Variable};

/// Why an expression is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A character that begins no word.
    #[error("no FHIRPath at offset {0}")]
    Token(usize),
    /// A word where none of its kind may be.
    #[error("`{0}` is not expected")]
    Unexpected(String),
    /// The expression ends too early.
    #[error("the expression is not complete")]
    Incomplete,
    /// A function that is not supported.
    #[error("the function {0} is not supported")]
    Function(String),
    /// A variable that is not supported.
    #[error("the variable %{0} is not supported")]
    Variable(String),
}

/// Parses an expression.
pub fn parse(text: &str) -> Result<Expression, Error> {
    let mut parser = Parser { tokens: tokens(text).map_err(Error::Token)?, at: 0 };
    let tree = parser.binary(0)?;
    match parser.peek() {
        None => Ok(tree),
        Some(token) => Err(Error::Unexpected(format!("{token:?}"))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Operators of one precedence, the loosest first.
const PRECEDENCE: [&[(&str, Operator)]; 8] = [
    &[("implies", Operator::Implies)],
    &[("or", Operator::Or), ("xor", Operator::Xor)],
    &[("and", Operator::And)],
    &[("in", Operator::In), ("contains", Operator::Contains)],
    &[("=", Operator::Equal), ("~", Operator::Equivalent), ("!=", Operator::NotEqual), ("!~", Operator::NotEquivalent)],
    &[("<=", Operator::LessOrEqual), ("<", Operator::Less), (">=", Operator::GreaterOrEqual), (">", Operator::Greater)],
    &[("|", Operator::Union)],
    &[("+", Operator::Add), ("-", Operator::Subtract), ("&", Operator::Concatenate)],
];

const PRODUCTS: &[(&str, Operator)] =
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("div", Operator::Quotient), ("mod", Operator::Remainder)];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, Error> {
        let token = self.peek().cloned().ok_or(Error::Incomplete)?;
        self.at += 1;
        Ok(token)
    }

    /// Takes a symbol if it is next.
    fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Error> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(self.peek().map_or(Error::Incomplete, |token| Error::Unexpected(format!("{token:?}"))))
    }

    fn operator(&mut self, level: &[(&str, Operator)]) -> Option<Operator> {
        let word = match self.peek()? {
            Token::Name(name) => name.as_str(),
            Token::Symbol(symbol) => symbol,
            _ => return None,
        };
        let operator = level.iter().find(|(text, _)| *text == word).map(|(_, operator)| *operator)?;
        self.at += 1;
        Some(operator)
    }

    fn binary(&mut self, level: usize) -> Result<Expression, Error> {
        let operators = PRECEDENCE.get(level).copied().unwrap_or(PRODUCTS);
        let tighter = |parser: &mut Self| match level {
            // `is` and `as` bind tighter than comparison and looser than union.
            5 => parser.typed(level + 1),
            level if level < PRECEDENCE.len() => parser.binary(level + 1),
            _ => parser.unary(),
        };
        let mut left = tighter(self)?;
        while let Some(operator) = self.operator(operators) {
            let right = tighter(self)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn typed(&mut self, level: usize) -> Result<Expression, Error> {
        let mut left = self.binary(level)?;
        loop {
            let make = match self.peek() {
                Some(Token::Name(name)) if name == "is" => Expression::Is,
                Some(Token::Name(name)) if name == "as" => Expression::As,
                _ => return Ok(left),
            };
            self.at += 1;
            left = make(Box::new(left), self.type_name()?);
        }
    }

    /// A type's name without its namespace.
    fn type_name(&mut self) -> Result<String, Error> {
        let mut name = self.name()?;
        while self.take(".") {
            name = self.name()?;
        }
        Ok(name)
    }

    fn name(&mut self) -> Result<String, Error> {
        match self.next()? {
            Token::Name(name) | Token::Delimited(name) => Ok(name),
            token => Err(Error::Unexpected(format!("{token:?}"))),
        }
    }

    fn unary(&mut self) -> Result<Expression, Error> {
        if self.take("-") {
            return Ok(Expression::Negative(Box::new(self.unary()?)));
        }
        self.take("+");
        self.steps()
    }

    fn steps(&mut self) -> Result<Expression, Error> {
        let mut left = self.term()?;
        loop {
            if self.take(".") {
                left = self.step(left)?;
            } else if self.take("[") {
                let index = self.binary(0)?;
                self.expect("]")?;
                left = Expression::Index(Box::new(left), Box::new(index));
            } else {
                return Ok(left);
            }
        }
    }

    /// What stands after a point.
    fn step(&mut self, left: Expression) -> Result<Expression, Error> {
        match self.next()? {
            Token::Name(name) if self.take("(") => self.call(left, &name),
            Token::Name(name) | Token::Delimited(name) => Ok(Expression::Member(Box::new(left), name)),
            token => Err(Error::Unexpected(format!("{token:?}"))),
        }
    }

    fn call(&mut self, left: Expression, name: &str) -> Result<Expression, Error> {
        if let "ofType" | "as" | "is" = name {
            let kind = self.type_name()?;
            self.expect(")")?;
            let left = Box::new(left);
            return Ok(if name == "is" { Expression::Is(left, kind) } else { Expression::As(left, kind) });
        }
        let mut arguments = Vec::new();
        if !self.take(")") {
            arguments.push(self.binary(0)?);
            while self.take(",") {
                arguments.push(self.binary(0)?);
            }
            self.expect(")")?;
        }
        let function = Function::named(name, arguments.len()).ok_or_else(|| Error::Function(name.to_owned()))?;
        Ok(Expression::Call(Box::new(left), function, arguments, Pattern::default()))
    }

    fn term(&mut self) -> Result<Expression, Error> {
        Ok(match self.next()? {
            Token::Symbol("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                inner
            }
            Token::Symbol("{") => {
                self.expect("}")?;
                Expression::Nothing
            }
            Token::String(text) => Expression::String(text),
            Token::Number(digits) => match digits.parse() {
                Ok(number) => Expression::Integer(number),
                Err(_) => Expression::Decimal(digits.parse().map_err(|_| Error::Unexpected(digits))?),
            },
            Token::Special(name) if name == "this" => Expression::Focus,
            Token::Variable(name) => Expression::Variable(match name.as_str() {
                "resource" => Variable::Resource,
                "rootResource" => Variable::RootResource,
                "context" => Variable::Context,
                "ucum" => Variable::Text("http://unitsofmeasure.org"),
                "sct" => Variable::Text("http://snomed.info/sct"),
                "loinc" => Variable::Text("http://loinc.org"),
                _ => return Err(Error::Variable(name)),
            }),
            Token::Name(name) if name == "true" => Expression::Boolean(true),
            Token::Name(name) if name == "false" => Expression::Boolean(false),
            Token::Name(name) if self.take("(") => self.call(Expression::Focus, &name)?,
            Token::Name(name) | Token::Delimited(name) => Expression::Member(Box::new(Expression::Focus), name),
            token => return Err(Error::Unexpected(format!("{token:?}"))),
        })
    }
}
