//! Starts `bindings`: wires it to AWS and serves invocations.

use std::sync::Arc;

use shared::aws::clients::{self, DynamoTable, Ec2, Elbv2, EventBus, NameServer, Scaling, SqsQueue};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry;

struct Aws {
    ec2: Ec2,
    elb: Elbv2,
    auto_scaling: Scaling,
    names: NameServer,
    table: DynamoTable,
    queue: SqsQueue,
    bus: EventBus,
    prefix: String,
    rules_max: usize,
}

impl bindings::world::World for Aws {
    type Ec2 = Ec2;
    type Elb = Elbv2;
    type AutoScaling = Scaling;
    type Names = NameServer;
    type Table = DynamoTable;
    type Queue = SqsQueue;
    type Bus = EventBus;

    fn ec2(&self) -> &Ec2 {
        &self.ec2
    }
    fn elb(&self) -> &Elbv2 {
        &self.elb
    }
    fn auto_scaling(&self) -> &Scaling {
        &self.auto_scaling
    }
    fn names(&self) -> &NameServer {
        &self.names
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
    fn prefix(&self) -> &str {
        &self.prefix
    }
    fn rules_max(&self) -> usize {
        self.rules_max
    }
}

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    use std::env::var;
    let config = clients::load().await;
    let aws = Arc::new(Aws {
        ec2: Ec2::new(&config),
        elb: Elbv2::new(&config),
        auto_scaling: Scaling::new(&config),
        names: NameServer::new(var("FOREGATE_NAME_SERVER").ok().map(|server| server.parse()).transpose()?),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        queue: SqsQueue::new(&config, var("FOREGATE_QUEUE_URL")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        prefix: var("FOREGATE_PREFIX")?,
        rules_max: var("FOREGATE_RULES_PER_SECURITY_GROUP")?.parse()?,
    });
    let hosts = var("FOREGATE_RESPONSE_HOSTS").unwrap_or_default();
    let responder = Responder::new(AllowedHosts::parse(&hosts)).in_region(var("AWS_REGION")?);
    let responder = Arc::new(match var("AWS_LAMBDA_LOG_GROUP_NAME") {
        Ok(group) => responder.logging_to(&group),
        Err(_) => responder,
    });
    entry::serve("bindings", |payload, invocation| {
        bindings::handle(aws.clone(), responder.clone(), payload, invocation)
    })
    .await
}
