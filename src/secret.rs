//! Secrets, which are shown on purpose or not at all.

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A text that is not to be seen in logs, and is overwritten when it is no longer needed.
#[derive(Clone, PartialEq, Eq, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_written_by_accident() {
        assert!(!format!("{:?}", Some(Secret::new("sk_live_x".to_owned()))).contains("sk_live"));
    }
}
