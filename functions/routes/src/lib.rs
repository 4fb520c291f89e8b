//! Takes in what teams want on the front door: who asks, whether they may, whether somebody else has it, and a claim that
//! no interleaving can make twice. Publishing is the `publisher`'s; here nothing goes live.
//!
//! The rooms, in the order that a request takes:
//!
//! 1. [`doors`]: CloudFormation (`Custom::Route`, `Custom::FrontDoor`), commands, Terraform and Foregate's bus. Each says who
//!    asks, from what AWS vouches for, and never from what the request says of itself.
//! 2. [`authorise`] asks whether the caller may have the route: grants, and whose the backend is. [`reach`] and [`served`] say
//!    whether a private API can be reached, by whom, and whether it has what the route wants of it.
//! 3. [`intake`] claims the path and writes the route down, in one transaction; the answer that a stack waits for stands in
//!    the same transaction. [`front_doors`] does the like for front doors.
//! 4. [`report`] is what callers, the bus and the log hear.
//! 5. [`world`] is all that is outside.
//!
//! Invariants: nothing is written before everything was checked. Two routes that could take each other's requests never
//! both have a claim. A refusal is told on the bus, with who tried what.

pub mod authorise;
pub mod credentials;
pub mod doors;
pub mod front_doors;
pub mod intake;
pub mod reach;
pub mod report;
pub mod served;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use shared::custom_resource::{self, Responder};
use shared::entry::Invocation;
use shared::error::Error;
use shared::trigger::Trigger;
use world::World;

/// Handles one invocation, from trigger to answer.
pub fn handle<W: World>(
    world: Arc<W>,
    responder: Arc<Responder>,
    payload: Value,
    invocation: Invocation,
) -> BoxFuture<'static, Result<Value, Error>> {
    Box::pin(dispatch(world, responder, payload, invocation))
}

async fn dispatch<W: World>(
    world: Arc<W>,
    responder: Arc<Responder>,
    payload: Value,
    invocation: Invocation,
) -> Result<Value, Error> {
    match Trigger::parse(payload)? {
        Trigger::CustomResource(event) => {
            let (account, remaining) = (invocation.caller.account().clone(), invocation.remaining());
            let owner = account.clone();
            let works = world.clone();
            let work = move |request| async move { doors::custom_resource(&*works, &invocation, request).await };
            let id = |request: &custom_resource::Request| doors::physical_id(&owner, request);
            let (forged, (name, what)) = (doors::forged(&owner, &event), doors::claimed(&event));
            let served = custom_resource::serve(&responder, event, &account, remaining, id, work).await;
            if let Some(error) = forged.or_else(|| served.as_ref().err().cloned()) {
                report::refused(&*world, &owner, &name, &what, &error).await;
            }
            served.map(|()| json!({}))
        }
        Trigger::Command(command) => doors::command(&*world, &invocation, command).await,
        Trigger::Terraform(terraform) => doors::terraform(&*world, &invocation, terraform).await,
        Trigger::Event(event) => doors::event(&*world, &invocation, *event).await,
        Trigger::Queue(_) | Trigger::Stream(_) => Err(Error::invalid("routes takes neither a queue nor a stream")),
    }
}
