//! Step 3, apply: the calls on the REST API. In which order they come is [`cycle`](crate::cycle)'s to say.

use std::time::Duration;

use shared::aws::RestApis;
use shared::error::Error;
use shared::front_door::FrontDoorSpec;

use crate::plan::present::Removal;
use crate::world::World;

pub mod deploy;
mod import;
pub mod retry;
pub mod stage;
pub mod verify;

pub use import::import;

/// API Gateway's rate of DeleteResource, five per second and account, and something for clocks.
const REMOVAL: Duration = Duration::from_millis(220);

/// Takes off what is not wanted any more, at API Gateway's rate.
pub async fn remove<W: World>(world: &W, door: &FrontDoorSpec, removals: &[Removal]) -> Result<(), Error> {
    for removal in removals {
        match removal {
            Removal::Resource { id, path } => {
                tracing::info!(front_door = door.name.as_str(), path, "removing a resource");
                world.apis().delete_resource(&door.rest_api_id, id).await?;
            }
            Removal::Method { id, path, method } => {
                tracing::info!(front_door = door.name.as_str(), path, method, "removing a method");
                world.apis().delete_method(&door.rest_api_id, id, method).await?;
            }
        }
        tokio::time::sleep(REMOVAL).await;
    }
    Ok(())
}
