//! Starts `catalog`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use catalog::pace::Paces;
use catalog::record::Place;
use catalog::world::{Parts, Settings};
use shared::aws::clients::{self, DynamoTable, EventBus, Members, Organizations, SqsQueue};
use shared::custom_resource::Responder;
use shared::entry;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let member_role = var("FOREGATE_MEMBER_ROLE")?;
    let aws = Arc::new(Parts {
        apis: Members::new(&config, member_role.clone()),
        organization: Organizations::new(&config),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        queue: SqsQueue::new(&config, var("FOREGATE_QUEUE_URL")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        responder: Responder::of_environment()?,
        clock: Box::new(entry::now_seconds),
        paces: Paces::new(var("FOREGATE_CALLS_PER_SECOND")?.parse()?),
        settings: Settings {
            home: Place { account: var("FOREGATE_ACCOUNT")?.parse()?, region: var("AWS_REGION")?.parse()? },
            member_role,
            member_write_role: var("FOREGATE_MEMBER_WRITE_ROLE")?,
            own_write_role: var("FOREGATE_SUBSCRIPTIONS_ROLE")?,
            prefix: var("FOREGATE_PREFIX")?,
        },
    });
    entry::serve("catalog", |payload, invocation| catalog::handle(aws.clone(), payload, invocation)).await
}
