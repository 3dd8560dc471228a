//! Words of FHIRPath.

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// An identifier or keyword; delimited ones are never keywords.
    Name(String),
    /// An identifier in backquotes.
    Delimited(String),
    /// A text in quotes.
    String(String),
    /// A number.
    Number(String),
    /// `%name`.
    Variable(String),
    /// `$this`, `$index`, `$total`.
    Special(String),
    /// An operator or a bracket.
    Symbol(&'static str),
}

const SYMBOLS: [&str; 23] = [
    "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "=", "~", "<", ">", "|", "&", "+", "-", "*", "/",
    "@",
];

/// Splits an expression; an error is the offset of what is no word.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let offset = text.len() - rest.len();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (token, length) = match first {
            '\'' | '"' | '`' => {
                let (value, length) = quoted(rest, first).ok_or(offset)?;
                (if first == '`' { Token::Delimited(value) } else { Token::String(value) }, length)
            }
            '0'..='9' => {
                let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
                let whole = digits(rest);
                let after = rest.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
                let length = if after > 0 { whole + 1 + after } else { whole };
                (Token::Number(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            '%' | '$' => {
                let after = rest.get(1..).unwrap_or_default();
                let (name, length) = match after.chars().next() {
                    Some(quote @ ('\'' | '"' | '`')) => quoted(after, quote).ok_or(offset)?,
                    _ => word(after),
                };
                (if first == '%' { Token::Variable(name) } else { Token::Special(name) }, length + 1)
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let (name, length) = word(rest);
                (Token::Name(name), length)
            }
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)).ok_or(offset)?;
                (Token::Symbol(symbol), symbol.len())
            }
        };
        tokens.push(token);
        rest = rest.get(length..).ok_or(offset)?;
    }
}

fn word(text: &str) -> (String, usize) {
    let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    (text.get(..length).unwrap_or_default().to_owned(), length)
}

/// The text between quotes and how long it is with them.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'f' => value.push('\u{c}'),
                other => value.push(other),
            },
            end if end == quote => return Some((value, at + 1)),
            other => value.push(other),
        }
    }
    None
}
