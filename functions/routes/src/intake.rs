//! Claims a path and writes the route down, or takes it back, whichever door it came through.
//!
//! The claims below one first segment are one item. A claim is written over the version of that item that it was held
//! against, in one transaction with the route and with the answer that a stack waits for: whoever comes second reads the
//! first one's claim. Between routes that share no first segment there is nothing to wait for.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use serde_json::{Value, json};
use shared::aws::Item;
use shared::custom_resource::{Later, Request};
use shared::error::{Error, ErrorType};
use shared::front_door::claims::{self, Claims};
use shared::front_door::records::{Awaited, Publication, Route, Status, Waiting};
use shared::front_door::{Method, RoutePath, RouteSpec};
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use shared::types::AccountId;

use crate::authorise::Grant;
use crate::world::World;

/// Of a thousand stacks that claim below one segment at the same moment, the last one has its turn within a minute.
const ATTEMPTS_MAX: usize = 60;
const WAIT_SECONDS_MAX: u64 = 2;
/// A tombstone outlives every repetition of a request.
const TOMBSTONE_SECONDS: u64 = 24 * 3_600;
/// CloudFormation waits for an hour at most, and the URL's signature does not last for much longer.
const WAITING_SECONDS: u64 = 2 * 3_600;
/// DynamoDB's item takes 400 KB.
const CLAIMS_BYTES_MAX: usize = 380 << 10;

/// A request about one route.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose the route is.
    pub owner: AccountId,
    /// Who asks for it.
    pub origin: Origin,
    /// Tells the request from others.
    pub stamp: Stamp,
    /// The stack's request, if a stack waits for the answer.
    pub request: Option<Request>,
}

/// What the ids of an account's routes begin with.
pub fn kind(owner: &AccountId) -> String {
    format!("route-{owner}")
}

/// The id of this origin's route: another path on another front door is another route.
pub fn route_id(owner: &AccountId, origin: &Origin, spec: &RouteSpec) -> String {
    origin.id(&kind(owner), &format!("{} {}", spec.front_door, spec.path.canonical()))
}

/// A route as it was written down.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The route.
    pub route: Route,
    /// Whether it is live like this already, so that nobody has to wait for the publisher.
    pub is_live: bool,
}

/// Claims the route's path and writes it down; the publisher does the rest.
pub async fn register<W: World>(world: &W, asked: &Asked, spec: RouteSpec, grant: &Grant) -> Result<Registered, Error> {
    check_base_definition(&spec, grant)?;
    again_on_conflict(|| attempt(world, asked, &spec, grant)).await
}

async fn attempt<W: World>(world: &W, asked: &Asked, spec: &RouteSpec, grant: &Grant) -> Result<Registered, Raced> {
    let registry = Registry::new(world.table());
    let id = route_id(&asked.owner, &asked.origin, spec);
    let stored = registry.get::<Route>(&registry::route_key(&id)).await?;
    let claims_key = registry::claims_key(spec.front_door.as_str(), spec.path.first());
    let stored_claims = registry.get::<Claims>(&claims_key).await?;
    let mut claims = stored_claims.unwrap_or_else(|| Record::new(claims_key, Claims::default()));
    let before = claims.value.clone();

    let mut record = record_of(asked, id, spec, stored)?;
    claims.value.claim(&record.value.id, record.value.claim())?;
    if claims.value != before {
        let is_new = !before.0.contains_key(&record.value.id);
        if is_new {
            check_limits(world, grant, &record.value, &claims.value).await?;
            record.value.claimed_at = claims.version + 1;
        }
    }
    let mut items = vec![record.next()?];
    if claims.value != before {
        items.push(fitting(claims.next()?, spec)?);
    }
    let is_live = is_live(world, grant, &record.value).await?;
    if !is_live {
        items.extend(waiting(world, asked, &record.value).await?);
    }
    write(&registry, &items).await?;
    Ok(Registered { route: record.value, is_live })
}

/// Whether the live stage shows the route as it is asked for; not where it was put back to an earlier revision.
async fn is_live<W: World>(world: &W, grant: &Grant, route: &Route) -> Result<bool, Error> {
    let (Status::Live, Some(live)) = (route.status, &route.live) else {
        return Ok(false);
    };
    let (door, segment) = (grant.door.name.as_str(), route.spec.path.first());
    let part = match grant.door.shards {
        Some(_) if segment != RoutePath::ROOT => format!("{door}/{segment}"),
        _ => door.to_owned(),
    };
    let key = registry::publication_key(&part);
    let published = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    Ok(published.is_some_and(|record| record.value.value.shows(live)))
}

/// What `register` would do now, changing nothing.
pub async fn dry_run<W: World>(world: &W, asked: &Asked, spec: &RouteSpec, grant: &Grant) -> Result<Value, Error> {
    check_base_definition(spec, grant)?;
    let registry = Registry::new(world.table());
    let id = route_id(&asked.owner, &asked.origin, spec);
    let stored = registry.get::<Route>(&registry::route_key(&id)).await?;
    let claims = registry.get::<Claims>(&registry::claims_key(spec.front_door.as_str(), spec.path.first())).await?;
    let mut claims = claims.map(|record| record.value).unwrap_or_default();
    let is_there = stored.as_ref().filter(|record| record.value.status != Status::Deleted);
    let change = match is_there {
        None => "add",
        Some(record) if record.value.spec == *spec => "keep",
        Some(_) => "change",
    };
    let route = record_of(asked, id, spec, stored.clone())?.value;
    claims.claim(&route.id, route.claim())?;
    check_limits(world, grant, &route, &claims).await?;
    let plan = format!("{change} {} {} of account {}", spec.methods, spec.path, route.owner);
    Ok(json!({"name": route.origin.name(), "id": route.id, "status": "PLANNED", "plan": plan, "attributes": {}}))
}

/// The route as it is to be written, over the one that is there.
fn record_of(
    asked: &Asked,
    id: String,
    spec: &RouteSpec,
    stored: Option<Record<Route>>,
) -> Result<Record<Route>, Error> {
    let key = registry::route_key(&id);
    let mut record = stored.unwrap_or_else(|| {
        Record::new(
            key,
            Route {
                id,
                owner: asked.owner.clone(),
                origin: asked.origin.clone(),
                spec: spec.clone(),
                generation: 0,
                claimed_at: 0,
                status: Status::Deleted,
                refusal: None,
                live: None,
                suspended: None,
                searches: 0,
                requests: Requests::default(),
            },
        )
    });
    let route = &mut record.value;
    if route.requests.supersede(&asked.stamp) {
        return Err(Error::conflict(format!(
            "this request is older than the last one that {} has seen, and was left undone",
            route.origin.name()
        )));
    }
    let is_as_asked = route.spec == *spec && matches!(route.status, Status::Pending | Status::Waiting | Status::Live);
    if !is_as_asked {
        route.generation += 1;
        route.spec = spec.clone();
        // What was live when a change was rejected is live still: nobody is at work on it.
        let live = route.live.as_mut().filter(|live| route.status == Status::Rejected && live.spec == *spec);
        let is_live = live.map(|live| live.generation = route.generation).is_some();
        route.status = if is_live { Status::Live } else { Status::Pending };
        route.refusal = None;
        route.searches = 0;
    }
    route.requests.note(asked.stamp.clone());
    record.expires_at_seconds = None;
    Ok(record)
}

/// Takes the route back; the publisher takes it off. What was never made, or went already, is gone: `None`.
pub async fn withdraw<W: World>(world: &W, asked: &Asked, id: &str) -> Result<Option<Route>, Error> {
    again_on_conflict(|| async {
        let registry = Registry::new(world.table());
        let Some(mut record) = registry.get::<Route>(&registry::route_key(id)).await? else {
            return Ok(None);
        };
        let route = &mut record.value;
        // A late Delete of what was made again since is done already.
        if route.status == Status::Deleted || route.requests.supersede(&asked.stamp) {
            return Ok(None);
        }
        if route.status != Status::Deleting {
            route.generation += 1;
            route.status = Status::Deleting;
            route.refusal = None;
        }
        route.requests.note(asked.stamp.clone());
        let mut items = vec![record.next()?];
        items.extend(waiting(world, asked, &record.value).await?);
        write(&registry, &items).await?;
        Ok(Some(record.value))
    })
    .await
}

/// Keeps a Create that comes after its Delete from bringing the route back: the Delete of what isn't there (yet).
pub async fn bury<W: World>(world: &W, asked: &Asked, id: &str, spec: RouteSpec) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    if registry.get::<Route>(&registry::route_key(id)).await?.is_some() {
        return Ok(());
    }
    let mut record = record_of(asked, id.to_owned(), &spec, None)?;
    record.value.status = Status::Deleted;
    record.expires_at_seconds = Some(world.now_seconds() + TOMBSTONE_SECONDS);
    match registry.put(&mut record).await {
        Err(error) if error.error_type != ErrorType::Conflict => Err(error),
        _ => Ok(()),
    }
}

/// All routes whose ids begin like this, those that are gone left out.
pub async fn list<W: World>(world: &W, id_prefix: &str) -> Result<Vec<Route>, Error> {
    let records = Registry::new(world.table()).list::<Route>(registry::route_key(id_prefix)).await?;
    Ok(records.into_iter().map(|record| record.value).filter(|route| route.status != Status::Deleted).collect())
}

async fn waiting<W: World>(world: &W, asked: &Asked, route: &Route) -> Result<Option<Item>, Error> {
    let Some(request) = &asked.request else {
        return Ok(None);
    };
    let physical_id = match route.status {
        Status::Deleting => request.physical_resource_id.clone().unwrap_or_else(|| route.id.clone()),
        _ => route.id.clone(),
    };
    let about = Awaited::Route { id: route.id.clone(), segment: route.spec.path.first().to_owned() };
    let door = route.spec.front_door.as_str();
    awaited(world, request, physical_id, door, about, route.generation).await
}

/// The answer that a stack waits for, to be written. A request that comes again finds its own, leaves it, and is answered once.
pub async fn awaited<W: World>(
    world: &W,
    request: &Request,
    physical_id: String,
    door: &str,
    about: Awaited,
    generation: u64,
) -> Result<Option<Item>, Error> {
    let now = world.now_seconds();
    let later = Later::new(request, physical_id)?;
    let waiting = Waiting { about, generation, answer_by_seconds: request.answer_by_seconds(now), later };
    let key = registry::waiting_key(door, waiting.subject(), &request.fingerprint());
    let stored = Registry::new(world.table()).get::<Waiting>(&key).await?;
    if stored.as_ref().is_some_and(|stored| stored.value.generation == generation) {
        return Ok(None);
    }
    let mut record = Record { version: stored.map_or(0, |stored| stored.version), ..Record::new(key, waiting) };
    record.expires_at_seconds = Some(now + WAITING_SECONDS);
    record.next().map(Some)
}

/// What the platform team has itself on the front door is nobody else's.
fn check_base_definition(spec: &RouteSpec, grant: &Grant) -> Result<(), Error> {
    grant.door.check_shard(&spec.path)?;
    for (path, methods) in grant.door.base_paths()? {
        if claims::is_platforms(&path, &methods, spec) {
            return Err(claims::taken_by_platform(spec, &path, &methods));
        }
    }
    Ok(())
}

/// Whether there is room for one more route. The publisher checks the front door's again, over all that it publishes.
async fn check_limits<W: World>(world: &W, grant: &Grant, route: &Route, claims: &Claims) -> Result<(), Error> {
    let door = &grant.door;
    if let Some(tenant) = &grant.tenant {
        let mut routes = claims.count(&route.owner);
        for segment in tenant.first_segments().into_iter().filter(|one| *one != route.spec.path.first()) {
            let key = registry::claims_key(door.name.as_str(), segment);
            let others = Registry::new(world.table()).get::<Claims>(&key).await?;
            routes += others.map_or(0, |record| record.value.count(&route.owner));
        }
        if routes > tenant.routes_max as usize {
            return Err(Error::new(
                ErrorType::LimitExceeded,
                format!(
                    "account {} has {} routes on {}, as many as it may: remove some, or ask your platform team to raise \
                     MaxRoutes",
                    route.owner, tenant.routes_max, door.name
                ),
            ));
        }
    }
    if door.shards.is_some() {
        let resources = [(route.spec.path.first().to_owned(), claims.resources())].into();
        return shared::front_door::resources::check(&door.name, door.resources_max, &resources);
    }
    let key = registry::publication_key(door.name.as_str());
    let published = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    let mut resources = published.map(|record| record.value.value.resources).unwrap_or_default();
    resources.insert(route.spec.path.first().to_owned(), claims.resources());
    shared::front_door::resources::check(&door.name, door.resources_max, &resources)
}

/// `ANY` and methods by name of one path stand in one claim each, so that a segment has some thousand at most.
fn fitting(item: Item, spec: &RouteSpec) -> Result<Item, Error> {
    let bytes = item.body.to_string().len();
    match bytes <= CLAIMS_BYTES_MAX {
        true => Ok(item),
        false => Err(Error::new(
            ErrorType::LimitExceeded,
            format!(
                "there are too many routes below /{} ({bytes} bytes of claims, {CLAIMS_BYTES_MAX} fit): use {} in place of \
                 methods one by one, or paths below another first segment",
                spec.path.first(),
                Method::Any.as_str()
            ),
        )),
    }
}

/// Why an attempt did not come through: somebody else was faster, or something that another attempt won't change.
enum Raced {
    Lost,
    Failed(Error),
}

impl From<Error> for Raced {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

async fn write<T: shared::aws::Table>(registry: &Registry<'_, T>, items: &[Item]) -> Result<(), Raced> {
    registry.put_all(items).await.map_err(|error| match error.error_type {
        ErrorType::Conflict => Raced::Lost,
        _ => Raced::Failed(error),
    })
}

async fn again_on_conflict<T, F, A>(attempt: A) -> Result<T, Error>
where
    A: FnMut() -> F,
    F: Future<Output = Result<T, Raced>>,
{
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(WAIT_SECONDS_MAX))
        .with_max_times(ATTEMPTS_MAX)
        .with_jitter();
    let result = attempt.retry(waits).when(|raced| matches!(raced, Raced::Lost)).await;
    result.map_err(|raced| match raced {
        Raced::Failed(error) => error,
        Raced::Lost => Error::conflict("too many others were at work on the same paths: try again"),
    })
}
