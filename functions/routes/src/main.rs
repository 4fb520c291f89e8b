//! Starts `routes`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use routes::world::Parts;
use shared::aws::clients::{self, DynamoTable, EventBus, Members};
use shared::custom_resource::Responder;
use shared::entry;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let passable = var("FOREGATE_PASSABLE_ROLES").unwrap_or_default();
    let aws = Arc::new(Parts {
        apis: Members::new(&config, var("FOREGATE_MEMBER_ROLE")?),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        clock: Box::new(entry::now_seconds),
        region: var("AWS_REGION")?,
        passable_roles: passable.split(',').map(str::to_owned).collect(),
    });
    let responder = Arc::new(Responder::of_environment()?);
    entry::serve("routes", |payload, invocation| routes::handle(aws.clone(), responder.clone(), payload, invocation))
        .await
}
