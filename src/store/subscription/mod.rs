//! Subscriptions: who is told of what, the numbered events of each, and who sends them.
//!
//! ```text
//! resource_change --matcher--> subscription_event --lane of the subscription--> courier, or whoever is bound by websocket
//!  (trigger, in the transaction      (numbered in the transaction
//!   of the change)                    that takes the change away)
//! ```
//! A change is noted once for all subscriptions, by the database itself, so none is missed whatever wrote it. It is taken
//! away in the transaction that numbers its events: each event has one number, and numbers have no gap, wherever a process
//! is killed. Changes of one resource are noted in the order of its versions, and are numbered in it.

mod change;
mod count;
mod definition;
mod event;
mod lane;
mod record;
mod seal;
#[cfg(test)]
mod tests;
mod watch;

pub use change::{NewEvent, NotedChange};
pub use count::SubscriptionCounts;
pub use definition::{ChannelType, Content, Definition, HookChannel};
pub use event::{EVENTS_KEPT_US, SubscriptionEvent};
pub use lane::TakenSubscription;
pub use record::{Binding, NewSubscription, SubscriptionRecord, SubscriptionStatus, WatchedSubscription};
pub use seal::UnsealedSubscription;
pub use watch::{Matched, Watch};
