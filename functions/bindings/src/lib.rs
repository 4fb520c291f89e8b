//! Keeps sinks equal to sources: the targets of a target group or the rules of a security group equal to the addresses
//! of a VPC endpoint, a load balancer or a host name, or to the nodes of a cluster.
//!
//! The rooms, in the order that an event takes:
//!
//! 1. [`doors`] (CloudFormation, commands, Terraform) and [`queue`] with [`events`] (EventBridge, the schedule) say
//!    which binding it is about; [`spec`] reads what a user wrote, [`intake`] writes it down as a [`record`].
//! 2. [`reconcile`] takes the sink's lease and looks: [`observe`] asks AWS, [`want`] says what the sink should have,
//!    [`plan`] decides, [`apply`] carries out, [`report`] tells. What a sink has is an [`entry`].
//! 3. [`nodes`] knows which instances are nodes and how each stands, [`notices`] what AWS has announced of them, and
//!    [`hooks`] lets go of a node that Auto Scaling holds back for us.
//! 4. [`world`] is all that is outside.
//!
//! Invariants: an event never says what to do, only where to look. Foregate removes only what its ledger says it added.
//! A claim is written before its entry is made and dropped after it is gone. What would leave the sink without a healthy
//! target is not done. A lifecycle hook that makes Auto Scaling wait for Foregate never waits for ever.

pub mod apply;
pub mod doors;
pub mod entry;
pub mod events;
pub mod hooks;
pub mod intake;
pub mod nodes;
pub mod notices;
pub mod observe;
pub mod plan;
pub mod queue;
pub mod reconcile;
pub mod record;
pub mod report;
pub mod spec;
pub mod want;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use shared::custom_resource::{self, Responder};
use shared::entry::Invocation;
use shared::error::Error;
use shared::trigger::Trigger;
use world::World;

/// Handles one invocation, from trigger to answer. Boxed: with the SDK's futures inside, its type is too deep for the
/// compiler to carry through `main`.
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
            let work = move |request| async move {
                invocation.caller.operator_only("bindings")?;
                doors::custom_resource(&*world, &invocation, request).await
            };
            custom_resource::serve(&responder, event, &account, remaining, doors::physical_id, work).await?;
            Ok(json!({}))
        }
        trigger => {
            invocation.caller.operator_only("bindings")?;
            let shift = doors::shift(&invocation);
            match trigger {
                Trigger::Command(command) => doors::command(&*world, &invocation, command).await,
                Trigger::Terraform(terraform) => doors::terraform(&*world, &invocation, terraform).await,
                Trigger::Queue(messages) => Ok(queue::batch(&*world, &shift, messages).await),
                Trigger::Event(event) => queue::single(&*world, &shift, *event).await,
                Trigger::Stream(_) | Trigger::CustomResource(_) => {
                    Err(Error::invalid("bindings does not take the registry's stream"))
                }
            }
        }
    }
}
