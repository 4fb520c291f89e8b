//! What wakes the publisher when nobody asks it to: the registry's stream, and the schedule, which finds what the stream has
//! missed and whether somebody has moved a stage.

use aws_lambda_events::dynamodb::Event as StreamBatch;
use serde_json::{Value, json};
use shared::entry::Invocation;
use shared::error::Error;

use crate::cycle::{self, Depth};
use crate::observe;
use crate::world::World;

/// A batch of the registry's stream: of routes, front doors and tenants that were changed. Which ones does not matter: all
/// that is pending is published together.
pub async fn stream<W: World>(world: &W, invocation: &Invocation, batch: &StreamBatch) -> Result<Value, Error> {
    tracing::info!(records = batch.records.len(), "woken by the registry");
    every_door(world, invocation, Depth::Pending).await?;
    Ok(json!({"batchItemFailures": []}))
}

/// Every front door, whether or not anything of it was changed.
pub async fn schedule<W: World>(world: &W, invocation: &Invocation) -> Result<Value, Error> {
    every_door(world, invocation, Depth::Everything).await?;
    Ok(json!({}))
}

/// All front doors are tried; the first failure is the answer, so that the batch comes again.
async fn every_door<W: World>(world: &W, invocation: &Invocation, depth: Depth) -> Result<(), Error> {
    let mut failed = None;
    for door in observe::front_doors(world).await? {
        if let Err(error) = cycle::publish(world, invocation, &door, depth).await {
            tracing::error!(front_door = door.name.as_str(), "failed to publish: {error}");
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
