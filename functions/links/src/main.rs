//! Starts `links`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use links::world::Parts;
use shared::aws::clients::{self, DynamoTable, Elbv2, EventBus, FrontDoorApis, SqsQueue};
use shared::custom_resource::Responder;
use shared::entry;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let aws = Arc::new(Parts {
        apis: FrontDoorApis::new(&config),
        elb: Elbv2::new(&config),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        queue: SqsQueue::new(&config, var("FOREGATE_QUEUE_URL")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        responder: Responder::of_environment()?,
        clock: Box::new(entry::now_seconds),
        prefix: var("FOREGATE_PREFIX")?,
    });
    entry::serve("links", |payload, invocation| links::handle(aws.clone(), payload, invocation)).await
}
