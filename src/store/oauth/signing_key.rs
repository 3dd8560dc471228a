//! The keys a tenant's access tokens are signed with.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256: access tokens.
    Es256,
    /// RSA: id tokens, as OpenID Connect and SMART ask.
    Rs256,
}

impl SigningAlgorithm {
    /// As JOSE writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// What is kept of a signing key. It says of itself no more than its id.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRecord {
    /// `kid`.
    pub id: String,
    /// Whose tokens it signs.
    pub tenant: TenantId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// PKCS #8.
    pub private: Vec<u8>,
    /// From when on it signs.
    pub signs: Instant,
    /// From when on what it signed is not taken.
    pub expires: Option<Instant>,
}

impl std::fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyRecord").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKeyRecord {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let tenant = TenantId::new(row.try_get::<String, _>(1)?);
        Ok(Self {
            id: row.try_get(0)?,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            private: row.try_get(2)?,
            signs: Instant(row.try_get(3)?),
            expires: row.try_get::<Option<i64>, _>(4)?.map(Instant),
            algorithm: match row.try_get::<String, _>(5)?.as_str() {
                "ES256" => SigningAlgorithm::Es256,
                "RS256" => SigningAlgorithm::Rs256,
                _ => return Err(StoreError::Damaged { what: "algorithm of a signing key" }),
            },
        })
    }
}

impl Store {
    /// Keeps a new signing key. Those before it for the same algorithm expire at `others_expire`, where given and where they did not sooner.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_signing_key(
        &self,
        key: &SigningKeyRecord,
        others_expire: Option<Instant>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if let Some(Instant(at)) = others_expire {
            let sql = "UPDATE signing_key SET expires_us = $1 \
                WHERE tenant = $2 AND algorithm = $3 AND (expires_us IS NULL OR expires_us > $1)";
            let query = sqlx::query(sql).bind(at).bind(key.tenant.as_str()).bind(key.algorithm.name());
            query.execute(&mut *tx).await?;
        }
        let sql = "INSERT INTO signing_key (id, tenant, private, created_us, signs_us, algorithm) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        let inserted = sqlx::query(sql).bind(&key.id).bind(key.tenant.as_str()).bind(key.private.as_slice());
        inserted.bind(self.clock.now().0).bind(key.signs.0).bind(key.algorithm.name()).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// The keys of a tenant that did not expire, the first to sign first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn signing_keys(&self, tenant: &TenantId) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let sql = "SELECT id, tenant, private, signs_us, expires_us, algorithm FROM signing_key \
            WHERE tenant = $1 AND (expires_us IS NULL OR expires_us > $2) ORDER BY signs_us, id";
        let rows = sqlx::query(sql).bind(tenant.as_str()).bind(self.clock.now().0).fetch_all(&self.readers).await?;
        rows.iter().map(SigningKeyRecord::from_row).collect()
    }

    /// The key with this id, unless it expired.
    ///
    /// # Errors
    /// The database failed.
    pub async fn signing_key(&self, id: &str) -> Result<Option<SigningKeyRecord>, StoreError> {
        let sql = "SELECT id, tenant, private, signs_us, expires_us, algorithm FROM signing_key \
            WHERE id = $1 AND (expires_us IS NULL OR expires_us > $2)";
        let row = sqlx::query(sql).bind(id).bind(self.clock.now().0).fetch_optional(&self.readers).await?;
        row.as_ref().map(SigningKeyRecord::from_row).transpose()
    }
}
