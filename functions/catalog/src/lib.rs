//! The catalogue: what REST APIs there are in which accounts, what of them is not as it should be, and who uses them.
//!
//! The rooms, in the order that an invocation takes:
//!
//! 1. [`doors`] (CloudFormation's `Custom::Discovery` and `Custom::Subscription`, commands, Terraform) and [`queue`] (CloudTrail's
//!    events, the schedule, messages of our own) say what it is about; [`spec`] reads what a user wrote.
//! 2. [`targets`] says where to look and as whom. [`scan`] takes the lease on a place and looks: [`observe`] asks API Gateway, at the
//!    [`pace`] that leaves half of it to others; [`plan`] and [`posture`] decide over plain records; what is new is told and
//!    written down ([`entries`], [`documents`]).
//! 3. [`subscriptions`] runs the saga of an API key.
//! 4. [`report`] and [`backstage`] are what leaves. [`record`] is what is remembered, [`packed`] how it is made short,
//!    [`world`] all that is outside.
//!
//! Invariants: what could not be seen stays as it was and is said to be incomplete; nothing is taken for removed without AWS's
//! word for it or several complete scans; an API key's value is given to who is to have it and kept nowhere.

pub mod backstage;
pub mod documents;
pub mod doors;
pub mod entries;
pub mod observe;
pub mod pace;
pub mod packed;
pub mod plan;
pub mod posture;
pub mod queue;
pub mod record;
pub mod report;
pub mod scan;
pub mod spec;
pub mod subscriptions;
pub mod targets;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use shared::custom_resource;
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
    match Trigger::parse(payload)? {
        Trigger::CustomResource(event) => {
            let (account, remaining) = (invocation.caller.account().clone(), invocation.remaining());
            let works = world.clone();
            let work = move |request| async move { doors::custom_resource(&*works, &invocation, request).await };
            let physical_id = |request: &_| doors::physical_id(&account, request);
            custom_resource::serve(world.responder(), event, &account, remaining, physical_id, work).await?;
            Ok(json!({}))
        }
        Trigger::Command(command) => doors::command(&*world, &invocation, command).await,
        Trigger::Terraform(terraform) => doors::terraform(&*world, &invocation, terraform).await,
        trigger => {
            invocation.caller.operator_only("catalog's events")?;
            match trigger {
                Trigger::Queue(messages) => Ok(queue::batch(&*world, &invocation, messages).await),
                Trigger::Event(event) => queue::single(&*world, &invocation, *event).await,
                _ => Err(Error::invalid("catalog does not take the registry's stream")),
            }
        }
    }
}
