//! Where things go: who gives tokens, FHIR servers, exports. Each is a JSON text, and secrets sealed by whoever put it.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::program::{Page, Refusal, Written};
use super::{Store, StoreError};
use crate::id::{ConnectionId, TenantId};

/// Which kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionKind {
    /// Gives tokens.
    OauthProvider,
    /// A Medplum project.
    MedplumConfig,
    /// Any other FHIR server.
    FhirTarget,
    /// What profiles name as the target of their exports.
    DataExport,
}

impl ConnectionKind {
    /// As the column `kind` holds it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OauthProvider => "oauth-provider",
            Self::MedplumConfig => "fhir-medplum-config",
            Self::FhirTarget => "fhir-target",
            Self::DataExport => "data-export",
        }
    }
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// JSON; nothing in it is secret.
    pub body: String,
    /// What it refers to and cannot do without: the element, the kind and the id.
    pub refers: Option<(&'static str, ConnectionKind, ConnectionId)>,
    /// Sealed secrets.
    pub sealed: Option<Vec<u8>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One as it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptConnection {
    /// Its id.
    pub id: ConnectionId,
    /// Counts changes.
    pub revision: i64,
    /// JSON.
    pub body: String,
    /// Sealed secrets.
    pub sealed: Option<Vec<u8>>,
}

impl std::fmt::Debug for KeptConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptConnection").field("id", &self.id).finish_non_exhaustive()
    }
}

const COLUMNS: &str = "SELECT id, revision, body, sealed FROM connection WHERE tenant = $1 AND kind = $2";

impl Store {
    /// Puts one; changing one needs the revision it had. Gives its revision.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where it refers to what is not there, [`Refusal::Unconditional`], [`Refusal::Stale`], or the
    /// database failed.
    pub async fn put_connection(
        &self,
        tenant: &TenantId,
        kind: ConnectionKind,
        connection: &Connection,
        known: Option<i64>,
    ) -> Result<(Written, i64), StoreError> {
        let mut tx = self.begin_numbering().await?;
        let refers = connection.refers.as_ref();
        if let Some((element, kind, id)) = refers
            && find(&mut tx, tenant, *kind, id).await?.is_none()
        {
            return Err(Refusal::Unknown { element }.into());
        }
        let refers = refers.map(|(_, kind, id)| format!("{}/{id}", kind.name()));
        let inserted = sqlx::query(
            "INSERT INTO connection (tenant, kind, id, revision, body, refers, sealed) VALUES ($1, $2, $3, 1, $4, $5, $6) \
             ON CONFLICT (tenant, kind, id) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(kind.name())
        .bind(connection.id.as_str())
        .bind(connection.body.as_str())
        .bind(refers.as_deref())
        .bind(connection.sealed.as_deref())
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            tx.commit().await?;
            return Ok((Written::Created, 1));
        }
        let current = find(&mut tx, tenant, kind, &connection.id).await?.ok_or(Refusal::Unconditional)?;
        if current.body == connection.body && current.sealed == connection.sealed {
            return Ok((Written::Unchanged, current.revision));
        }
        let changed = sqlx::query(
            "UPDATE connection SET body = $4, refers = $5, sealed = $6, revision = revision + 1 \
             WHERE tenant = $1 AND kind = $2 AND id = $3 AND revision = $7",
        )
        .bind(tenant.as_str())
        .bind(kind.name())
        .bind(connection.id.as_str())
        .bind(connection.body.as_str())
        .bind(refers.as_deref())
        .bind(connection.sealed.as_deref())
        .bind(known.ok_or(Refusal::Unconditional)?)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Refusal::Stale { revision: current.revision }.into());
        }
        tx.commit().await?;
        Ok((Written::Updated, current.revision + 1))
    }

    /// One of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn connection(
        &self,
        tenant: &TenantId,
        kind: ConnectionKind,
        id: &ConnectionId,
    ) -> Result<Option<KeptConnection>, StoreError> {
        find(&mut *self.readers.acquire().await?, tenant, kind, id).await
    }

    /// Those of a kind, by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn connections(
        &self,
        tenant: &TenantId,
        kind: ConnectionKind,
        page: Page<'_>,
    ) -> Result<Vec<KeptConnection>, StoreError> {
        let sql = format!("{COLUMNS} AND id > $3 ORDER BY id LIMIT $4 + 0");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant.as_str())
            .bind(kind.name())
            .bind(page.after)
            .bind(page.count)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// Deletes one, with its secrets; whether it was there.
    ///
    /// # Errors
    /// [`Refusal::InUse`], or the database failed.
    pub async fn delete_connection(
        &self,
        tenant: &TenantId,
        kind: ConnectionKind,
        id: &ConnectionId,
    ) -> Result<bool, StoreError> {
        let mut tx: Transaction<'_, Any> = self.begin_numbering().await?;
        let user = sqlx::query("SELECT kind, id FROM connection WHERE tenant = $1 AND refers = $2 ORDER BY kind, id")
            .bind(tenant.as_str())
            .bind(format!("{}/{id}", kind.name()))
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(user) = user {
            let by = format!("{} {}", user.try_get::<String, _>(0)?, user.try_get::<String, _>(1)?);
            return Err(Refusal::InUse { by }.into());
        }
        let deleted = sqlx::query("DELETE FROM connection WHERE tenant = $1 AND kind = $2 AND id = $3")
            .bind(tenant.as_str())
            .bind(kind.name())
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(deleted.rows_affected() == 1)
    }
}

async fn find(
    connection: &mut sqlx::AnyConnection,
    tenant: &TenantId,
    kind: ConnectionKind,
    id: &ConnectionId,
) -> Result<Option<KeptConnection>, StoreError> {
    let sql = format!("{COLUMNS} AND id = $3");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(kind.name()).bind(id.as_str());
    query.fetch_optional(connection).await?.as_ref().map(from_row).transpose()
}

fn from_row(row: &AnyRow) -> Result<KeptConnection, StoreError> {
    Ok(KeptConnection {
        id: super::program::id(row.try_get(0)?, "id of a connection")?,
        revision: row.try_get(1)?,
        body: row.try_get(2)?,
        sealed: row.try_get(3)?,
    })
}
