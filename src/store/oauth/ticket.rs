//! What people granted to apps, and what apps get tokens with: codes and refresh tokens, each good once.

use sqlx::Row as _;

use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// What a person has granted to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// Its id.
    pub id: String,
    /// Tenant of both.
    pub tenant: TenantId,
    /// The app.
    pub client: String,
    /// The person.
    pub person: String,
    /// Scopes and context, in JSON.
    pub granted: String,
    /// No token of it is good any longer.
    pub expires: Instant,
}

/// What an app shows to get tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketKind {
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
}

impl TicketKind {
    fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Refresh => "refresh",
        }
    }
}

/// A ticket that was used just now, for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// What the code is bound to, in JSON.
    pub bound: String,
    /// What it was good for.
    pub grant: GrantRecord,
}

/// What became of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// It was good.
    First(Box<Ticket>),
    /// It was used before: what was granted is taken back.
    Again,
    /// There is none, it is another app's, it is too old, or its grant is.
    Unknown,
}

impl Store {
    /// Keeps what a person has granted, and the code that tokens are got with.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_grant(
        &self,
        grant: &GrantRecord,
        code: &[u8; 32],
        bound: &str,
        code_expires: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO oauth_grant (id, tenant, client, person, granted, created_us, expires_us) \
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(sql).bind(&grant.id).bind(grant.tenant.as_str()).bind(&grant.client);
        let query = query.bind(&grant.person).bind(&grant.granted).bind(self.clock.now().0).bind(grant.expires.0);
        query.execute(&mut *tx).await?;
        let sql =
            "INSERT INTO oauth_ticket (sha256, kind, grant_id, bound, expires_us) VALUES ($1, 'code', $2, $3, $4)";
        let query = sqlx::query(sql).bind(code.as_slice()).bind(&grant.id).bind(bound).bind(code_expires.0);
        query.execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps a refresh token, and that what was granted is good until then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_refresh(&self, token: &[u8; 32], grant: &str, expires: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO oauth_ticket (sha256, kind, grant_id, bound, expires_us) \
            VALUES ($1, 'refresh', $2, '', $3)";
        sqlx::query(sql).bind(token.as_slice()).bind(grant).bind(expires.0).execute(&mut *tx).await?;
        let sql = "UPDATE oauth_grant SET expires_us = $1 WHERE id = $2 AND expires_us < $1";
        sqlx::query(sql).bind(expires.0).bind(grant).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Until when what a person granted is good; nothing where there is no such grant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn granted_until(&self, grant: &str) -> Result<Option<Instant>, StoreError> {
        let query = sqlx::query("SELECT expires_us FROM oauth_grant WHERE id = $1 AND revoked_us IS NULL").bind(grant);
        let row = query.fetch_optional(&self.readers).await?;
        row.map(|row| Ok(Instant(row.try_get(0)?))).transpose()
    }

    /// Uses an app's ticket up. The second time takes what was granted back, tokens and all: one of the two who had it is a thief.
    ///
    /// # Errors
    /// The database failed.
    pub async fn redeem(&self, kind: TicketKind, sha256: &[u8; 32], client: &str) -> Result<Redeemed, StoreError> {
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let of_client = "kind = $2 AND grant_id IN (SELECT id FROM oauth_grant WHERE client = $3)";
        let sql = format!(
            "UPDATE oauth_ticket SET used_us = $4 WHERE sha256 = $1 AND {of_client} AND used_us IS NULL \
             RETURNING grant_id, bound, expires_us"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sha256.as_slice()).bind(kind.word());
        let Some(row) = query.bind(client).bind(now.0).fetch_optional(&mut *tx).await? else {
            let sql = format!(
                "UPDATE oauth_grant SET revoked_us = $4 WHERE revoked_us IS NULL AND id IN \
                 (SELECT grant_id FROM oauth_ticket WHERE sha256 = $1 AND {of_client})"
            );
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sha256.as_slice()).bind(kind.word());
            let done = query.bind(client).bind(now.0).execute(&mut *tx).await?;
            tx.commit().await?;
            return Ok(if done.rows_affected() > 0 { Redeemed::Again } else { Redeemed::Unknown });
        };
        let (id, bound): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let in_time = now.0 < row.try_get::<i64, _>(2)?;
        let sql = "SELECT g.tenant, g.client, g.person, g.granted, g.expires_us FROM oauth_grant g \
            JOIN oauth_person p ON p.id = g.person \
            WHERE g.id = $1 AND g.revoked_us IS NULL AND g.expires_us > $2 AND p.revoked_us IS NULL";
        let row = sqlx::query(sql).bind(&id).bind(now.0).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        let Some(row) = row.filter(|_| in_time) else { return Ok(Redeemed::Unknown) };
        let tenant = TenantId::new(row.try_get::<String, _>(0)?);
        let grant = GrantRecord {
            id,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            client: row.try_get(1)?,
            person: row.try_get(2)?,
            granted: row.try_get(3)?,
            expires: Instant(row.try_get(4)?),
        };
        Ok(Redeemed::First(Box::new(Ticket { bound, grant })))
    }

    /// Takes back what was granted, by the refresh token an app has for it; whether there was anything to take.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_refresh(&self, token: &[u8; 32], client: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE oauth_grant SET revoked_us = $1 WHERE client = $2 AND revoked_us IS NULL \
            AND id IN (SELECT grant_id FROM oauth_ticket WHERE sha256 = $3 AND kind = 'refresh')";
        let query = sqlx::query(sql).bind(self.clock.now().0).bind(client).bind(token.as_slice());
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
    }
}
