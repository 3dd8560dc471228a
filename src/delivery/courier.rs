//! A worker with a lane in its hands: operation after operation, request after request, until nothing is left in the lane or
//! something is to be waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::adapter::{Known, Request, Unanswered};
use super::breaker::Target;
use super::load::load;
use super::outgoing::Outgoing;
use super::route::{NoRoute, Route, Unsent};
use super::token::{REST, TokenError};
use super::{Delivery, check};
use crate::store::StoreError;
use crate::store::delivery::{Failure, Key, Lane, Next, Operation, Progress, Refused, RefusedBy};

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
            destination: &self.route.place.destination,
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
    pub(super) most: usize,
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
        let next = match error {
            NoRoute::Unknown(unsent) if unsent.is_certain() => self.rest(failure, wait),
            _ => self.later(lane, operation, false, failure, wait).await?,
        };
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
            let loaded = load(&self.store, &lane.key.tenant, &route.place, &asked).await?;
            let keys: BTreeSet<Key> =
                loaded.iter().flat_map(|one| one.refers.iter().chain([&one.key])).cloned().collect();
            let keys: Vec<Key> = keys.into_iter().collect();
            let known = self.store.delivered(&lane.key.tenant, &route.place.destination, &keys).await?;
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
            let uncertain = if route.adapter.looks_first() {
                pending.iter().map(|one| one.key.clone()).filter(|key| !known.contains_key(key)).collect()
            } else {
                BTreeSet::new()
            };
            let mut hand = Hand { pending, known, most: route.adapter.most(), uncertain, fruitless: 0 };
            if let Some(step) = self.empty(at, &mut hand).await? {
                return Ok(step);
            }
        }
    }

    /// Sends what is in hand. None: go on.
    pub(super) async fn send_all(&self, at: &At<'_>, hand: &mut Hand) -> Result<Option<Step>, StoreError> {
        while !hand.pending.is_empty() {
            if let Some(step) = self.step(at, hand).await? {
                return Ok(Some(step));
            }
        }
        Ok(None)
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
        let pending: Vec<&Outgoing> = hand.pending.iter().collect();
        let request = route.adapter.request(&pending, &hand.known, hand.most);
        if places(hand, &request).any(|one| hand.uncertain.contains(&one.key)) {
            return self.look(at, hand, &request).await;
        }
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
            Ok(answer) => self.heard(at, hand, (&request, &answer, exchange)).await,
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
                if unsent.is_certain() {
                    let next = self.rest(failure, pause_of(&unsent));
                    return self.told(at, hand, Default::default(), exchange, next).await;
                }
                self.wait(at, failure, None, exchange).await
            }
        }
    }
}

pub(super) fn refused(one: &Outgoing, by: RefusedBy, entry: String, outcome: Vec<u8>) -> Refused {
    let content = Value::Object(one.rendered(|_| None)).to_string().into_bytes();
    Refused { ordinal: one.ordinal, key: one.key.clone(), by, entry, outcome, content }
}

/// The resources of a request.
pub(super) fn places<'h>(hand: &'h Hand, request: &'h Request) -> impl Iterator<Item = &'h Outgoing> {
    request.items.iter().filter_map(|&place| hand.pending.get(place))
}

/// How long nothing is to be sent, because there is no token.
pub(super) fn pause_of(unsent: &Unsent) -> Option<Duration> {
    match unsent {
        Unsent::Token(TokenError::Refused { wait: Some(wait), .. }) => Some(*wait),
        Unsent::Token(_) => Some(REST),
        Unsent::Unanswered(_) => None,
    }
}
