//! Starts `bindings`: wires it to AWS and serves invocations.

use std::sync::Arc;

use shared::aws::clients::{self, DynamoTable, Ec2, Elbv2, EventBus, SqsQueue};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry;

struct Aws {
    network: Ec2,
    target_groups: Elbv2,
    table: DynamoTable,
    queue: SqsQueue,
    bus: EventBus,
}

impl bindings::world::World for Aws {
    type Network = Ec2;
    type TargetGroups = Elbv2;
    type Table = DynamoTable;
    type Queue = SqsQueue;
    type Bus = EventBus;

    fn network(&self) -> &Ec2 {
        &self.network
    }
    fn target_groups(&self) -> &Elbv2 {
        &self.target_groups
    }
    fn table(&self) -> &DynamoTable {
        &self.table
    }
    fn queue(&self) -> &SqsQueue {
        &self.queue
    }
    fn bus(&self) -> &EventBus {
        &self.bus
    }
    fn now_seconds(&self) -> u64 {
        entry::now_seconds()
    }
}

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let aws = Arc::new(Aws {
        network: Ec2::new(&config),
        target_groups: Elbv2::new(&config),
        table: DynamoTable::new(&config, std::env::var("FOREGATE_TABLE")?),
        queue: SqsQueue::new(&config, std::env::var("FOREGATE_QUEUE_URL")?),
        bus: EventBus::new(&config, std::env::var("FOREGATE_BUS")?),
    });
    let hosts = std::env::var("FOREGATE_RESPONSE_HOSTS").unwrap_or_default();
    let responder = Responder::new(AllowedHosts::parse(&hosts)).in_region(std::env::var("AWS_REGION")?);
    let responder = Arc::new(match std::env::var("AWS_LAMBDA_LOG_GROUP_NAME") {
        Ok(group) => responder.logging_to(&group),
        Err(_) => responder,
    });
    entry::serve("bindings", |payload, invocation| {
        bindings::handle(aws.clone(), responder.clone(), payload, invocation)
    })
    .await
}
