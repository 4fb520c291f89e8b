//! CloudFormation's door: `Custom::Subscription` and, for operators, `Custom::Discovery`.

use serde_json::Value;
use shared::custom_resource::{Kind, Outcome, Request};
use shared::entry::Invocation;
use shared::error::Error;
use shared::types::AccountId;

use super::{attributes, discovery_id};
use crate::spec::{DiscoverySpec, SubscriptionSpec};
use crate::subscriptions::{self, Asked, Given, Wish, kind};
use crate::world::World;

const DISCOVERY: &str = "Custom::Discovery";
const SUBSCRIPTION: &str = "Custom::Subscription";

/// The `PhysicalResourceId`, known before any work: another plan or another consumer is another subscription.
pub fn physical_id(account: &AccountId, request: &Request) -> String {
    let origin = request.origin();
    if request.resource_type == DISCOVERY {
        return discovery_id(&origin);
    }
    match SubscriptionSpec::parse(request.properties.clone()) {
        Ok(spec) => subscriptions::id_of(account, &origin, &spec),
        Err(_) => origin.id(&kind(account), "unreadable"),
    }
}

/// A stack's request.
pub async fn custom_resource<W: World>(world: &W, invocation: &Invocation, request: Request) -> Result<Outcome, Error> {
    match request.resource_type.as_str() {
        DISCOVERY => {
            invocation.caller.operator_only("discoveries")?;
            discovery(world, request).await
        }
        SUBSCRIPTION => subscription(world, invocation, request).await,
        "AWS::CloudFormation::CustomResource" if super::is_subscription(&request.properties) => {
            subscription(world, invocation, request).await
        }
        other => Err(Error::invalid(format!(
            "Type: {other} is not served here: use {SUBSCRIPTION} or, as an operator, {DISCOVERY}"
        ))),
    }
}

async fn discovery<W: World>(world: &W, request: Request) -> Result<Outcome, Error> {
    let (origin, stamp) = (request.origin(), request.stamp());
    let id = discovery_id(&origin);
    if request.kind == Kind::Delete {
        super::leave_alone(world, &id, stamp).await?;
        return Ok(Outcome::new(request.physical_resource_id.unwrap_or(id), Default::default()));
    }
    let spec = DiscoverySpec::parse(request.properties)?;
    let answer = super::discover_there(world, origin, stamp, spec).await?;
    Ok(Outcome::new(id, attributes(&answer)))
}

async fn subscription<W: World>(world: &W, invocation: &Invocation, request: Request) -> Result<Outcome, Error> {
    let account = invocation.caller.account().clone();
    let asked = Asked { account, origin: request.origin(), stamp: request.stamp() };
    if request.kind == Kind::Delete {
        let physical_id = request.physical_resource_id.unwrap_or_default();
        revoke(world, invocation, &asked, &physical_id).await?;
        return Ok(Outcome::new(physical_id, Default::default()));
    }
    let spec = SubscriptionSpec::parse(request.properties)?;
    let given = subscriptions::apply(world, invocation, &asked, spec, subscriptions::Value::Always).await?;
    Ok(outcome(&given))
}

/// A Delete names the subscription; with an id that is none that we gave to this resource it is about all of the resource's.
async fn revoke<W: World>(world: &W, invocation: &Invocation, asked: &Asked, physical_id: &str) -> Result<(), Error> {
    let ids = match physical_id.starts_with(&asked.origin.id_prefix(&kind(&asked.account))) {
        true => vec![physical_id.to_owned()],
        false => subscriptions::of_origin(world, asked).await?.into_iter().map(|one| one.id).collect(),
    };
    for id in ids {
        subscriptions::wish(world, invocation, &id, Some(&asked.stamp), Wish::Revoke).await?;
    }
    Ok(())
}

/// The attributes, the key's value among them: CloudFormation shows none of them.
fn outcome(given: &Given) -> Outcome {
    let data = attributes(&super::answer(given)).into_iter().filter(|(_, value): &(String, Value)| !value.is_null());
    Outcome { no_echo: true, ..Outcome::new(given.subscription.id.clone(), data.collect()) }
}
