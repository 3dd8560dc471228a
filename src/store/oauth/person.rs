//! People who may sign in, and the browsers in which they have.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Whom an identity provider's subject is in a tenant's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    /// Public id, safe to log.
    pub id: String,
    /// Tenant they may sign in to.
    pub tenant: TenantId,
    /// The identity provider.
    pub issuer: String,
    /// What it calls them.
    pub subject: String,
    /// `Patient/…`, `Practitioner/…`, `PractitionerRole/…` or `RelatedPerson/…`.
    pub resource: String,
}

const COLUMNS: &str = "p.id, p.tenant, p.issuer, p.subject, p.resource";

impl PersonRecord {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let tenant = TenantId::new(row.try_get::<String, _>(1)?);
        Ok(Self {
            id: row.try_get(0)?,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            issuer: row.try_get(2)?,
            subject: row.try_get(3)?,
            resource: row.try_get(4)?,
        })
    }
}

impl Store {
    /// Lets a person sign in; whether nobody else was this subject.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_person(&self, person: &PersonRecord) -> Result<bool, StoreError> {
        let synthetic = self.tenant(&person.tenant).await?.unwrap_or_default().synthetic;
        let mut tx = self.begin().await?;
        self.make_tenant(&mut tx, &person.tenant, synthetic).await?;
        let sql = "INSERT INTO oauth_person (id, tenant, issuer, subject, resource, created_us) \
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let done = sqlx::query(sql)
            .bind(&person.id)
            .bind(person.tenant.as_str())
            .bind(&person.issuer)
            .bind(&person.subject)
            .bind(&person.resource)
            .bind(self.clock.now().0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Who an identity provider's subject is in a tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn person_of(
        &self,
        tenant: &TenantId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<PersonRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM oauth_person p \
             WHERE p.tenant = $1 AND p.issuer = $2 AND p.subject = $3 AND p.revoked_us IS NULL"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(issuer).bind(subject);
        query.fetch_optional(&self.readers).await?.as_ref().map(PersonRecord::from_row).transpose()
    }

    /// The person with this id, unless they may no longer sign in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn person(&self, tenant: &TenantId, id: &str) -> Result<Option<PersonRecord>, StoreError> {
        // Not every database holds this character, so none has such an id.
        if id.contains('\0') {
            return Ok(None);
        }
        let sql =
            format!("SELECT {COLUMNS} FROM oauth_person p WHERE p.tenant = $1 AND p.id = $2 AND p.revoked_us IS NULL");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(id);
        query.fetch_optional(&self.readers).await?.as_ref().map(PersonRecord::from_row).transpose()
    }

    /// The people of a tenant who may sign in, the first first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn people(&self, tenant: &TenantId) -> Result<Vec<PersonRecord>, StoreError> {
        let of_tenant = "p.tenant = $1 AND p.revoked_us IS NULL ORDER BY p.created_us, p.id";
        let sql = format!("SELECT {COLUMNS} FROM oauth_person p WHERE {of_tenant}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).fetch_all(&self.readers).await?;
        rows.iter().map(PersonRecord::from_row).collect()
    }

    /// Lets a person sign in no longer, and ends what they granted; whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_person(&self, tenant: &TenantId, id: &str) -> Result<bool, StoreError> {
        if id.contains('\0') {
            return Ok(false);
        }
        let sql = "UPDATE oauth_person SET revoked_us = $1 WHERE tenant = $2 AND id = $3 AND revoked_us IS NULL";
        let query = sqlx::query(sql).bind(self.clock.now().0).bind(tenant.as_str()).bind(id);
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Remembers that a person has signed in in the browser with this cookie.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_session(&self, cookie: &[u8; 32], person: &str, expires: Instant) -> Result<(), StoreError> {
        let sql = "INSERT INTO oauth_session (sha256, person, expires_us) VALUES ($1, $2, $3)";
        let query = sqlx::query(sql).bind(cookie.as_slice()).bind(person).bind(expires.0);
        query.execute(&self.writer).await?;
        Ok(())
    }

    /// Who of a tenant has signed in in the browser with this cookie, and until when that counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session(
        &self,
        tenant: &TenantId,
        cookie: &[u8; 32],
    ) -> Result<Option<(PersonRecord, Instant)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, s.expires_us FROM oauth_session s JOIN oauth_person p ON p.id = s.person \
             WHERE s.sha256 = $1 AND s.expires_us > $2 AND p.tenant = $3 AND p.revoked_us IS NULL"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(cookie.as_slice()).bind(self.clock.now().0);
        let row = query.bind(tenant.as_str()).fetch_optional(&self.readers).await?;
        row.map(|row| Ok((PersonRecord::from_row(&row)?, Instant(row.try_get(5)?)))).transpose()
    }

    /// Forgets that somebody has signed in in the browser with this cookie.
    ///
    /// # Errors
    /// The database failed.
    pub async fn end_session(&self, cookie: &[u8; 32]) -> Result<(), StoreError> {
        let sql = "DELETE FROM oauth_session WHERE sha256 = $1";
        sqlx::query(sql).bind(cookie.as_slice()).execute(&self.writer).await?;
        Ok(())
    }
}
