//! One link, whatever the reason to look at it: lease, observe, plan, apply, write down, tell, answer.

use std::time::Duration;

use serde_json::{Map, Value, json};
use shared::aws::{AwsError, Bus, Cause, OwnEvent, Queue, VpcLinks};
use shared::custom_resource::Outcome;
use shared::deliveries::next_hop;
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::front_door::Name;
use shared::front_door::links::{Departure, Link, Recheck, Status, Waiting};
use shared::lease::Lease;
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};

use crate::observe;
use crate::plan::{Observed, Plan, plan};
use crate::queue::{departure, recheck};
use crate::world::World;

/// How soon to look again while something is on its way; a link takes two to eight minutes.
const RECHECK_SECONDS: u32 = 15;
/// After this many looks that changed nothing, an hour in all, the schedule takes over: no stack waits for longer.
const RECHECKS_MAX: u32 = 240;
/// How soon to look again when somebody else was at it.
const BUSY_SECONDS: u32 = 5;
/// After this many looks in a row that found somebody else at it, five minutes in all, the schedule takes over.
const BUSY_HOPS_MAX: u32 = 60;
const ANSWER: Duration = Duration::from_secs(10);
/// API Gateway's quota of VPC links per account and region where nothing was raised.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>
const LINKS_MAX: usize = 20;

/// The link's lease, or nothing where somebody else has it.
pub async fn lease<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &Name,
) -> Result<Option<Lease<Option<Link>>>, Error> {
    let key = registry::link_key(name.as_str());
    Lease::of(&Registry::new(world.table()), &key, invocation, world.now_seconds()).await
}

/// Looks at the link and does what is to be done. `None` where there is no such link, or somebody else is at it: then it is
/// looked at again soon.
///
/// `hops` is how many messages of ours led here.
pub async fn reconcile<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &Name,
    hops: u32,
) -> Result<Option<Link>, Error> {
    let Some(lease) = lease(world, invocation, name).await? else {
        if let Some(hops) = next_hop(hops, BUSY_HOPS_MAX, name.as_str()) {
            world.queue().send(&[recheck(name, hops, BUSY_SECONDS)]).await?;
        }
        return Ok(None);
    };
    under_lease(world, lease).await
}

/// Notes that AWS has refused to delete the load balancer, where the link leads to it and a controller is in charge of it,
/// and looks. Of a load balancer that was named outright, who deletes it can change the link first.
pub async fn note_departure<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &Name,
    load_balancer_arn: &str,
    at_seconds: u64,
    hops: u32,
) -> Result<(), Error> {
    let Some(mut lease) = lease(world, invocation, name).await? else {
        return match next_hop(hops, BUSY_HOPS_MAX, name.as_str()) {
            Some(hops) => {
                Ok(world.queue().send(&[departure(load_balancer_arn, at_seconds, hops, BUSY_SECONDS)]).await?)
            }
            None => Ok(()),
        };
    };
    if let Some(link) = &mut lease.value {
        let known = link.departure.take().filter(|one| one.load_balancer_arn == load_balancer_arn);
        let mut known = known.unwrap_or_else(|| Departure {
            load_balancer_arn: load_balancer_arn.to_owned(),
            refused_at_seconds: Default::default(),
        });
        known.note(at_seconds);
        link.departure = Some(known);
    }
    under_lease(world, lease).await.map(drop)
}

/// The same for who has the lease already.
pub async fn under_lease<W: World>(world: &W, mut lease: Lease<Option<Link>>) -> Result<Option<Link>, Error> {
    let registry = Registry::new(world.table());
    let Some(link) = lease.value.clone() else {
        lease.release(&registry).await?;
        return Ok(None);
    };
    let done = async {
        let waiting = waiting(world, &link.name).await?;
        let link = match link.status {
            Status::Deleted => link,
            _ => work(world, link, &mut lease, !waiting.is_empty()).await?,
        };
        Ok::<_, Error>((link, waiting))
    };
    let done = done.await;
    lease.release(&registry).await?;
    let (link, waiting) = done?;
    answer(world, &link, waiting).await?;
    Ok(Some(link))
}

/// What would be done now.
pub async fn look<W: World>(world: &W, link: &Link) -> Result<Plan, Error> {
    let balancers = match link.deleted {
        true => Vec::new(),
        false => observe::balancers(world, &link.selector).await?,
    };
    // What is published is read after what there is: a link that was taken up meanwhile counts as used.
    let present = observe::present(world).await?;
    let used = observe::used(world, &link.name).await?;
    let departure = link.departure.as_ref().filter(|one| one.is_meant(world.now_seconds()));
    let departing = departure.map(|one| one.load_balancer_arn.as_str());
    Ok(plan(&Observed { link, balancers: &balancers, present: &present, used: &used, departing }))
}

async fn work<W: World>(
    world: &W,
    before: Link,
    lease: &mut Lease<Option<Link>>,
    somebody_waits: bool,
) -> Result<Link, Error> {
    let plan = look(world, &before).await?;
    tracing::info!(link = before.name.as_str(), plan = plan.to_string(), "looked");
    let mut link = before.clone();
    let Plan { create, delete, status, reason, current, next, retiring, mut is_unsettled } = plan;
    (link.reason, link.current, link.next, link.retiring) = (reason, current, next, retiring);
    link.status = status.unwrap_or(link.status);
    // A link that is there is found again by its load balancer, should this run die before it is written down.
    if let Some(target) = create {
        match world.apis().create_link(link.name.as_str(), &target, (observe::TAG, world.prefix())).await {
            Ok(id) => link.next = Some(id),
            Err(error) if error.cause == Cause::Throttled => {
                link.reason = "API Gateway makes a link in 15 s: it is asked again".into()
            }
            Err(error) => {
                is_unsettled = !link.retiring.is_empty();
                (link.status, link.reason) = (Status::Failed, refused(&error));
            }
        }
    }
    for id in &delete {
        match world.apis().delete_link(id).await {
            Ok(()) => {}
            // One in 30 s; or something that Foregate knows nothing of uses it, and API Gateway says what.
            Err(error) => {
                tracing::warn!(link = link.name.as_str(), id, "failed to delete a link: {error}");
                if link.deleted || link.reason.is_empty() {
                    link.reason = error.message.clone();
                }
            }
        }
    }
    let has_changed = link.current != before.current || link.status != before.status;
    lease.value = Some(link.clone());
    lease.save(&Registry::new(world.table())).await?;
    if has_changed {
        let is_replaced = before.current.is_some() && link.current.is_some() && link.current != before.current;
        count(Metric::LinksReplaced, u64::from(is_replaced));
        count(Metric::LinksFailed, u64::from(link.status == Status::Failed));
        tell(world, &before, &link).await?;
    }
    // A load balancer that is not there yet is found by its event or the schedule, unless somebody waits for it.
    let looks_again = is_unsettled && (somebody_waits || link.status != Status::Waiting || !link.retiring.is_empty());
    link.recheck = if looks_again { look_again(world, &before, &link).await? } else { None };
    lease.value = Some(link.clone());
    Ok(link)
}

/// Sends for the next look, unless one is on its way, or so many have changed nothing that the schedule takes over.
async fn look_again<W: World>(world: &W, before: &Link, link: &Link) -> Result<Option<Recheck>, Error> {
    let now = world.now_seconds();
    let what_changes = |link: &Link| (link.status, link.current.clone(), link.next.clone(), link.retiring.clone());
    if before.recheck.is_some_and(|last| last.due_seconds > now) {
        return Ok(before.recheck);
    }
    let is_moving = what_changes(before) != what_changes(link);
    let last = before.recheck.filter(|_| !is_moving).map_or(0, |last| last.attempt);
    let Some(attempt) = next_hop(last, RECHECKS_MAX, link.name.as_str()) else { return Ok(before.recheck) };
    world.queue().send(&[recheck(&link.name, 0, RECHECK_SECONDS)]).await?;
    Ok(Some(Recheck { due_seconds: now + u64::from(RECHECK_SECONDS), attempt }))
}

/// What a reason begins with that is a quota's.
const LIMIT: &str = "LimitExceeded: ";

fn refused(error: &AwsError) -> String {
    match error.cause {
        Cause::LimitExceeded => format!(
            "{LIMIT}API Gateway has no room for another VPC link ({LINKS_MAX} per account and region by default): delete \
             one that nothing uses, lead several names to one load balancer, or have the quota raised ({})",
            error.message
        ),
        _ => format!("API Gateway refuses to make the link: {}", error.message),
    }
}

async fn tell<W: World>(world: &W, before: &Link, link: &Link) -> Result<(), Error> {
    let id = |link: &Link| link.current.as_ref().map(|held| held.id.clone());
    let detail = json!({
        "link": link.name, "status": link.status.as_str(), "reason": link.reason, "vpcLinkId": id(link), "was": id(before),
        "loadBalancerArn": link.current.as_ref().map(|held| &held.load_balancer_arn),
    });
    let event = OwnEvent { detail_type: "Link Changed", resources: id(link).into_iter().collect(), detail };
    Ok(world.bus().put(&[event]).await?)
}

/// The attributes that `Fn::GetAtt` gives.
pub fn attributes(link: &Link) -> Map<String, Value> {
    let mut attributes = Map::new();
    if let Some(held) = &link.current {
        attributes.insert("VpcLinkId".into(), json!(held.id));
        attributes.insert("LoadBalancerArn".into(), json!(held.load_balancer_arn));
        attributes.insert("DnsName".into(), json!(held.dns_name));
    }
    attributes
}

async fn waiting<W: World>(world: &W, name: &Name) -> Result<Vec<Record<Waiting>>, Error> {
    Registry::new(world.table()).list(registry::link_waiting_key(name.as_str(), "")).await
}

/// Answers the stacks whose link has settled, or whose time is up. The URL goes once it was used.
async fn answer<W: World>(world: &W, link: &Link, waiting: Vec<Record<Waiting>>) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    for record in waiting {
        if let Some(outcome) = outcome(link, &record.value, world.now_seconds()) {
            world.responder().answer(&record.value.later, outcome, ANSWER).await?;
            registry.delete(&record).await?;
        }
    }
    Ok(())
}

/// What a stack hears; nothing yet while there is something to wait for and time.
fn outcome(link: &Link, waiting: &Waiting, now_seconds: u64) -> Option<Result<Outcome, Error>> {
    let done = |data| Some(Ok(Outcome::new(waiting.later.physical_id.clone(), data)));
    let latest = link.requests.fingerprints.last();
    if latest != Some(&waiting.fingerprint) {
        return Some(Err(Error::conflict("a later request about the same link has overtaken this one")));
    }
    match (link.status, waiting.is_delete) {
        (Status::Deleted, true) => return done(Map::new()),
        (Status::Available, false) => return done(attributes(link)),
        (Status::Failed, false) => {
            let error = match link.reason.strip_prefix(LIMIT) {
                Some(reason) => Error::new(ErrorType::LimitExceeded, reason),
                None => Error::upstream(link.reason.clone()),
            };
            return Some(Err(error));
        }
        _ => {}
    }
    let is_late = now_seconds >= waiting.until_seconds;
    is_late.then(|| Err(Error::upstream(format!("there was no time left to wait: {}", link.reason))))
}
