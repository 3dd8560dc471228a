//! What apps ask for while people sign in, and what EHRs open apps for.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// What an app asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// SHA-256 of its id.
    pub sha256: [u8; 32],
    /// Tenant of the app.
    pub tenant: TenantId,
    /// SHA-256 of the cookie of the browser it is in.
    pub browser: [u8; 32],
    /// What is asked for, in JSON.
    pub request: String,
    /// What the identity provider was asked, in JSON, until it answers.
    pub upstream: Option<String>,
}

const COLUMNS: &str = "sha256, tenant, browser, request, upstream";

impl RequestRecord {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let damaged = |what| StoreError::Damaged { what };
        let hash = |n: usize| -> Result<[u8; 32], StoreError> {
            row.try_get::<Vec<u8>, _>(n)?.try_into().map_err(|_| damaged("hash of a request"))
        };
        Ok(Self {
            sha256: hash(0)?,
            tenant: TenantId::new(row.try_get::<String, _>(1)?).map_err(|_| damaged("tenant"))?,
            browser: hash(2)?,
            request: row.try_get(3)?,
            upstream: row.try_get(4)?,
        })
    }
}

impl Store {
    /// Keeps what an app asks for.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_request(&self, request: &RequestRecord, expires: Instant) -> Result<(), StoreError> {
        let sql = "INSERT INTO oauth_request (sha256, tenant, browser, request, upstream, expires_us) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        sqlx::query(sql)
            .bind(request.sha256.as_slice())
            .bind(request.tenant.as_str())
            .bind(request.browser.as_slice())
            .bind(&request.request)
            .bind(request.upstream.as_deref())
            .bind(expires.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What was asked for under this id in the browser with this cookie.
    ///
    /// # Errors
    /// The database failed.
    pub async fn request(&self, id: &[u8; 32], browser: &[u8; 32]) -> Result<Option<RequestRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM oauth_request WHERE sha256 = $1 AND browser = $2 AND expires_us > $3");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_slice()).bind(browser.as_slice());
        let row = query.bind(self.clock.now().0).fetch_optional(&self.readers).await?;
        row.as_ref().map(RequestRecord::from_row).transpose()
    }

    /// The same, once: it is gone with this.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_request(&self, id: &[u8; 32], browser: &[u8; 32]) -> Result<Option<RequestRecord>, StoreError> {
        let sql = format!(
            "DELETE FROM oauth_request WHERE sha256 = $1 AND browser = $2 AND expires_us > $3 RETURNING {COLUMNS}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_slice()).bind(browser.as_slice());
        let row = query.bind(self.clock.now().0).fetch_optional(&self.writer).await?;
        row.as_ref().map(RequestRecord::from_row).transpose()
    }

    /// Keeps what an EHR opens an app for, in JSON.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_launch(
        &self,
        tenant: &TenantId,
        client: &str,
        launch: &[u8; 32],
        context: &str,
        expires: Instant,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO oauth_launch (sha256, tenant, client, context, expires_us) VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(sql).bind(launch.as_slice()).bind(tenant.as_str()).bind(client).bind(context);
        query.bind(expires.0).execute(&self.writer).await?;
        Ok(())
    }

    /// What this app is opened for, once: it is gone with this.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_launch(
        &self,
        tenant: &TenantId,
        client: &str,
        launch: &[u8; 32],
    ) -> Result<Option<String>, StoreError> {
        let sql = "DELETE FROM oauth_launch WHERE sha256 = $1 AND tenant = $2 AND client = $3 AND expires_us > $4 \
            RETURNING context";
        let query = sqlx::query(sql).bind(launch.as_slice()).bind(tenant.as_str()).bind(client);
        let row = query.bind(self.clock.now().0).fetch_optional(&self.writer).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}
