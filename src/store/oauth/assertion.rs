//! Assertions that were used and tokens that were taken back. They are in the database, so that a restart or another node
//! does not take them again.

use std::collections::BTreeSet;

use sqlx::Row as _;

use crate::store::sql::{Sql, pieces, rows_at_once};
use crate::store::{Store, StoreError, TenantFacts};
use crate::time::Instant;

/// An assertion that is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// `client_id`.
    pub client: String,
    /// SHA-256 of its `jti`.
    pub sha256: [u8; 32],
    /// When it is too old to be used.
    pub expires: Instant,
}

type Key = (String, Vec<u8>);

impl Used {
    fn key(&self) -> Key {
        (self.client.clone(), self.sha256.to_vec())
    }
}

impl Store {
    /// Uses assertions up; gives for each whether it was for the first time. What comes twice in `used` is so once.
    ///
    /// # Errors
    /// The database failed; then none of them counts as used by this call.
    pub async fn use_assertions(&self, used: &[Used]) -> Result<Vec<bool>, StoreError> {
        let mut sorted: Vec<&Used> = used.iter().collect();
        // Everybody writes in the same order, so nobody waits for somebody who waits for them.
        sorted.sort_unstable();
        sorted.dedup_by_key(|one| one.key());
        let mut first: BTreeSet<Key> = BTreeSet::new();
        let mut tx = self.begin().await?;
        for piece in pieces(&sorted, rows_at_once(&tx)) {
            let mut sql = Sql::new("INSERT INTO oauth_assertion (client, sha256, expires_us) VALUES ");
            let row = |one: &&Used| vec![one.client.as_str().into(), one.sha256.to_vec().into(), one.expires.0.into()];
            sql.bind_rows(&[], piece.iter().map(row));
            sql.push(" ON CONFLICT (client, sha256) DO NOTHING RETURNING client, sha256");
            for row in sql.query().fetch_all(&mut *tx).await? {
                first.insert((row.try_get(0)?, row.try_get(1)?));
            }
        }
        tx.commit().await?;
        Ok(used.iter().map(|one| first.remove(&one.key())).collect())
    }

    /// Forgets what is too old to be used again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_expired(&self) -> Result<(), StoreError> {
        let Instant(now) = self.clock.now();
        for sql in [
            "DELETE FROM oauth_assertion WHERE expires_us < $1",
            "DELETE FROM oauth_revocation WHERE expires_us < $1",
            "DELETE FROM oauth_request WHERE expires_us < $1",
            "DELETE FROM oauth_launch WHERE expires_us < $1",
            "DELETE FROM oauth_session WHERE expires_us < $1",
            // A ticket that is used again takes its grant back, so it is known for as long.
            "DELETE FROM oauth_ticket WHERE grant_id IN (SELECT id FROM oauth_grant WHERE expires_us < $1)",
            "DELETE FROM oauth_grant WHERE expires_us < $1",
        ] {
            sqlx::query(sql).bind(now).execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Takes an access token back.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_token(&self, id: &str, expires: Instant) -> Result<(), StoreError> {
        let sql = "INSERT INTO oauth_revocation (id, expires_us) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        sqlx::query(sql).bind(id).bind(expires.0).execute(&self.writer).await?;
        Ok(())
    }

    /// Whether an access token, its client and, where a person granted it, that are still good, and if so what holds for
    /// its tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn standing(
        &self,
        token: &str,
        client: &str,
        grant: Option<&str>,
    ) -> Result<Option<TenantFacts>, StoreError> {
        const STANDING: &str = "SELECT t.synthetic, t.baa_us FROM oauth_client c JOIN tenant t ON t.name = c.tenant \
            WHERE c.id = $1 AND c.revoked_us IS NULL \
            AND NOT EXISTS (SELECT 1 FROM oauth_revocation r WHERE r.id = $2)";
        const GRANTED: &str = "AND EXISTS (SELECT 1 FROM oauth_grant g JOIN oauth_person p ON p.id = g.person \
            WHERE g.id = $3 AND g.client = c.id AND g.revoked_us IS NULL AND p.revoked_us IS NULL)";
        let sql = grant.map_or_else(|| STANDING.to_owned(), |_| format!("{STANDING} {GRANTED}"));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(client).bind(token);
        if let Some(grant) = grant {
            query = query.bind(grant);
        }
        let row = query.fetch_optional(&self.readers).await?;
        row.map(|row| TenantFacts::from_row(&row, 0)).transpose()
    }
}
