//! VPC links that follow their load balancers: a name that routes use, the Network Load Balancer that it leads to, and the
//! VPC link of API Gateway's in between.
//!
//! The rooms, in the order that an event takes:
//!
//! 1. [`doors`] (CloudFormation's `Custom::VpcLink`, commands, Terraform) and [`queue`] (load balancers' events, the
//!    schedule, re-checks) say which link it is about; [`spec`] reads what a user wrote.
//! 2. [`reconcile`] takes the link's lease and looks: [`observe`] asks AWS and the registry, [`plan`] decides, and what it
//!    decided is carried out, written down, told, and answered to the stacks that wait.
//! 3. [`world`] is all that is outside.
//!
//! Invariants: a link is made before routes are led to it and deleted after nothing that is published uses it; one that
//! Foregate did not make is never deleted. Nobody sleeps: a link takes minutes, and a delayed message looks again.

pub mod doors;
pub mod observe;
pub mod plan;
pub mod queue;
pub mod reconcile;
pub mod spec;
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
            let work = move |request| async move {
                invocation.caller.operator_only("links")?;
                doors::custom_resource(&*works, &invocation, request).await
            };
            custom_resource::serve(world.responder(), event, &account, remaining, doors::physical_id, work).await?;
            Ok(json!({}))
        }
        trigger => {
            invocation.caller.operator_only("links")?;
            match trigger {
                Trigger::Command(command) => doors::command(&*world, &invocation, command).await,
                Trigger::Terraform(terraform) => doors::terraform(&*world, &invocation, terraform).await,
                Trigger::Queue(messages) => Ok(queue::batch(&*world, &invocation, messages).await),
                Trigger::Event(event) => queue::single(&*world, &invocation, *event).await,
                Trigger::Stream(_) | Trigger::CustomResource(_) => {
                    Err(Error::invalid("links does not take the registry's stream"))
                }
            }
        }
    }
}
