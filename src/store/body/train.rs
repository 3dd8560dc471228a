//! Making dictionaries of what is stored, while it is being used.
//!
//! A dictionary holds pieces of the resources it was made of. So there is none for types that hold who somebody is, and those
//! of measurements are made of hundreds.

use std::sync::PoisonError;

use sqlx::Row as _;

use super::{Bodies, Dictionary, Progress, dictionary};
use crate::store::sql::{Row, Sql};
use crate::store::{Store, StoreError};

/// Tables that are many and hold no names.
pub(super) const TABLES: [&str; 3] = ["observation", "provenance", "document_reference"];

/// Tails that are written before the first dictionary is made, and how many times as many before each further one: the more
/// there are, the better they tell what is common to them.
const FIRST: u64 = 500;
const TIMES: u64 = 64;

/// Most of them: what devices send and clients write may have become another.
const MOST: u64 = 2_000_000;

/// Tails one is made of, at most, and the longest of them: long ones are series, which have little in common.
const SAMPLES: i64 = 1_000;
const LONGEST: i64 = 8 * 1024;

impl Bodies {
    /// The table it is time to make a dictionary for, said once. One after the other: making one takes some megabytes.
    fn due(&self) -> Option<&'static str> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.tables.values().any(|progress| progress.is_training) {
            return None;
        }
        let is_due = |progress: &Progress| {
            FIRST.saturating_mul(TIMES.saturating_pow(progress.count)).min(MOST) <= progress.written
        };
        let (table, progress) = known.tables.iter_mut().find(|(_, progress)| is_due(progress))?;
        progress.is_training = true;
        Some(table)
    }

    /// Nobody is making one any more.
    fn done(&self, table: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = known.tables.get_mut(table) {
            (progress.is_training, progress.written) = (false, 0);
        }
    }
}

impl Store {
    /// Makes a dictionary when it is time, beside whatever else is done.
    pub(in crate::store) fn tend_bodies(&self) {
        let Some(table) = self.bodies.due() else { return };
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.train(table).await {
                // Tails are stored as before, and it is tried again.
                tracing::warn!(error = &error as &dyn std::error::Error, table, "no dictionary could be made");
            }
            store.bodies.done(table);
        });
    }

    /// Makes a dictionary of what was written to a table last; whether there was enough for one.
    pub(super) async fn train(&self, table: &'static str) -> Result<bool, StoreError> {
        let mut sql = Sql::new("SELECT r.tail, r.row_id, r.version FROM ");
        sql.push(table).push(" r WHERE LENGTH(r.tail) < ").bind(LONGEST);
        sql.push(" ORDER BY r.row_id DESC").limit(SAMPLES);
        let rows: Vec<Row> = sql.query().fetch_all(&self.readers).await?;
        self.bodies.learn(&rows, 0, &self.readers).await?;
        let samples = rows.iter().map(|row| self.bodies.decode(row.try_get(0)?)).collect::<Result<Vec<_>, _>>()?;
        let trained = tokio::task::spawn_blocking(move || (dictionary::train(&samples), samples)).await;
        let Ok((Some(mut body), samples)) = trained else { return Ok(false) };

        let mut tx = self.begin_numbering().await?;
        let last = Sql::new("SELECT MAX(number) FROM tail_dictionary").query().fetch_one(&mut *tx).await?;
        let number = last.try_get::<Option<i64>, _>(0)?.unwrap_or_default() + 1;
        dictionary::renumber(&mut body, u32::try_from(number).unwrap_or(u32::MAX));
        let Some(dictionary) = Dictionary::new(&body) else { return Ok(false) };
        let mut sql = Sql::new("INSERT INTO tail_dictionary (number, resources, body) VALUES (");
        sql.bind_list([number.into(), table.into(), body.into()]).push(")");
        sql.query().execute(&mut *tx).await?;
        tx.commit().await?;
        if self.bodies.add(table, dictionary) == 1 {
            self.rewrite(table, &rows, &samples).await?;
        }
        Ok(true)
    }

    /// Writes tails again that were written when there was no dictionary, unless they have changed since.
    async fn rewrite(&self, table: &str, rows: &[Row], tails: &[Vec<u8>]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (row, tail) in rows.iter().zip(tails) {
            let mut sql = Sql::new("UPDATE ");
            sql.push(table).push(" SET tail = ").bind(self.bodies.encode(table, tail));
            sql.push(" WHERE row_id = ").bind(row.try_get::<i64, _>(1)?);
            sql.push(" AND version = ").bind(row.try_get::<i64, _>(2)?);
            sql.query().execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
