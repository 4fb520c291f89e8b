//! Starts `tenants`: wires it to AWS and serves invocations.

use std::env::var;
use std::sync::Arc;

use shared::aws::clients::{self, DynamoTable, EventBus, Functions};
use shared::custom_resource::Responder;
use shared::entry;
use tenants::world::{Parts, Settings};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = clients::load().await;
    let settings = Settings {
        routes_arn: var("FOREGATE_ROUTES_ARN")?,
        catalog_arn: var("FOREGATE_CATALOG_ARN")?,
        bus_arn: var("FOREGATE_BUS_ARN")?,
        failures_arn: var("FOREGATE_FAILURES_ARN")?,
        organization_id: var("FOREGATE_ORGANIZATION_ID").ok().filter(|id| !id.is_empty()),
    };
    let aws = Arc::new(Parts {
        functions: Functions::new(&config),
        table: DynamoTable::new(&config, var("FOREGATE_TABLE")?),
        bus: EventBus::new(&config, var("FOREGATE_BUS")?),
        settings,
    });
    let responder = Arc::new(Responder::of_environment()?);
    entry::serve("tenants", |payload, invocation| tenants::handle(aws.clone(), responder.clone(), payload, invocation))
        .await
}
