//! What the patients of a target share, where the target cannot make something only if it does not exist: looked for and made
//! by one worker at a time, so that no two make it at once.

use super::Delivery;
use super::courier::{At, Hand, Step};
use super::outgoing::Outgoing;
use crate::store::StoreError;
use crate::time::MICROS;

/// How long whoever finds it taken waits, in microseconds.
const TURN_US: i64 = MICROS / 5;

/// Whether it may be sent about several patients.
fn is_shared(one: &Outgoing) -> bool {
    matches!(one.key.0.as_str(), "Organization" | "Device")
}

impl Delivery {
    /// Empties a hand. None: go on.
    pub(super) async fn empty(&self, at: &At<'_>, hand: &mut Hand) -> Result<Option<Step>, StoreError> {
        if !hand.pending.iter().any(|one| is_shared(one) && hand.uncertain.contains(&one.key)) {
            return self.send_all(at, hand).await;
        }
        let Some(shared) = self.store.take_shared_lane(&at.lane.key).await? else {
            self.store.give_lane_back(at.lane, self.clock.now().plus(TURN_US)).await?;
            return Ok(Some(Step::Over));
        };
        // The rest comes with the next hand. A Patient is among what Devices refer to.
        hand.pending.retain(|one| is_shared(one) || one.key.0 == "Patient");
        let keys = hand.pending.iter().map(|one| &one.key);
        hand.uncertain = hand.uncertain.intersection(&keys.cloned().collect()).cloned().collect();
        let sent = self.holding(&shared, Box::pin(self.send_all(at, hand))).await;
        self.store.give_lane_back(&shared, self.clock.now()).await?;
        if let Some(step) = sent? {
            return Ok(step);
        }
        // It took too long, and somebody else has it.
        self.store.give_lane_back(at.lane, self.clock.now()).await?;
        Ok(Some(Step::Over))
    }
}
