//! Subscriptions: a consumer's API key on a usage plan. Each change writes down what is wanted and then runs the steps that
//! [`crate::plan::saga`] gives, one by one; whoever dies in between leaves what the next look goes on with.

use std::time::Duration;

use shared::aws::{Access, ApiKeys, ApisOfAccounts, AwsError, Cause};
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::front_door::records::{FrontDoor, Onboarded};
use shared::identity::Caller;
use shared::lease::{Lease, Leased};
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use shared::types::{AccountId, Secret};

use crate::plan::saga::{self, Step};
use crate::record::{Key, Place, PlanAt, Scanned, Subscribed, Subscription};
use crate::spec::{PlanName, SubscriptionSpec};
use crate::targets;
use crate::world::World;

/// Every subscription has a few keys at most, each of four steps: more is a mistake of ours, not work.
const STEPS_MAX: usize = 32;
/// A look takes a second or two: who is asked waits for another's, this often for this long.
const TRIES_MAX: usize = 40;
const TRY: Duration = Duration::from_millis(250);
/// How long a revoked subscription is remembered: requests come twice, late and out of order.
const TOMBSTONE_SECONDS: u64 = 24 * 3_600;
/// The tag of the API keys that are ours.
const TAG: &str = "foregate";

/// What ids of an account's subscriptions begin with.
pub fn kind(account: &AccountId) -> String {
    format!("subscription-{account}")
}

/// The id of what an origin asks for: another plan or another consumer is another subscription.
pub fn id_of(account: &AccountId, origin: &Origin, spec: &SubscriptionSpec) -> String {
    let SubscriptionSpec { plan, account: of, region, consumer, .. } = spec;
    origin.id(&kind(account), &format!("{plan:?}\n{of:?}\n{region:?}\n{consumer}"))
}

/// A subscription and, where it is to be given, its key's value.
pub struct Given {
    /// The subscription.
    pub subscription: Subscription,
    /// Its newest key's value.
    pub value: Option<Secret>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who vouches for the request.
    pub account: AccountId,
    /// What in that account asks.
    pub origin: Origin,
    /// Which request of it this is.
    pub stamp: Stamp,
}

/// Whether the key's value is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Once: who has it already is not given it again.
    Once,
    /// Each time: a stack's attributes have to be there after every update.
    Always,
}

/// All subscriptions of an account, or of everybody; those that were given up are left out.
pub async fn list<W: World>(world: &W, account: Option<&AccountId>) -> Result<Vec<Subscription>, Error> {
    let prefix = account.map(|account| format!("{}-", kind(account))).unwrap_or_default();
    of_prefix(world, &prefix).await
}

/// The subscriptions of one origin.
pub async fn of_origin<W: World>(world: &W, asked: &Asked) -> Result<Vec<Subscription>, Error> {
    of_prefix(world, &asked.origin.id_prefix(&kind(&asked.account))).await
}

async fn of_prefix<W: World>(world: &W, prefix: &str) -> Result<Vec<Subscription>, Error> {
    let records: Vec<Record<Leased<Option<Subscription>>>> =
        Registry::new(world.table()).list(registry::subscription_key(prefix)).await?;
    let all = records.into_iter().filter_map(|record| record.value.value);
    Ok(all.filter(|one| one.status != Subscribed::Revoked).collect())
}

async fn lease<W: World>(world: &W, invocation: &Invocation, id: &str) -> Result<Lease<Option<Subscription>>, Error> {
    let (registry, key) = (Registry::new(world.table()), registry::subscription_key(id));
    for _ in 0..TRIES_MAX {
        if let Some(lease) = Lease::of(&registry, &key, invocation, world.now_seconds()).await? {
            return Ok(lease);
        }
        tokio::time::sleep(TRY).await;
    }
    Err(Error::conflict(format!("somebody else is at work on {id}: try again")))
}

/// Makes the subscription, or brings it to what is asked for.
pub async fn apply<W: World>(
    world: &W,
    invocation: &Invocation,
    asked: &Asked,
    spec: SubscriptionSpec,
    value: Value,
) -> Result<Given, Error> {
    let plan = plan_of(world, &invocation.caller, &spec).await?;
    let id = id_of(&asked.account, &asked.origin, &spec);
    let mut lease = lease(world, invocation, &id).await?;
    let before = lease.value.clone();
    if let Err(error) = take_up(&mut lease.value, world.now_seconds(), asked, spec, &id, plan) {
        lease.value = before;
        lease.release(&Registry::new(world.table())).await?;
        return Err(error);
    }
    finish(world, lease, Some(value)).await
}

/// What a plan is called, where it is, what the role there wants to be told, and whether the plan is for no stage.
struct FoundPlan {
    plan: PlanAt,
    external_id: Option<String>,
    is_detached: bool,
}

fn take_up(
    stored: &mut Option<Subscription>,
    now_seconds: u64,
    asked: &Asked,
    spec: SubscriptionSpec,
    id: &str,
    found: FoundPlan,
) -> Result<(), Error> {
    let gone = |one: &mut Subscription| one.is_revoked && one.keys.is_empty();
    let requests = stored.as_ref().map(|one| one.requests.clone()).unwrap_or_default();
    if requests.supersede(&asked.stamp) {
        return Err(Error::conflict(format!("this request is older than the last one about {id}")));
    }
    if stored.as_mut().is_some_and(gone) {
        *stored = None;
    }
    let subscription = stored.get_or_insert_with(|| Subscription {
        id: id.to_owned(),
        origin: asked.origin.clone(),
        account: asked.account.clone(),
        consumer: spec.consumer.clone(),
        plan: found.plan.clone(),
        external_id: found.external_id.clone(),
        status: Subscribed::Pending,
        is_paused: false,
        is_detached: found.is_detached,
        is_revoked: false,
        expires_at_seconds: None,
        keys: vec![Key { name: key_name(id, 1), rotation: spec.rotation.clone(), ..Key::default() }],
        generation: 1,
        requests: Requests::default(),
    });
    if subscription.is_revoked {
        return Err(Error::conflict(format!("{id} is being given up: try again when it is gone")));
    }
    subscription.requests = requests;
    subscription.requests.note(asked.stamp.clone());
    subscription.expires_at_seconds = spec.expires_at_seconds;
    (subscription.is_detached, subscription.external_id) = (found.is_detached, found.external_id);
    let turned = saga::turn_to(subscription, spec.rotation, |generation| key_name(id, generation), now_seconds);
    turned.ok_or_else(|| unfinished(subscription))
}

fn key_name(id: &str, generation: u32) -> String {
    format!("foregate-{id}-{generation}")
}

fn unfinished(subscription: &Subscription) -> Error {
    let until = subscription.keys.iter().filter_map(|key| key.retires_at_seconds).max().unwrap_or_default();
    Error::conflict(format!(
        "the last rotation's old key works until {}: rotate again after that",
        shared::time::rfc3339(until)
    ))
}

/// What `apply` would do now, changing nothing.
pub async fn plan<W: World>(
    world: &W,
    caller: &Caller,
    spec: &SubscriptionSpec,
    known: Option<&Subscription>,
) -> Result<String, Error> {
    let plan = plan_of(world, caller, spec).await?.plan;
    let change = match known {
        None => format!("+ an API key for {} on {} ({})\n", spec.consumer, plan.name, plan.id),
        Some(known) if known.keys.last().is_some_and(|key| key.rotation != spec.rotation) => {
            format!("~ another API key for {}\n", spec.consumer)
        }
        Some(known) if known.expires_at_seconds != spec.expires_at_seconds => "~ another end\n".to_owned(),
        Some(_) => String::new(),
    };
    Ok(change)
}

/// What an owner may want of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No calls for now.
    Pause,
    /// Calls again.
    Resume,
    /// Another key, the old one working beside it for so many seconds.
    Rotate(u64),
    /// To be given up.
    Revoke,
    /// What is due: a key that retires, an end, a plan that came or went.
    Look,
}

/// Does what is wished. `None` where there is no such subscription, or the request was overtaken.
pub async fn wish<W: World>(
    world: &W,
    invocation: &Invocation,
    id: &str,
    stamp: Option<&Stamp>,
    wish: Wish,
) -> Result<Option<Given>, Error> {
    let mut lease = lease(world, invocation, id).await?;
    let registry = Registry::new(world.table());
    let is_late = |one: &Subscription| stamp.is_some_and(|stamp| one.requests.supersede(stamp));
    let Some(subscription) = lease.value.as_mut().filter(|one| one.status != Subscribed::Revoked && !is_late(one))
    else {
        lease.release(&registry).await?;
        return Ok(None);
    };
    let done = carry_out(world, subscription, wish).await;
    if let Some(stamp) = stamp {
        subscription.requests.note(stamp.clone());
    }
    if let Err(error) = done {
        lease.release(&registry).await?;
        return Err(error);
    }
    let value = matches!(wish, Wish::Rotate(_)).then_some(Value::Once);
    finish(world, lease, value).await.map(Some)
}

async fn carry_out<W: World>(world: &W, subscription: &mut Subscription, wish: Wish) -> Result<(), Error> {
    match wish {
        Wish::Pause => subscription.is_paused = true,
        Wish::Resume => subscription.is_paused = false,
        Wish::Rotate(overlap) => {
            let id = subscription.id.clone();
            let name_of = |generation| key_name(&id, generation);
            saga::rotate(subscription, name_of, world.now_seconds(), overlap)
                .ok_or_else(|| unfinished(subscription))?;
        }
        Wish::Revoke => subscription.is_revoked = true,
        Wish::Look => subscription.is_detached = is_detached(world, &subscription.plan).await?,
    }
    Ok(())
}

/// Whether the plan is for no stage, as the last scan of its place saw it; nobody's word is no reason to suspend.
async fn is_detached<W: World>(world: &W, plan: &PlanAt) -> Result<bool, Error> {
    let key = registry::catalog_place_key(&plan.place.to_string());
    let scanned: Option<Record<Leased<Scanned>>> = Registry::new(world.table()).get(&key).await?;
    let Some(scanned) = scanned.map(|record| record.value.value).filter(|scanned| scanned.last.is_some()) else {
        return Ok(false);
    };
    Ok(scanned.plans.iter().find(|one| one.id == plan.id).is_none_or(|one| one.stages.is_empty()))
}

/// Runs the saga to its end, under its lease, and gives the key's value where it is wanted.
async fn finish<W: World>(
    world: &W,
    mut lease: Lease<Option<Subscription>>,
    wanted: Option<Value>,
) -> Result<Given, Error> {
    let registry = Registry::new(world.table());
    // Invariant: what is wanted, the name of the next key among it, is written down before anything is made.
    lease.save(&registry).await?;
    let ran = run(world, &mut lease).await;
    let Some(mut subscription) = lease.value.clone() else {
        lease.release(&registry).await?;
        return Err(Error::upstream("the subscription is gone again: try once more"));
    };
    let value = match (ran, wanted) {
        (Ok(()), Some(wanted)) => value(world, &mut subscription, wanted).await,
        (ran, _) => ran.map(|()| None),
    };
    subscription.status = saga::status(&subscription, world.now_seconds());
    if subscription.status == Subscribed::Revoked {
        lease.expire_at(world.now_seconds() + TOMBSTONE_SECONDS);
    }
    lease.value = Some(subscription.clone());
    lease.release(&registry).await?;
    Ok(Given { subscription, value: value? })
}

async fn run<W: World>(world: &W, lease: &mut Lease<Option<Subscription>>) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    for _ in 0..STEPS_MAX {
        let Some(subscription) = lease.value.as_mut() else { return Ok(()) };
        let Some(step) = saga::next(subscription, world.now_seconds()) else { return Ok(()) };
        take(world, subscription, step).await?;
        lease.save(&registry).await?;
    }
    Err(Error::upstream("internal error: a subscription's steps do not end; please report it"))
}

async fn take<W: World>(world: &W, subscription: &mut Subscription, step: Step) -> Result<(), Error> {
    let access = access(world, subscription);
    let (apis, plan) = (world.apis(), subscription.plan.id.clone());
    let describe = format!("{} on {}", subscription.consumer, subscription.plan.name);
    let tag = (TAG, world.settings().prefix.as_str());
    let (Step::Make(index) | Step::Attach(index) | Step::Enable(index, _) | Step::Delete(index)) = step;
    let Some(key) = subscription.keys.get_mut(index) else { return Ok(()) };
    let id = key.id.clone().unwrap_or_default();
    match step {
        Step::Make(_) => {
            let found = apis.find_key(&access, &key.name).await?;
            let id = match found {
                Some(id) => id,
                None => apis.create_key(&access, &key.name, &describe, tag).await.map_err(refused)?,
            };
            (key.id, key.is_enabled) = (Some(id), true);
        }
        Step::Attach(_) => match apis.attach_key(&access, &plan, &id).await {
            Ok(()) => key.is_attached = true,
            Err(error) => forget(apis, &access, key, error).await?,
        },
        Step::Enable(_, enabled) => match apis.enable_key(&access, &id, enabled).await {
            Ok(()) => key.is_enabled = enabled,
            Err(error) => forget(apis, &access, key, error).await?,
        },
        Step::Delete(_) => {
            // By its name: its id may have got lost, and of a key that is gone IAM says that it may not be deleted, since
            // it has no tag any more.
            if let Some(id) = apis.find_key(&access, &key.name).await? {
                apis.delete_key(&access, &id).await?;
            }
            subscription.keys.remove(index);
        }
    }
    Ok(())
}

/// A key that somebody has deleted is made anew; any other error stays one. Of a key that is gone IAM says that it may not be
/// touched, since it has no tag any more.
async fn forget<A: ApiKeys>(apis: &A, access: &Access, key: &mut Key, error: AwsError) -> Result<(), Error> {
    let may_be_gone = matches!(error.cause, Cause::NotFound | Cause::Denied);
    if !may_be_gone || apis.find_key(access, &key.name).await?.is_some() {
        return Err(refused(error));
    }
    *key = unmade(key);
    Ok(())
}

/// The key as it was before it was made.
fn unmade(key: &Key) -> Key {
    let (name, rotation, retires_at_seconds) = (key.name.clone(), key.rotation.clone(), key.retires_at_seconds);
    Key { name, rotation, retires_at_seconds, ..Key::default() }
}

fn access<W: World>(world: &W, subscription: &Subscription) -> Access {
    world.settings().writing(&subscription.plan.place, subscription.external_id.as_deref())
}

/// What API Gateway says of limits and of plans that can't be had together.
fn refused(error: AwsError) -> Error {
    match error.cause {
        Cause::LimitExceeded => Error::new(
            ErrorType::LimitExceeded,
            format!(
                "API Gateway has no room for another API key (10,000 per account and region, which can't be raised): \
                 revoke subscriptions that nobody uses ({})",
                error.message
            ),
        ),
        _ => error.into(),
    }
}

/// The newest key's value, for who is to have it. Who has deleted the key behind our back has it made anew by the next look.
async fn value<W: World>(world: &W, subscription: &mut Subscription, wanted: Value) -> Result<Option<Secret>, Error> {
    let access = access(world, subscription);
    let Some(key) = subscription.keys.last_mut() else { return Ok(None) };
    let Some(id) = key.id.clone().filter(|_| wanted == Value::Always || !key.is_given) else {
        return Ok(None);
    };
    let value = match world.apis().key_value(&access, &id).await {
        Ok(Some(value)) => value,
        Ok(None) => {
            *key = unmade(key);
            return Err(gone(&id));
        }
        Err(error) => {
            forget(world.apis(), &access, key, error).await?;
            return Err(gone(&id));
        }
    };
    key.is_given = true;
    Ok(Some(value))
}

fn gone(id: &str) -> Error {
    Error::conflict(format!(
        "somebody has deleted the API key {id} of this subscription: ask again, and another is made"
    ))
}

/// The plan that is asked for, if the caller may have it.
async fn plan_of<W: World>(world: &W, caller: &Caller, spec: &SubscriptionSpec) -> Result<FoundPlan, Error> {
    let home = &world.settings().home;
    let place = Place {
        account: spec.account.clone().unwrap_or_else(|| home.account.clone()),
        region: spec.region.clone().unwrap_or_else(|| home.region.clone()),
    };
    if let Caller::Tenant(account) = caller
        && place.account != *account
        && place.account != home.account
    {
        return Err(Error::forbidden(format!(
            "Plan.AccountId: account {account} may subscribe to its own usage plans and to the front door's, not to account \
             {}'s",
            place.account
        )));
    }
    let known = targets::known(world).await?;
    let access = match known.at(&place) {
        Some(target) => target.access.clone(),
        None => world.settings().reading(&place.account, &place.region, None, spec.external_id.as_deref()),
    };
    let plans = world.apis().list_plans(&access).await?;
    let fits = |plan: &&shared::aws::UsagePlan| match &spec.plan {
        PlanName::Id(id) => plan.id == *id,
        PlanName::Name(name) => plan.name == *name,
    };
    let fitting: Vec<&shared::aws::UsagePlan> = plans.iter().filter(fits).collect();
    let plan = match fitting[..] {
        [plan] => plan,
        [] => return Err(Error::not_found(format!("Plan: there is no such usage plan at {place}"))),
        _ => {
            let ids: Vec<&str> = fitting.iter().map(|plan| plan.id.as_str()).collect();
            return Err(Error::conflict(format!(
                "Plan.UsagePlanName: several usage plans are called so, {}: name one by its UsagePlanId",
                ids.join(", ")
            )));
        }
    };
    if let Caller::Tenant(account) = caller
        && place.account != *account
    {
        admit(world, account, plan).await?;
    }
    let plan_at = PlanAt { place, id: plan.id.clone(), name: plan.name.clone() };
    // One external id is for both roles of an account, unless somebody says otherwise.
    let external_id = spec.external_id.clone().or_else(|| access.role.and_then(|role| role.external_id));
    Ok(FoundPlan { plan: plan_at, external_id, is_detached: plan.stages.is_empty() })
}

/// Of the central account's plans a tenant may have those that its grant names; where that says nothing, those that are for
/// front doors and nothing else.
async fn admit<W: World>(world: &W, account: &AccountId, plan: &shared::aws::UsagePlan) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let tenant: Option<Record<Onboarded>> = registry.get(&registry::tenant_key(account.as_str())).await?;
    let tenant = tenant.map(|record| record.value).filter(|tenant| !tenant.deleted).ok_or_else(|| {
        Error::forbidden(format!("account {account} is no tenant of this front door: ask your platform team"))
    })?;
    let may = match &tenant.grants.usage_plans {
        Some(named) => named.contains(&plan.id) || named.contains(&plan.name),
        None => {
            let doors: Vec<Record<FrontDoor>> = registry.list(registry::front_door_key("")).await?;
            let doors = doors.iter().filter(|record| !record.value.deleted);
            let apis: Vec<&str> = doors.map(|record| record.value.spec.rest_api_id.as_str()).collect();
            !plan.stages.is_empty() && plan.stages.iter().all(|(api, _)| apis.contains(&api.as_str()))
        }
    };
    match may {
        true => Ok(()),
        false => Err(Error::forbidden(format!(
            "Plan: account {account} may not subscribe to {}: ask your platform team for it (UsagePlans)",
            plan.name
        ))),
    }
}
