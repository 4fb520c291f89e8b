//! Puts what the registry says onto the front doors, whole, and answers everybody who waits for it.
//!
//! The rooms, in the order that a publication takes:
//!
//! 1. [`wake`] says which front doors to look at: the registry's stream, the schedule, an operator's [`command`].
//! 2. [`part`] is what is published by itself: a front door, or a shard of one.
//! 3. [`cycle`] is one publication under its lease: [`observe`] reads the registry and the links, [`plan`]
//!    decides and renders, [`apply`] imports, verifies, deploys and switches the live stage, [`settle`] writes
//!    down what became of each route and answers.
//! 4. [`rate`] keeps all front doors of the account within API Gateway's rate of deployments.
//! 5. [`world`] is all that is outside.
//!
//! Invariants: the live stage shows one deployment, so no client sees a front door in between. A stack hears SUCCESS only
//! when the deployment that has its route is on the live stage. Whatever call it dies at, the next run does the cycle again
//! and ends in the same state. Who lost the lease can't switch the stage: it writes the registry first.

pub mod apply;
pub mod command;
pub mod cycle;
pub mod observe;
pub mod part;
pub mod plan;
pub mod rate;
pub mod settle;
pub mod wake;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use shared::entry::Invocation;
use shared::error::Error;
use shared::trigger::Trigger;
use world::World;

/// Handles one invocation, from trigger to answer.
pub fn handle<W: World>(
    world: Arc<W>,
    payload: Value,
    invocation: Invocation,
) -> BoxFuture<'static, Result<Value, Error>> {
    Box::pin(dispatch(world, payload, invocation))
}

async fn dispatch<W: World>(world: Arc<W>, payload: Value, invocation: Invocation) -> Result<Value, Error> {
    invocation.caller.operator_only("publisher")?;
    match Trigger::parse(payload)? {
        Trigger::Command(command) => command::command(&*world, &invocation, command).await,
        Trigger::Stream(batch) => wake::stream(&*world, &invocation, &batch).await,
        Trigger::Event(_) => wake::schedule(&*world, &invocation).await,
        _ => Err(Error::invalid("publisher takes commands, the registry's stream and its schedule")),
    }
}
