//! Text as it is searched: small letters, without accents, one space between words. <https://hl7.org/fhir/R4/search.html#string>

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Characters of a text that are indexed; what stands after them is not found by `:contains`.
const MOST: usize = 500;

/// The searched form of a text.
pub(in crate::store) fn normalize(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let folded = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    for c in folded.take(2 * MOST) {
        if c.is_whitespace() {
            if !plain.is_empty() && !plain.ends_with(' ') {
                plain.push(' ');
            }
        } else if !c.is_control() {
            plain.push(c);
        }
    }
    plain.truncate(plain.trim_end().len());
    match plain.char_indices().nth(MOST) {
        Some((end, _)) => plain.get(..end).unwrap_or_default().to_owned(),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_do_not_count() {
        assert_eq!(normalize("  Ægir \tÅse-Müller\u{0}  "), "ægir ase-muller");
        assert_eq!(normalize("ﬁ Ｗide"), "fi wide");
        assert_eq!(normalize(&"é".repeat(3000)).chars().count(), MOST);
    }
}
