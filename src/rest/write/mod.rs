//! The one way in which clients write: a list of tasks, done together or not at all.
//!
//! A create, update, patch or delete is a list of one, a transaction a list of many. Conditions are resolved for all of them
//! at once, references turned into what they resolve to, and everything written a set at a time (`apply`). Whoever loses
//! a race against another client starts anew and finds what that one wrote.

mod apply;
mod condition;
mod identity;
mod provenance;
mod references;
mod single;
mod task;
mod validity;

use std::time::Duration;

pub(super) use condition::{is_result_parameter, parse_condition};
pub(super) use provenance::HEADER as PROVENANCE;
pub(super) use single::{outcome, representation, single};
pub(super) use task::{Done, IfMatch, Method, Target, Task};

use super::error::Error;
use super::extract::Caller;
use super::state::RestState;
use crate::auth::Access;

/// How often a lost race is taken up again. Each loss means that somebody else has got through.
const ATTEMPTS: u64 = 24;

/// Who writes, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) state: &'a RestState,
    pub(super) caller: &'a Caller,
    /// The service base URL.
    pub(super) base: &'a str,
}

/// Does all tasks, or none; gives what became of each. `provenance` is stored with them, unless nothing was written.
pub(super) async fn run(
    context: Context<'_>,
    tasks: &[Task<'_>],
    provenance: Option<&[u8]>,
) -> Result<Vec<Done>, Error> {
    for task in tasks {
        allowed(context, task).map_err(|error| task.fault(error))?;
    }
    if provenance.is_some() {
        // It is about whatever is written, so whoever may write some Provenances alone may not write this one.
        context.caller.require("Provenance", Access::Create)?;
        if context.caller.is_bounded() {
            return Err(Error::Forbidden { access: "create", kind: "Provenance of what is written".to_owned() });
        }
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        match apply::once(context, tasks, provenance).await {
            Err(error) if error.is_contention() && attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "somebody was faster, trying again");
                tokio::time::sleep(Duration::from_millis(attempt * 3)).await;
            }
            result => return result,
        }
    }
}

/// A condition tells whether something is there, which is what the right to search is for.
fn allowed(context: Context<'_>, task: &Task<'_>) -> Result<(), Error> {
    context.caller.require(&task.kind, task.method.access())?;
    if matches!(task.target, Target::Condition(_)) {
        context.caller.require(&task.kind, Access::Search)?;
    }
    Ok(())
}
