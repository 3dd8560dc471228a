//! What a receiver is asked before anything is sent that it may have.

use std::time::Duration;

use serde_json::Value;

use super::adapter::Request;
use super::answer::arrival;
use super::courier::{At, Hand, Step, pause_of, places};
use super::disposition::Disposition;
use super::outgoing::{Outgoing, is_stored};
use super::{Delivery, throttle};
use crate::store::StoreError;
use crate::store::delivery::{Failure, Next};

impl Delivery {
    /// Asks the receiver what it has of a request's resources that it may have.
    pub(super) async fn look(
        &self,
        at: &At<'_>,
        hand: &mut Hand,
        request: &Request,
    ) -> Result<Option<Step>, StoreError> {
        let (mut arrived, mut outdated, mut lost, mut failed) = (Vec::new(), Vec::new(), Vec::new(), None);
        let mut asked = Vec::new();
        for one in places(hand, request).filter(|one| hand.uncertain.contains(&one.key)) {
            let remote = hand.known.get(&one.key).map(|known| known.remote.as_str());
            match self.ask(at, one, remote).await {
                Ok(Some((remote, there))) if is_stored(&at.route.adapter.there(one, &hand.known), &there) => {
                    arrived.push(arrival(one, &remote, one.digest));
                }
                Ok(Some((remote, _))) => outdated.push(arrival(one, &remote, [0; 32])),
                Ok(None) if remote.is_some() => lost.push(one.key.clone()),
                Ok(None) => {}
                Err(why) => {
                    failed = Some(why);
                    break;
                }
            }
            asked.push(one.key.clone());
        }
        hand.uncertain.retain(|key| !asked.contains(key));
        self.forget(at, hand, &lost).await?;
        // What was found is kept, whatever came after it.
        let next = match failed {
            Some((failure, wait, true)) => self.rest(failure, wait),
            Some((failure, wait, false)) => {
                self.later(at.lane, at.operation, !arrived.is_empty(), failure, wait).await?
            }
            None if arrived.is_empty() && outdated.is_empty() => return Ok(None),
            None => Next::Go,
        };
        self.told(at, hand, (arrived, Vec::new(), outdated), None, next).await
    }

    /// Asks the receiver what it has of a resource: id and resource. Else why it did not say, how long it wants to be left
    /// alone, and whether nothing was sent.
    async fn ask(
        &self,
        at: &At<'_>,
        one: &Outgoing,
        remote: Option<&str>,
    ) -> Result<Option<(String, Value)>, (Failure, Option<Duration>, bool)> {
        let Some(request) = at.route.adapter.look(one, remote) else { return Ok(None) };
        let failure = |status, message| Failure { operation: request.name(), status, message };
        let answer = match at.route.send(&request).await {
            Ok(answer) => answer,
            Err(unsent) => {
                let wait = pause_of(&unsent);
                self.down(at.target, wait).await;
                return Err((failure(None, unsent.to_string()), wait, unsent.is_certain()));
            }
        };
        match at.route.adapter.found(&answer) {
            Ok(found) => {
                self.breakers.answered(at.target);
                Ok(found)
            }
            Err(disposition) => {
                let told = throttle::wait(answer.retry_after.as_deref(), answer.rate_limit.as_deref());
                if answer.status >= 500 || disposition == Disposition::Ambiguous {
                    self.down(at.target, told).await;
                }
                Err((failure(Some(answer.status), "the target does not say what it has".to_owned()), told, false))
            }
        }
    }
}
