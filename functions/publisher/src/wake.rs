//! What wakes the publisher when nobody asks it to: the registry's stream, and the schedule, which finds what the stream has
//! missed and whether somebody has moved a stage.

use std::time::Duration;

use aws_lambda_events::dynamodb::Event as StreamBatch;
use serde_json::{Value, json};
use shared::entry::Invocation;
use shared::error::Error;

use crate::cycle::{self, Depth};
use crate::observe;
use crate::part::{self, Place};
use crate::world::World;

/// A batch of the registry's stream: of routes, front doors and tenants that were changed. Which ones does not matter: all
/// that is pending is published together. What there was no time for comes again with the batch.
pub async fn stream<W: World>(world: &W, invocation: &Invocation, batch: &StreamBatch) -> Result<Value, Error> {
    tracing::info!(records = batch.records.len(), "woken by the registry");
    let done = every_part(world, invocation, Depth::Pending).await?;
    let first = batch.records.first().and_then(|record| record.change.sequence_number.as_deref());
    let left = first.filter(|_| !done).map(|number| json!({"itemIdentifier": number}));
    Ok(json!({"batchItemFailures": left.into_iter().collect::<Vec<_>>()}))
}

/// Every front door, whether or not anything of it was changed.
pub async fn schedule<W: World>(world: &W, invocation: &Invocation) -> Result<Value, Error> {
    every_part(world, invocation, Depth::Everything).await?;
    Ok(json!({}))
}

/// What the next part needs of the function's time; publishing it may take longer, and then it is made good later.
const PART: Duration = Duration::from_secs(60);
/// A look at a part is some five calls, and API Gateway allows ten per second, to everybody in the account.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Whether there was time for all parts. All that there is time for are tried; the first failure is the answer, so that the
/// batch comes again. The root of a front door whose shards have failed is left alone: what moves to a shard is on one of
/// the two.
async fn every_part<W: World>(world: &W, invocation: &Invocation, depth: Depth) -> Result<bool, Error> {
    let (mut failed, mut done) = (None, true);
    let surroundings = observe::surroundings(world).await?;
    for door in observe::front_doors(world).await? {
        let parts = match depth {
            Depth::Pending => part::pending(world, &door, &surroundings).await?,
            Depth::Everything | Depth::Forward => {
                part::all(world, &door).await?.into_iter().map(|(part, _)| part).collect()
            }
        };
        let (mut is_whole, is_sharded) = (true, door.shards.is_some());
        for part in parts {
            if is_sharded && invocation.remaining() < PART {
                done = false;
                break;
            }
            if part.place == Place::Root && !is_whole {
                continue;
            }
            if let Err(error) = cycle::publish(world, invocation, &part, depth).await {
                tracing::error!(front_door = part.name(), "failed to publish: {error}");
                failed.get_or_insert(error);
                is_whole = false;
            }
            if is_sharded && depth == Depth::Everything {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
    }
    failed.map_or(Ok(done), Err)
}
