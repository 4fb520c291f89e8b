//! API Gateway's rate of CreateDeployment, one in five seconds, which all front doors of the account share.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::error::{Error, ErrorType};
use shared::registry::{self, Record, Registry};

use crate::world::World;

/// The rate, and something for the clocks of two functions.
const BETWEEN_MILLIS: u64 = 5_300;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Free {
    /// When the next deployment may be made, in milliseconds since the epoch.
    at_millis: u64,
}

/// Waits until a deployment may be made, without taking it: what comes in meanwhile goes along.
pub async fn wait<W: World>(world: &W) -> Result<(), Error> {
    let free = read(world).await?.value;
    pause(free.at_millis.saturating_sub(world.now_millis())).await;
    Ok(())
}

/// Takes the next deployment, and waits for its time.
pub async fn take<W: World>(world: &W) -> Result<(), Error> {
    loop {
        let mut record = read(world).await?;
        let now = world.now_millis();
        let mine = record.value.at_millis.max(now);
        record.value.at_millis = mine + BETWEEN_MILLIS;
        match Registry::new(world.table()).put(&mut record).await {
            Ok(()) => {
                pause(mine - now).await;
                return Ok(());
            }
            // Another front door was faster, and every round one of us gets through.
            Err(error) if error.error_type == ErrorType::Conflict => {}
            Err(error) => return Err(error),
        }
    }
}

async fn read<W: World>(world: &W) -> Result<Record<Free>, Error> {
    let key = registry::rate_key("CreateDeployment");
    let record = Registry::new(world.table()).get(&key).await?;
    Ok(record.unwrap_or_else(|| Record::new(key, Free::default())))
}

async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
