//! A dictionary of zstd. <https://www.rfc-editor.org/rfc/rfc8878#section-5>

use std::fmt;

use zstd::zstd_safe::{self, CDict, DDict};

/// As fast as level 1 where there is a dictionary, and smaller.
pub(super) const LEVEL: i32 = 3;

/// Most bytes of one: more hardly make a resource smaller.
const SIZE: usize = 16 * 1024;

/// A dictionary, ready for use.
pub(super) struct Dictionary {
    /// What frames made with it name it by.
    pub(super) number: u32,
    pub(super) encoder: CDict<'static>,
    pub(super) decoder: DDict<'static>,
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Dictionary {
    /// From its bytes; none where they are no dictionary.
    pub(super) fn new(body: &[u8]) -> Option<Self> {
        Some(Self {
            number: zstd_safe::get_dict_id_from_dict(body)?.get(),
            encoder: CDict::try_create(body, LEVEL)?,
            decoder: DDict::try_create(body)?,
        })
    }
}

/// The bytes of a dictionary of what `samples` have in common; none where that is too little.
pub(super) fn train(samples: &[Vec<u8>]) -> Option<Vec<u8>> {
    zstd::dict::from_samples(samples, SIZE).ok()
}

/// Gives a dictionary its number, which follows four bytes of magic number. The trainer draws one by lot, which takes four
/// bytes in every frame.
pub(super) fn renumber(body: &mut [u8], number: u32) {
    if let Some(place) = body.get_mut(4..8) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}
