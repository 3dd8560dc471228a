//! How the tail of a resource stands in its column: as it is, or compressed with what is common to many resources.
//!
//! ```text
//! ,"…   }…     the tail itself: JSON never starts with the byte below
//! 1 frame      compressed: a frame of zstd (RFC 8878) without its magic number; it names its dictionary, if it needs one
//! ```
//!
//! One Observation is like thousands before it, so next to nothing of it is news: with a dictionary made of others
//! ([`train`]) 800 bytes become 50. Dictionaries are numbered, kept for good and known to all processes of a database; a
//! resource is read with the one it was written with.

mod dictionary;
#[cfg(test)]
mod tests;
mod train;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::{Any, Row as _};
use zstd::zstd_safe::{self, CCtx, DCtx};

use super::StoreError;
use super::sql::{Row, Sql};
use dictionary::{Dictionary, LEVEL};

/// First byte of a tail that is compressed.
const COMPRESSED: u8 = 1;

/// What every frame of zstd starts with and need not be stored.
const MAGIC: [u8; 4] = zstd_safe::MAGICNUMBER.to_le_bytes();

/// The longest a frame's header is, without the magic number.
const HEADER: usize = 14;

/// Shorter tails stay as they are.
const SHORTEST: usize = 64;

/// Longest tail that is believed: more than any request may have.
const LONGEST: u64 = 1 << 30;

const DAMAGED: StoreError = StoreError::Damaged { what: "resource" };

/// The dictionaries of a database.
#[derive(Debug, Clone)]
pub(in crate::store) struct Bodies(Arc<RwLock<Known>>);

#[derive(Debug)]
struct Known {
    by_number: BTreeMap<u32, Arc<Dictionary>>,
    /// Those that have dictionaries.
    tables: BTreeMap<&'static str, Progress>,
}

/// How far the compression of a table's tails is.
#[derive(Debug, Default)]
struct Progress {
    /// What is written with.
    newest: Option<Arc<Dictionary>>,
    /// How many there are.
    count: u32,
    /// Tails this process has written since it had the newest.
    written: u64,
    /// Whether somebody is making another.
    is_training: bool,
}

thread_local! {
    static CONTEXTS: RefCell<(CCtx<'static>, DCtx<'static>)> = RefCell::new((CCtx::create(), DCtx::create()));
}

impl Default for Bodies {
    fn default() -> Self {
        let tables = train::TABLES.into_iter().map(|table| (table, Progress::default())).collect();
        Self(Arc::new(RwLock::new(Known { by_number: BTreeMap::new(), tables })))
    }
}

impl Bodies {
    /// A tail as it is stored in `table`.
    pub(in crate::store) fn encode(&self, table: &str, tail: &[u8]) -> Vec<u8> {
        if tail.len() < SHORTEST {
            return tail.to_vec();
        }
        let compressed = compress(self.to_write_with(table).as_deref(), tail);
        compressed.filter(|compressed| compressed.len() < tail.len()).unwrap_or_else(|| tail.to_vec())
    }

    /// The tail of what is stored; [`Bodies::learn`] has seen it.
    pub(in crate::store) fn decode(&self, stored: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let Some(frame) = frame(&stored) else { return Ok(stored) };
        let dictionary =
            zstd_safe::get_dict_id_from_frame(&frame).map(|number| self.known(number.get()).ok_or(DAMAGED));
        decompress(dictionary.transpose()?.as_deref(), &frame)
    }

    /// Gets the dictionaries `rows` need and this process does not know yet, being another's; `column` holds the tails.
    pub(in crate::store) async fn learn(
        &self,
        rows: &[Row],
        column: usize,
        database: impl sqlx::Executor<'_, Database = Any>,
    ) -> Result<(), StoreError> {
        for row in rows {
            let stored: &[u8] = row.try_get(column)?;
            let head = frame(stored.get(..HEADER).unwrap_or(stored));
            let number = head.and_then(|head| zstd_safe::get_dict_id_from_frame(&head));
            if number.is_some_and(|number| self.known(number.get()).is_none()) {
                return self.load(database).await;
            }
        }
        Ok(())
    }

    /// Gets all dictionaries.
    pub(in crate::store) async fn load(
        &self,
        database: impl sqlx::Executor<'_, Database = Any>,
    ) -> Result<(), StoreError> {
        let sql = Sql::new("SELECT resources, body FROM tail_dictionary ORDER BY number");
        for row in sql.query().fetch_all(database).await? {
            let (table, body): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            self.add(&table, Dictionary::new(&body).ok_or(StoreError::Damaged { what: "dictionary" })?);
        }
        Ok(())
    }

    /// Takes a dictionary into use; its number decides which of two that is. How many the table has then.
    fn add(&self, table: &str, dictionary: Dictionary) -> u32 {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let dictionary = Arc::clone(known.by_number.entry(dictionary.number).or_insert_with(|| Arc::new(dictionary)));
        let Some(progress) = known.tables.get_mut(table) else { return 0 };
        if progress.newest.as_ref().is_none_or(|newest| newest.number < dictionary.number) {
            let count = progress.count + 1;
            *progress = Progress { newest: Some(dictionary), count, ..Progress::default() };
        }
        progress.count
    }

    fn known(&self, number: u32) -> Option<Arc<Dictionary>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).by_number.get(&number).cloned()
    }

    /// The dictionary for the next tail in `table`.
    fn to_write_with(&self, table: &str) -> Option<Arc<Dictionary>> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let progress = known.tables.get_mut(table)?;
        progress.written += 1;
        progress.newest.clone()
    }
}

/// The frame in what is stored, none where that is the tail itself.
fn frame(stored: &[u8]) -> Option<Vec<u8>> {
    stored.strip_prefix(&[COMPRESSED]).map(|rest| [&MAGIC, rest].concat())
}

fn compress(dictionary: Option<&Dictionary>, tail: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(tail.len()));
    let done = CONTEXTS.with_borrow_mut(|(context, _)| match dictionary {
        Some(dictionary) => context.compress_using_cdict(&mut frame, tail, &dictionary.encoder),
        None => context.compress(&mut frame, tail, LEVEL),
    });
    done.ok()?;
    // The last byte of the magic number makes room for ours.
    let mut stored = frame.split_off(MAGIC.len() - 1);
    *stored.first_mut()? = COMPRESSED;
    Some(stored)
}

fn decompress(dictionary: Option<&Dictionary>, frame: &[u8]) -> Result<Vec<u8>, StoreError> {
    let size = zstd_safe::get_frame_content_size(frame).ok().flatten().filter(|size| *size <= LONGEST);
    let mut tail = Vec::with_capacity(usize::try_from(size.ok_or(DAMAGED)?).map_err(|_| DAMAGED)?);
    let done = CONTEXTS.with_borrow_mut(|(_, context)| match dictionary {
        Some(dictionary) => context.decompress_using_ddict(&mut tail, frame, &dictionary.decoder),
        None => context.decompress(&mut tail, frame),
    });
    done.map_err(|_| DAMAGED)?;
    Ok(tail)
}
