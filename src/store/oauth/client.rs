//! Registered clients.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::id::TenantId;
use crate::store::{Store, StoreError};

/// What is kept of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// `client_id`.
    pub id: String,
    /// Tenant it belongs to.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Most it may be granted, blank-separated.
    pub scope: String,
    /// What it proves itself with.
    pub keys: ClientKeys,
    /// Where people are sent back to who use it. A backend service has none.
    pub redirects: Vec<String>,
}

/// What a client proves itself with: keys of its own, whose public ones are known; a secret; or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKeys {
    /// A JWK Set as it was registered.
    Value(String),
    /// The URL of one.
    Url(String),
    /// The SHA-256 of a secret.
    Secret([u8; 32]),
    /// An app that can keep no secret.
    Nothing,
}

const COLUMNS: &str = "id, tenant, name, scope, jwks, jwks_url, secret_sha256, redirect_uris";

impl ClientRecord {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let tenant = TenantId::new(row.try_get::<String, _>(1)?);
        let damaged = || StoreError::Damaged { what: "keys of a client" };
        let secret = row.try_get::<Option<Vec<u8>>, _>(6)?;
        let redirects: Option<String> = row.try_get(7)?;
        let keys = match (row.try_get::<Option<String>, _>(4)?, row.try_get::<Option<String>, _>(5)?, secret) {
            (Some(set), None, None) => ClientKeys::Value(set),
            (None, Some(url), None) => ClientKeys::Url(url),
            (None, None, Some(sha256)) => ClientKeys::Secret(sha256.try_into().map_err(|_| damaged())?),
            (None, None, None) if redirects.is_some() => ClientKeys::Nothing,
            _ => return Err(damaged()),
        };
        Ok(Self {
            id: row.try_get(0)?,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            name: row.try_get(2)?,
            scope: row.try_get(3)?,
            keys,
            redirects: redirects.iter().flat_map(|list| list.lines()).map(str::to_owned).collect(),
        })
    }
}

impl Store {
    /// Registers a client; makes its tenant, for real patients, where there is none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_client(&self, client: &ClientRecord) -> Result<(), StoreError> {
        let (set, url, secret) = match &client.keys {
            ClientKeys::Value(set) => (Some(set.as_str()), None, None),
            ClientKeys::Url(url) => (None, Some(url.as_str()), None),
            ClientKeys::Secret(sha256) => (None, None, Some(sha256.to_vec())),
            ClientKeys::Nothing => (None, None, None),
        };
        let redirects = (!client.redirects.is_empty()).then(|| client.redirects.join("\n"));
        let synthetic = self.tenant(&client.tenant).await?.unwrap_or_default().synthetic;
        let mut tx = self.begin().await?;
        self.make_tenant(&mut tx, &client.tenant, synthetic).await?;
        sqlx::query(
            "INSERT INTO oauth_client (id, tenant, name, scope, jwks, jwks_url, secret_sha256, redirect_uris, created_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&client.id)
        .bind(client.tenant.as_str())
        .bind(&client.name)
        .bind(&client.scope)
        .bind(set)
        .bind(url)
        .bind(secret)
        .bind(redirects)
        .bind(self.clock.now().0)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The client with this id, unless it was revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRecord>, StoreError> {
        // Not every database holds this character, so none has such an id.
        if id.contains('\0') {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM oauth_client WHERE id = $1 AND revoked_us IS NULL");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(ClientRecord::from_row).transpose()
    }

    /// The clients of a tenant that were not revoked, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn clients(&self, tenant: &TenantId) -> Result<Vec<ClientRecord>, StoreError> {
        let of_tenant = "tenant = $1 AND revoked_us IS NULL ORDER BY created_us, id";
        let sql = format!("SELECT {COLUMNS} FROM oauth_client WHERE {of_tenant}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).fetch_all(&self.readers).await?;
        rows.iter().map(ClientRecord::from_row).collect()
    }

    /// Takes a client's registration back, and with it its tokens; whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_client(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE oauth_client SET revoked_us = $1 WHERE id = $2 AND revoked_us IS NULL";
        let done = sqlx::query(sql).bind(self.clock.now().0).bind(id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }
}
