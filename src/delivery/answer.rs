//! What a worker makes of an answer.

use std::time::{Duration, Instant};

use super::adapter::{Answer, Outcome, Request, Result as Each};
use super::courier::{At, Hand, Step, places, refused};
use super::disposition::Disposition;
use super::outgoing::{Outgoing, is_stored};
use super::{Delivery, check, throttle};
use crate::store::StoreError;
use crate::store::delivery::{Arrived, Exchange, Failure, Next, RefusedBy};

impl Delivery {
    /// What an answer means for what is in hand.
    pub(super) async fn heard(
        &self,
        at: &At<'_>,
        hand: &mut Hand,
        (request, answer, exchange): (&Request, &Answer, Option<Exchange>),
    ) -> Result<Option<Step>, StoreError> {
        // A limit that is used up holds for all that goes there.
        if let Some(seconds) = answer.rate_limit.as_deref().and_then(throttle::exhausted) {
            self.breakers.pause(at.target, Instant::now(), Duration::from_secs(seconds));
        }
        match at.route.adapter.outcome(request, answer) {
            Outcome::Each(results) => {
                self.breakers.answered(at.target);
                self.each(at, hand, (request, answer, exchange), results).await
            }
            Outcome::Whole(result) => self.whole(at, hand, (request, answer, exchange), result).await,
        }
    }

    async fn whole(
        &self,
        at: &At<'_>,
        hand: &mut Hand,
        (request, answer, exchange): (&Request, &Answer, Option<Exchange>),
        result: Each,
    ) -> Result<Option<Step>, StoreError> {
        let failure =
            Failure { operation: request.name(), status: Some(answer.status), message: message(&result).to_owned() };
        let is_one = request.items.len() <= 1;
        if is_about_content(answer) || answer.status == 429 {
            self.breakers.answered(at.target);
        }
        match result.disposition {
            Disposition::Split | Disposition::Refuse | Disposition::Dangling if !is_one && is_about_content(answer) => {
                // Halved until what is at fault is alone.
                hand.most = (request.items.len() / 2).max(1);
                if result.disposition == Disposition::Dangling {
                    self.recheck(at, hand, request).await?;
                }
                self.told(at, hand, Default::default(), exchange, Next::Go).await
            }
            Disposition::Split | Disposition::Refuse | Disposition::Dangling if is_about_content(answer) => {
                let known = hand.known.len();
                if result.disposition == Disposition::Dangling {
                    self.recheck(at, hand, request).await?;
                }
                if hand.known.len() < known {
                    hand.fruitless += 1;
                    return Ok(None);
                }
                let outcome = result.outcome.unwrap_or_else(|| check::said("processing", "the target gave no reason"));
                let outcome = outcome.to_string().into_bytes();
                let refused = places(hand, request)
                    .map(|one| refused(one, RefusedBy::Receiver, "Bundle.entry[0]".to_owned(), outcome.clone()))
                    .collect();
                self.told(at, hand, (Vec::new(), refused, Vec::new()), exchange, Next::Go).await
            }
            Disposition::Ambiguous if hand.fruitless == 0 => {
                hand.fruitless += 1;
                hand.uncertain = places(hand, request).map(|one| one.key.clone()).collect();
                self.told(at, hand, Default::default(), exchange, Next::Go).await
            }
            Disposition::Retry(wait) => {
                if answer.status == 429 {
                    self.breakers.pause(at.target, Instant::now(), wait.unwrap_or(Duration::from_secs(1)));
                } else if answer.status >= 500 {
                    self.down(at.target, wait).await;
                }
                self.wait(at, failure, wait, exchange).await
            }
            // All of the receiver is not as it should be: nobody's content is at fault.
            _ => {
                self.down(at.target, None).await;
                self.wait(at, failure, None, exchange).await
            }
        }
    }

    async fn each(
        &self,
        at: &At<'_>,
        hand: &mut Hand,
        (request, answer, exchange): (&Request, &Answer, Option<Exchange>),
        results: Vec<Each>,
    ) -> Result<Option<Step>, StoreError> {
        let (mut arrived, mut refusals, mut outdated) = (Vec::new(), Vec::new(), Vec::new());
        let (mut wait, mut failure, mut lost, mut is_dangling) = (None, None, Vec::new(), Vec::new());
        for (number, (place, result)) in request.items.iter().zip(results).enumerate() {
            let Some(one) = hand.pending.get(*place) else { continue };
            let entry = format!("Bundle.entry[{number}]");
            let was_known = hand.known.contains_key(&one.key);
            match (&result.disposition, &result.remote) {
                (Disposition::Done, Some(remote)) => {
                    let is_same = || {
                        result
                            .there
                            .as_ref()
                            .is_some_and(|there| is_stored(&at.route.adapter.there(one, &hand.known), there))
                    };
                    // What was there before is not what was sent, unless it is.
                    if result.existed && !was_known && result.there.is_none() {
                        hand.uncertain.insert(one.key.clone());
                    } else if result.existed && !was_known && !is_same() {
                        outdated.push(arrival(one, remote, [0; 32]));
                    } else {
                        arrived.push(arrival(one, remote, one.digest));
                    }
                }
                (Disposition::Refuse | Disposition::Split, _) => {
                    let said = || check::said("processing", "the target gave no reason");
                    let outcome = result.outcome.clone().unwrap_or_else(said).to_string().into_bytes();
                    refusals.push(refused(one, RefusedBy::Receiver, entry, outcome));
                }
                (Disposition::Gone, _) if was_known => lost.push(one.key.clone()),
                (Disposition::Dangling, _) => is_dangling.push((one.ordinal, entry, result.outcome.clone())),
                (Disposition::Done | Disposition::Ambiguous, _) => {
                    hand.uncertain.insert(one.key.clone());
                }
                (other, _) => {
                    if let Disposition::Retry(told) = other {
                        wait = wait.max(*told);
                    }
                    failure.get_or_insert(Failure {
                        operation: format!("{}, {entry}", request.name()),
                        status: result.outcome.is_some().then_some(answer.status),
                        message: message(&result).to_owned(),
                    });
                }
            }
        }
        if !lost.is_empty() {
            self.forget(at, hand, &lost).await?;
        }
        if !is_dangling.is_empty() {
            let before = hand.known.len();
            self.recheck(at, hand, request).await?;
            // All it refers to is there, and it is refused all the same.
            for (ordinal, entry, outcome) in is_dangling.into_iter().filter(|_| hand.known.len() == before) {
                let outcome = outcome.unwrap_or_else(|| check::said("not-found", "it refers to what is not there"));
                let outcome = outcome.to_string().into_bytes();
                let one = hand.pending.iter().find(|one| one.ordinal == ordinal);
                refusals.extend(one.map(|one| refused(one, RefusedBy::Receiver, entry, outcome)));
            }
        }
        hand.most = if arrived.is_empty() { hand.most } else { (hand.most * 2).min(at.route.adapter.most()) };
        let has_failed = failure.is_some();
        if let Some(wait) = wait.filter(|_| has_failed) {
            self.breakers.pause(at.target, Instant::now(), wait);
        }
        let brought = !arrived.is_empty() || !refusals.is_empty();
        let next = match failure {
            Some(failure) => self.later(at.lane, at.operation, brought, failure, wait).await?,
            None => Next::Go,
        };
        self.told(at, hand, (arrived, refusals, outdated), exchange, next).await
    }
}

pub(super) fn arrival(one: &Outgoing, remote: &str, digest: [u8; 32]) -> Arrived {
    let (ordinal, key, version) = (one.ordinal, one.key.clone(), one.version);
    Arrived { ordinal, key, version, digest, remote: remote.to_owned() }
}

/// Whether a refusal of all is about what was sent, not about who sent it or where to.
fn is_about_content(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 409 | 412 | 413 | 422)
}

/// What is wrong, without the receiver's own words, which may tell of a patient: those are kept sealed.
fn message(result: &Each) -> &'static str {
    match result.disposition {
        Disposition::Done | Disposition::Ambiguous => "the target did not say what became of it",
        Disposition::Refresh => "the target does not know the token",
        Disposition::Retry(_) => "the target does not take it now",
        Disposition::Split => "the target does not take so much",
        Disposition::Gone => "what was to be changed is not there",
        Disposition::Dangling => "it refers to what is not there",
        Disposition::Refuse => "the target refuses it",
    }
}
