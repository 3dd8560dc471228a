//! A subscription in the hands of one worker at a time, of whichever process.

use sqlx::Row as _;

use super::SubscriptionStatus;
use crate::id::{ResourceId, TenantId};
use crate::store::program::id;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::{Instant, MICROS};

/// How long one is held without a word of its holder.
const HELD_US: i64 = 10 * MICROS;

/// How often a lost race is taken up again.
const ATTEMPTS: usize = 24;

/// A subscription in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSubscription {
    /// Tenant.
    pub tenant: TenantId,
    /// Logical id.
    pub id: ResourceId,
    /// How often it had changed hands.
    pub epoch: i64,
}

impl Store {
    /// Takes the subscription that has been due for longest; none where none is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_subscription(&self) -> Result<Option<TakenSubscription>, StoreError> {
        let now = self.clock.now().0;
        // A look that takes no lock: most of the time nothing is due.
        let mut sql = Sql::new("SELECT 1 FROM subscription WHERE due_us <= ");
        sql.bind(now).push(" AND until_us <= ").bind(now).push(" LIMIT 1");
        if sql.query().fetch_optional(&self.readers).await?.is_none() {
            return Ok(None);
        }
        let mut sql = Sql::new("UPDATE subscription SET epoch = epoch + 1, holder = ");
        sql.bind(&*self.process).push(", until_us = ").bind(now + HELD_US);
        sql.push(" WHERE (tenant, id) = (SELECT s.tenant, s.id FROM subscription s WHERE s.due_us <= ");
        sql.bind(now).push(" AND s.until_us <= ").bind(now).push(" ORDER BY s.due_us LIMIT 1");
        if self.is_shared() {
            sql.push(" FOR UPDATE SKIP LOCKED");
        }
        sql.push(") RETURNING tenant, id, epoch");
        let Some(row) = sql.query().fetch_optional(&self.writer).await? else { return Ok(None) };
        Ok(Some(TakenSubscription {
            tenant: id(row.try_get(0)?, "tenant")?,
            id: id(row.try_get(1)?, "subscription")?,
            epoch: row.try_get(2)?,
        }))
    }

    /// Says that a subscription is still worked on; whether it is still in these hands.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_subscription(&self, taken: &TakenSubscription) -> Result<bool, StoreError> {
        let sql = "UPDATE subscription SET until_us = $4 WHERE tenant = $1 AND id = $2 AND epoch = $3";
        let query = sqlx::query(sql).bind(taken.tenant.as_str()).bind(taken.id.as_str()).bind(taken.epoch);
        let kept = query.bind(self.clock.now().0 + HELD_US).execute(&self.writer).await?;
        Ok(kept.rows_affected() == 1)
    }

    /// Takes every subscription out of the hands of a process that is gone, where there is one at a time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_subscriptions(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            let sql = "UPDATE subscription SET holder = NULL, until_us = 0, epoch = epoch + 1 WHERE until_us > 0";
            sqlx::query(sql).execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Writes down that all up to a number arrived, and goes on; whether it is still in these hands.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscription_sent(&self, taken: &TakenSubscription, sent: i64) -> Result<bool, StoreError> {
        let now = self.clock.now().0;
        let sql = "UPDATE subscription SET sent = $4, attempts = 0, problem = NULL, contact_us = $5, until_us = $6 \
            WHERE tenant = $1 AND id = $2 AND epoch = $3";
        let query = sqlx::query(sql).bind(taken.tenant.as_str()).bind(taken.id.as_str()).bind(taken.epoch);
        let query = query.bind(sent).bind(now).bind(now + HELD_US);
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Writes down what became of an attempt, and gives the subscription back; whether it was still in these hands. With
    /// `sent` all up to there arrived, else the attempt failed. It is due at once where more events wait and nothing failed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscription_tried(
        &self,
        taken: &TakenSubscription,
        tried: Result<i64, &str>,
        due: Option<Instant>,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now().0;
        let mut sql = Sql::new("UPDATE subscription SET holder = NULL, until_us = 0, ");
        match tried {
            Ok(sent) => {
                sql.push("sent = ").bind(sent).push(", attempts = 0, problem = NULL, contact_us = ").bind(now);
                sql.push(", due_us = CASE WHEN events > ").bind(sent).push(" THEN ").bind(now).push(" ELSE ");
                push_due(&mut sql, due);
                sql.push(" END");
            }
            Err(problem) => {
                sql.push("attempts = attempts + 1, problem = ").bind(problem.replace('\0', "\u{fffd}").as_str());
                sql.push(", due_us = ");
                push_due(&mut sql, due);
            }
        }
        sql.push(" WHERE tenant = ").bind(taken.tenant.as_str()).push(" AND id = ").bind(taken.id.as_str());
        sql.push(" AND epoch = ").bind(taken.epoch);
        Ok(sql.query().execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Turns a subscription's status, in its resource as well, and gives it back; whether it was still in these hands.
    ///
    /// # Errors
    /// The database failed, or the resource was written meanwhile.
    pub async fn turn_subscription(
        &self,
        taken: &TakenSubscription,
        status: SubscriptionStatus,
        problem: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.turn_once(taken, status, problem).await {
                // Events were numbered meanwhile, or the resource was written.
                Err(error) if error.is_contention() && attempt < ATTEMPTS => {}
                result => return result,
            }
        }
    }

    async fn turn_once(
        &self,
        taken: &TakenSubscription,
        status: SubscriptionStatus,
        problem: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut writing = self.writing(&taken.tenant).await?;
        let turned = writing.turn_subscription(&taken.id, taken.epoch, status, problem).await?;
        if turned {
            writing.commit().await?;
        }
        Ok(turned)
    }

    /// Whether everything that was being written when this was first asked, at `since`, has been written by now. A change
    /// by a transaction older than a subscription may be noted for nobody; once there is none, none is missed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_settled(&self, since: &mut Option<f64>) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let Some(since) = *since else {
            let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)";
            *since = Some(sqlx::query(sql).fetch_one(&self.readers).await?.try_get(0)?);
            return Ok(false);
        };
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
            AND pid <> pg_backend_pid() AND state <> 'idle' AND EXTRACT(EPOCH FROM xact_start) <= $1";
        let running: i64 = sqlx::query(sql).bind(since).fetch_one(&self.readers).await?.try_get(0)?;
        Ok(running == 0)
    }
}

fn push_due(sql: &mut Sql, due: Option<Instant>) {
    match due {
        Some(due) => {
            sql.bind(due.0);
        }
        None => {
            sql.push("NULL");
        }
    }
}
