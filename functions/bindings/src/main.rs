//! Starts `bindings`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use bindings::world::Parts;
use shared::aws::clients::{self, DynamoTable, Ec2, Elbv2, EventBus, NameServer, Scaling, SqsQueue};
use shared::custom_resource::Responder;
use shared::entry;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let aws = Arc::new(Parts {
        ec2: Ec2::new(&config),
        elb: Elbv2::new(&config),
        auto_scaling: Scaling::new(&config),
        names: NameServer::new(var("FOREGATE_NAME_SERVER").ok().map(|server| server.parse()).transpose()?),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        queue: SqsQueue::new(&config, var("FOREGATE_QUEUE_URL")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        clock: Box::new(entry::now_seconds),
        prefix: var("FOREGATE_PREFIX")?,
        rules_max: var("FOREGATE_RULES_PER_SECURITY_GROUP")?.parse()?,
    });
    let responder = Arc::new(Responder::of_environment()?);
    entry::serve("bindings", |payload, invocation| {
        bindings::handle(aws.clone(), responder.clone(), payload, invocation)
    })
    .await
}
