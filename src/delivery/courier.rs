//! A worker with a lane in its hands: operation after operation, request after request, until nothing is left in the lane or
//! something is to be waited for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::adapter::{Answer, Known, Outcome, Request, Result as Each};
use super::check;
use super::disposition::Disposition;
use super::load::load;
use super::outgoing::{Outgoing, is_stored};
use super::route::{NoRoute, Route, Unsent};
use super::{Delivery, throttle};
use crate::delivery::adapter::Unanswered;
use crate::delivery::breaker::Target;
use crate::store::StoreError;
use crate::store::delivery::{Arrived, Exchange, Failure, Key, Lane, Next, Operation, Progress, Refused, RefusedBy};

/// Resources in hand at a time.
const WINDOW: i64 = 200;
/// Requests in a row that bring nothing new, after which an operation waits like after a failure.
const FRUITLESS: usize = 12;

/// Whether a worker goes on with its lane.
pub(super) enum Step {
    /// With the next operation.
    On,
    /// It was given back, or taken away.
    Over,
}

/// Where a worker is.
pub(super) struct At<'a> {
    pub(super) lane: &'a Lane,
    pub(super) route: &'a Route,
    pub(super) target: &'a Target,
    pub(super) operation: &'a Operation,
}

impl<'a> At<'a> {
    /// Nothing to tell.
    pub(super) fn nothing(&self) -> Progress<'a> {
        Progress {
            operation: self.operation.number,
            destination: &self.route.destination,
            arrived: &[],
            unchanged: &[],
            outdated: &[],
            refused: &[],
            exchange: None,
            next: Next::Go,
        }
    }
}

/// What is in hand.
pub(super) struct Hand {
    pub(super) pending: Vec<Outgoing>,
    pub(super) known: Known,
    /// Most resources of the next request.
    most: usize,
    /// What the receiver is asked for before it is sent, because it may have it.
    pub(super) uncertain: BTreeSet<Key>,
    /// Requests in a row that brought nothing new.
    pub(super) fruitless: usize,
}

impl Delivery {
    /// Works off a lane.
    ///
    /// # Errors
    /// The database failed; the lane is somebody's again when its time is over.
    pub(super) async fn work_off(&self, lane: &Lane) -> Result<(), StoreError> {
        let target = (lane.key.tenant.clone(), lane.key.export.clone());
        loop {
            let Some(operation) = self.store.next_operation(&lane.key).await? else {
                return self.store.give_lane_back(lane, self.clock.now()).await;
            };
            let route = match self.routes.route(&lane.key.tenant, &lane.key.export).await {
                Ok(route) => route,
                Err(NoRoute::Store(error)) => return Err(error),
                Err(error) => return self.no_route(lane, &operation, &target, &error).await,
            };
            match self.deliver(&At { lane, route: &route, target: &target, operation: &operation }).await? {
                Step::On => {}
                Step::Over => return Ok(()),
            }
        }
    }

    async fn no_route(
        &self,
        lane: &Lane,
        operation: &Operation,
        target: &Target,
        error: &NoRoute,
    ) -> Result<(), StoreError> {
        let (is_down, wait) = match error {
            NoRoute::Unknown(unsent) => (true, pause_of(unsent)),
            NoRoute::Strange(_) => (true, None),
            _ => (false, None),
        };
        if is_down {
            self.down(target, wait).await;
        }
        let failure = Failure { operation: "connect".to_owned(), status: None, message: error.to_string() };
        let next = self.later(lane, operation, false, failure, wait).await?;
        let is_given_up = matches!(next, Next::GiveUp(_));
        let progress = Progress {
            operation: operation.number,
            destination: "",
            arrived: &[],
            unchanged: &[],
            outdated: &[],
            refused: &[],
            exchange: None,
            next,
        };
        if self.store.progress(lane, &progress).await? && is_given_up {
            self.store.give_lane_back(lane, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn deliver(&self, at: &At<'_>) -> Result<Step, StoreError> {
        let At { lane, route, operation, .. } = *at;
        loop {
            let items = self.store.operation_items(operation.number, true, WINDOW).await?;
            if items.is_empty() {
                return self.finish(at).await;
            }
            let asked: Vec<(i64, Key)> = items.into_iter().map(|item| (item.ordinal, item.key)).collect();
            let loaded = load(&self.store, &lane.key.tenant, route.binding, &asked).await?;
            let keys: BTreeSet<Key> =
                loaded.iter().flat_map(|one| one.refers.iter().chain([&one.key])).cloned().collect();
            let keys: Vec<Key> = keys.into_iter().collect();
            let known = self.store.delivered(&lane.key.tenant, &route.destination, &keys).await?;
            let is_same = |one: &Outgoing| known.get(&one.key).is_some_and(|known| known.digest == one.digest);
            // What was deleted here since is not sent; what the receiver has just so is not sent again.
            let there: BTreeSet<i64> = loaded.iter().map(|one| one.ordinal).collect();
            let gone = asked.iter().map(|(ordinal, _)| *ordinal).filter(|ordinal| !there.contains(ordinal));
            let unchanged: Vec<i64> =
                gone.chain(loaded.iter().filter(|one| is_same(one)).map(|one| one.ordinal)).collect();
            let pending: Vec<Outgoing> = loaded.into_iter().filter(|one| !is_same(one)).collect();
            if !unchanged.is_empty() {
                let progress = Progress { unchanged: &unchanged, ..at.nothing() };
                if !self.store.progress(lane, &progress).await? {
                    return Ok(Step::Over);
                }
            }
            let uncertain = match route.adapter.looks_first() {
                true => pending.iter().map(|one| one.key.clone()).filter(|key| !known.contains_key(key)).collect(),
                false => BTreeSet::new(),
            };
            let mut hand = Hand { pending, known, most: route.adapter.most(), uncertain, fruitless: 0 };
            while !hand.pending.is_empty() {
                if let Some(step) = self.step(at, &mut hand).await? {
                    return Ok(step);
                }
            }
        }
    }

    /// One request. None: go on.
    async fn step(&self, at: &At<'_>, hand: &mut Hand) -> Result<Option<Step>, StoreError> {
        let At { lane, route, target, .. } = *at;
        if hand.fruitless >= FRUITLESS {
            let failure = Failure {
                operation: "deliver".to_owned(),
                status: None,
                message: "the target goes on to answer otherwise than before".to_owned(),
            };
            return self.wait(at, failure, None, None).await;
        }
        if !hand.uncertain.is_empty() {
            return self.look(at, hand).await;
        }
        let pending: Vec<&Outgoing> = hand.pending.iter().collect();
        let request = route.adapter.request(&pending, &hand.known, hand.most);
        let faults = check::faults(&self.validator, &request);
        if !faults.is_empty() {
            let refused: Vec<Refused> = faults
                .into_iter()
                .filter_map(|fault| {
                    let one = hand.pending.get(*request.items.get(fault.place)?)?;
                    Some(refused(one, RefusedBy::Validator, fault.entry, fault.outcome))
                })
                .collect();
            return self.told(at, hand, (Vec::new(), refused, Vec::new()), None, Next::Go).await;
        }
        let answered = route.send(&request).await;
        let exchange = self.exchange(lane, &request, answered.as_ref().ok()).await;
        match answered {
            Ok(answer) => {
                self.breakers.answered(target);
                self.heard(at, hand, (&request, &answer, exchange)).await
            }
            Err(unsent) => {
                let is_open = matches!(unsent, Unsent::Unanswered(Unanswered::Open(_)));
                self.down(target, pause_of(&unsent)).await;
                let failure = Failure { operation: request.name(), status: None, message: unsent.to_string() };
                if is_open && hand.fruitless == 0 {
                    // It is asked what it has before anything is sent again.
                    hand.fruitless += 1;
                    hand.uncertain = places(hand, &request).map(|one| one.key.clone()).collect();
                    return Ok(None);
                }
                self.wait(at, failure, pause_of(&unsent), exchange).await
            }
        }
    }

    /// What an answer means for what is in hand.
    async fn heard(
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
            Outcome::Each(results) => self.each(at, hand, (request, answer, exchange), results).await,
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

fn refused(one: &Outgoing, by: RefusedBy, entry: String, outcome: Vec<u8>) -> Refused {
    let content = Value::Object(one.rendered(|_| None)).to_string().into_bytes();
    Refused { ordinal: one.ordinal, key: one.key.clone(), by, entry, outcome, content }
}

/// The resources of a request.
fn places<'h>(hand: &'h Hand, request: &'h Request) -> impl Iterator<Item = &'h Outgoing> {
    request.items.iter().filter_map(|&place| hand.pending.get(place))
}

/// Whether a refusal of all is about what was sent, not about who sent it or where to.
fn is_about_content(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 409 | 412 | 413 | 422)
}

/// How long a token endpoint asks to be left alone.
fn pause_of(unsent: &Unsent) -> Option<Duration> {
    match unsent {
        Unsent::Token(super::token::TokenError::Refused { wait, .. }) => *wait,
        _ => None,
    }
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
