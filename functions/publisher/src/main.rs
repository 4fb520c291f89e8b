//! Starts `publisher`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use publisher::world::Parts;
use shared::aws::clients::{self, DynamoTable, EventBus, FrontDoorApis};
use shared::custom_resource::Responder;
use shared::entry;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let aws = Arc::new(Parts {
        apis: FrontDoorApis::new(&config),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        responder: Responder::of_environment()?,
        clock: Box::new(entry::now_millis),
        region: var("AWS_REGION")?,
    });
    entry::serve("publisher", |payload, invocation| publisher::handle(aws.clone(), payload, invocation)).await
}
