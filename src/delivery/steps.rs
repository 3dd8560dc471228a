//! What a step of a worker ends with: what is told to the store, what the receiver is asked, how long is waited.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Delivery;
use super::adapter::{Answer, Request};
use super::backoff::random;
use super::breaker::Target;
use super::courier::{At, Hand, Step};
use crate::store::delivery::{Arrived, Delivered, Exchange, Failure, Key, Lane, Next, Operation, Progress, Refused};
use crate::store::{AlertKind, NewAlert, Severity, StoreError};

/// Bytes of a body that are kept.
const KEPT: usize = 1 << 20;

/// Operations to which nothing could be sent are tried again within so long.
const REST: Duration = Duration::from_secs(5);

/// What arrived, what was refused, what is there but not just so.
pub(super) type Told = (Vec<Arrived>, Vec<Refused>, Vec<Arrived>);

impl Delivery {
    /// Tells the store what became of a request, and takes it out of the hand.
    pub(super) async fn told(
        &self,
        at: &At<'_>,
        hand: &mut Hand,
        (arrived, refused, outdated): Told,
        exchange: Option<Exchange>,
        next: Next,
    ) -> Result<Option<Step>, StoreError> {
        let step = match next {
            Next::Go => None,
            Next::Later(..) | Next::Wait(..) => Some(Step::Over),
            Next::Done(_) | Next::GiveUp(_) => Some(Step::On),
        };
        let progress =
            Progress { arrived: &arrived, refused: &refused, outdated: &outdated, exchange, next, ..at.nothing() };
        self.telemetry.delivered(arrived.len(), refused.len());
        if !self.store.progress(at.lane, &progress).await? {
            return Ok(Some(Step::Over));
        }
        let is_new = !arrived.is_empty() || !refused.is_empty();
        hand.fruitless = if is_new { 0 } else { hand.fruitless + 1 };
        for one in arrived.iter().chain(&outdated) {
            hand.known.insert(one.key.clone(), Delivered { remote: one.remote.clone(), digest: one.digest });
        }
        hand.pending.retain(|one| {
            !arrived.iter().any(|other| other.ordinal == one.ordinal)
                && !refused.iter().any(|other| other.ordinal == one.ordinal)
        });
        Ok(step)
    }

    /// Looks whether what a request's resources refer to is still there, and forgets what is not.
    pub(super) async fn recheck(&self, at: &At<'_>, hand: &mut Hand, request: &Request) -> Result<(), StoreError> {
        let named = request.items.iter().filter_map(|&place| hand.pending.get(place)).flat_map(|one| &one.refers);
        let named: std::collections::BTreeSet<Key> =
            named.filter(|key| hand.known.contains_key(*key)).cloned().collect();
        let asked: Vec<(i64, Key)> = named.into_iter().map(|key| (0, key)).collect();
        let mut lost = Vec::new();
        for one in super::load::load(&self.store, &at.lane.key.tenant, &at.route.place, &asked).await? {
            let remote = hand.known.get(&one.key).map(|known| known.remote.as_str());
            let Some(request) = at.route.adapter.look(&one, remote) else { continue };
            if let Ok(answer) = at.route.send(&request).await
                && at.route.adapter.found(&answer) == Ok(None)
            {
                lost.push(one.key.clone());
            }
        }
        // They are sent again, by an operation of their own.
        if !lost.is_empty() {
            let of = (&at.lane.key.tenant, &at.lane.key.export, &at.lane.key.patient);
            self.store.make_repair(of, &at.route.place.destination, (&lost, &[])).await?;
        }
        self.forget(at, hand, &lost).await
    }

    /// Forgets that the receiver has something.
    pub(super) async fn forget(&self, at: &At<'_>, hand: &mut Hand, lost: &[Key]) -> Result<(), StoreError> {
        if lost.is_empty() {
            return Ok(());
        }
        self.store.forget_delivered(&at.lane.key.tenant, &at.route.place.destination, lost).await?;
        hand.known.retain(|key, _| !lost.contains(key));
        Ok(())
    }

    /// All that was to be sent is sent or refused.
    pub(super) async fn finish(&self, at: &At<'_>) -> Result<Step, StoreError> {
        let now = self.store.operation(&at.lane.key.tenant, at.operation.number).await?;
        let refused = now.map_or(0, |now| now.refused);
        let failure = (refused > 0).then(|| Failure {
            operation: "deliver".to_owned(),
            status: None,
            message: format!("{refused} resources were refused: see /api/v1/quarantine"),
        });
        let progress = Progress { next: Next::Done(failure), ..at.nothing() };
        Ok(if self.store.progress(at.lane, &progress).await? { Step::On } else { Step::Over })
    }

    /// Gives the lane back until the next attempt, or the operation up after the last one.
    pub(super) async fn wait(
        &self,
        at: &At<'_>,
        failure: Failure,
        told: Option<Duration>,
        exchange: Option<Exchange>,
    ) -> Result<Option<Step>, StoreError> {
        let next = self.later(at.lane, at.operation, false, failure, told).await?;
        let step = if matches!(next, Next::GiveUp(_)) { Step::On } else { Step::Over };
        let progress = Progress { exchange, next, ..at.nothing() };
        Ok(Some(if self.store.progress(at.lane, &progress).await? { step } else { Step::Over }))
    }

    /// When an operation is tried again, or that it is not.
    pub(super) async fn later(
        &self,
        lane: &Lane,
        operation: &Operation,
        has_moved: bool,
        failure: Failure,
        told: Option<Duration>,
    ) -> Result<Next, StoreError> {
        // It may have moved since it was read.
        let now = self.store.operation(&lane.key.tenant, operation.number).await?;
        let failed = if has_moved { 1 } else { now.map_or(operation.attempts, |now| now.attempts) + 1 };
        if failed >= self.patience.attempts {
            return Ok(Next::GiveUp(failure));
        }
        let wait = self.patience.wait(failed, random());
        // Nobody else is kept waiting longer by coming a little later than told.
        let wait = told.map_or(wait, |told| told + wait.min(Duration::from_secs(1)));
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Ok(Next::Later(self.clock.now().plus(micros), failure))
    }

    /// That nothing could be sent, which is no attempt of an operation: how long its target is left alone breakers say.
    pub(super) fn rest(&self, failure: Failure, told: Option<Duration>) -> Next {
        let wait = told.unwrap_or_default() + REST.mul_f64(random());
        Next::Wait(self.clock.now().plus(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)), failure)
    }

    /// A target did not answer, or said that it cannot.
    pub(super) async fn down(&self, target: &Target, told: Option<Duration>) {
        let is_news = self.breakers.failed(target, Instant::now());
        if let Some(told) = told {
            self.breakers.pause(target, Instant::now(), told);
        }
        if is_news {
            let (tenant, export) = target;
            let alert = NewAlert {
                kind: AlertKind::TargetDown,
                severity: Severity::Warning,
                cause: export.to_string(),
                about: format!("data-export {export}"),
                detail: "a target of exports does not answer; it is left alone for a while and asked again, nothing is lost",
            };
            if let Err(error) = self.store.raise(tenant, &alert).await {
                tracing::error!(error = &error as &dyn std::error::Error, "an alert could not be raised");
            }
        }
    }

    /// A request and its answer as they are kept: sealed, for they tell of a patient. Tokens are no part of them.
    pub(super) async fn exchange(&self, lane: &Lane, request: &Request, answer: Option<&Answer>) -> Option<Exchange> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..KEPT).unwrap_or(bytes)).into_owned();
        let content = json!({
            "request": { "method": request.method, "path": request.path, "query": request.query, "body": text(&request.body) },
            "response": answer.map(|answer| json!({ "status": answer.status, "body": text(&answer.body) })),
        });
        let packed = zstd::encode_all(content.to_string().as_bytes(), 1).ok()?;
        let sealed = match self.vault.seal(&lane.key.tenant, super::EXCHANGE, &packed).await {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a request cannot be sealed and is not kept");
                return None;
            }
        };
        let (at, status) = (self.clock.now(), answer.map(|answer| answer.status));
        Some(Exchange { at, request: request.name(), status, content: sealed })
    }
}
