//! The doors for those who wait for an answer: CloudFormation, an operator's command, Terraform. Each turns its way of
//! asking into a call of `intake` or `reconcile`, and the outcome into its way of answering.

mod command;
mod stack;
mod terraform;

pub use command::command;
use serde_json::Value;
use shared::entry::Invocation;
use shared::error::Error;
use shared::origin::{Origin, Stamp};
pub use stack::{custom_resource, physical_id};
pub use terraform::terraform;

use crate::intake;
use crate::reconcile::Shift;
use crate::record::BindingId;
use crate::report;
use crate::world::World;

/// Applies, then lets go of what the same origin had on another sink.
async fn apply_alone<W: World>(
    world: &W,
    invocation: &Invocation,
    shift: &Shift,
    origin: Origin,
    spec: Value,
) -> Result<Value, Error> {
    let wanted = intake::check(world, invocation.caller.account(), origin.clone(), spec).await?;
    let binding = intake::apply(world, shift, wanted, invocation.stamp()).await?.into_answer()?;
    let others = intake::of_origin(world, &origin).await?.into_iter().map(|other| other.id);
    delete_all(world, shift, others.filter(|id| *id != binding.id), invocation.stamp()).await?;
    Ok(report::answer(&binding))
}

/// Deletes these bindings one by one, up to the first that can't be.
async fn delete_all<W: World>(
    world: &W,
    shift: &Shift,
    ids: impl IntoIterator<Item = BindingId>,
    stamp: Stamp,
) -> Result<(), Error> {
    for id in ids {
        if let Some(outcome) = intake::delete(world, shift, &id, stamp.clone()).await? {
            outcome.into_answer()?;
        }
    }
    Ok(())
}

/// What the invocation's leases are called, and when they end: a few seconds after Lambda has ended it for sure.
pub fn shift(invocation: &Invocation) -> Shift {
    Shift { id: invocation.request_id.clone(), until_seconds: invocation.deadline_millis / 1_000 + 5 }
}
