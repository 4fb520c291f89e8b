//! What is published by itself: a front door, or, with `Shards`, what of it is below one first segment.
//!
//! A shard is a front door of its own in all but its name: a REST API, a lease, revisions. The custom domain name's base path
//! mapping leads each first segment to its own, and takes the segment off. The front door's own REST API, at the domain's
//! root, has the platform team's paths and the operators' fallback.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::{AwsError, RestApi, RestApis};
use shared::error::Error;
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::{FrontDoor, Publication, Route, Status};
use shared::lease::{Lease, Leased};
use shared::registry::{self, Record, Registry};
use shared::types::RestApiId;

use crate::observe::{self, Surroundings};
use crate::world::World;

/// What is published by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The front door; of a shard with the shard's REST API, once that is known.
    pub door: FrontDoorSpec,
    /// Which part of it.
    pub place: Place,
    /// The generation of the front door's settings, once they were read under the lease.
    pub generation: u64,
}

/// Which part of a front door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Whole,
    /// What of a sharded front door begins with no first segment of its own.
    Root,
    /// What of it is below this first segment.
    Below(String),
}

impl Part {
    /// The whole front door, or its root.
    pub fn own(door: &FrontDoorSpec) -> Self {
        let place = if door.shards.is_some() { Place::Root } else { Place::Whole };
        Self { door: door.clone(), place, generation: 0 }
    }

    fn below(door: &FrontDoorSpec, segment: &str) -> Self {
        Self { door: door.shard(), place: Place::Below(segment.to_owned()), generation: 0 }
    }

    /// The same part of the front door as it is asked for now: what was read before a lease was waited for is old. `None` where
    /// there is no such part any more.
    pub async fn as_asked_for_now<W: World>(&self, world: &W) -> Result<Option<Self>, Error> {
        let key = registry::front_door_key(self.door.name.as_str());
        let record = Registry::new(world.table()).get::<FrontDoor>(&key).await?;
        let Some(door) = record.map(|record| record.value).filter(|door| !door.deleted) else { return Ok(None) };
        let part = match (&self.place, door.spec.shards.is_some()) {
            (Place::Below(segment), true) => Some(Self::below(&door.spec, segment)),
            (Place::Root, true) | (Place::Whole, false) => Some(Self::own(&door.spec)),
            _ => None,
        };
        Ok(part.map(|part| Self { generation: door.standing.generation, ..part }))
    }

    /// What it is called: the front door's name, or `NAME/SEGMENT`.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Whole | Place::Root => self.door.name.to_string(),
            Place::Below(segment) => format!("{}/{segment}", self.door.name),
        }
    }

    /// What its claims are kept under, where those are not all of the front door's.
    pub fn claims(&self) -> Option<&str> {
        match &self.place {
            Place::Whole => None,
            Place::Root => Some("*"),
            Place::Below(segment) => Some(segment),
        }
    }

    /// The base path that leads to it.
    pub fn segment(&self) -> Option<&str> {
        match &self.place {
            Place::Below(segment) => Some(segment),
            Place::Whole | Place::Root => None,
        }
    }

    /// The REST API that it is published on: of a shard the one that was made for it, if that was.
    pub fn api<'a>(&'a self, publication: &'a Publication) -> &'a RestApiId {
        publication.shard_api.as_ref().unwrap_or(&self.door.rest_api_id)
    }

    /// Whether what has claims below this first segment is in it.
    pub fn has(&self, segment: &str) -> bool {
        self.claims().is_none_or(|own| own == segment)
    }
}

/// The part that an operator means: `default`, or `default/cats` for a shard.
pub fn find(doors: &[FrontDoorSpec], name: &str) -> Option<Part> {
    let (door, segment) = name.split_once('/').map_or((name, None), |(door, segment)| (door, Some(segment)));
    let door = doors.iter().find(|one| one.name.as_str() == door)?;
    match segment {
        None => Some(Part::own(door)),
        Some(segment) => door.shards.is_some().then(|| Part::below(door, segment)),
    }
}

/// All parts of a front door, with what is published of each; its root comes last, so that a path that moves to a shard is there before it goes here.
pub async fn all<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Vec<(Part, Publication)>, Error> {
    Ok(read(world, door).await?.0)
}

/// The parts of which something waits to be published.
pub async fn pending<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    surroundings: &Surroundings,
) -> Result<Vec<Part>, Error> {
    let (parts, routes, waiting) = read(world, door).await?;
    let is_settled = |route: &Route| matches!(route.status, Status::Live | Status::Rejected);
    let is_pending = |(part, publication): &(Part, Publication)| {
        publication.door_hash != surroundings.hash_with(&part.door)
            || waiting.iter().any(|segment| part.has(segment))
            || routes.iter().map(|one| &one.value).any(|route| part.has(route.spec.path.first()) && !is_settled(route))
    };
    Ok(parts.into_iter().filter(is_pending).map(|(part, _)| part).collect())
}

type Read = (Vec<(Part, Publication)>, Vec<Record<Route>>, BTreeSet<String>);

async fn read<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Read, Error> {
    let own = Part::own(door);
    let routes = observe::all_routes(world, &door.name).await?;
    let waiting = observe::waiting_segments(world, &door.name).await?;
    let name = door.name.as_str();
    let records: Vec<Record<Leased<Publication>>> =
        Registry::new(world.table()).list(registry::publication_key(name)).await?;
    let mut publications: BTreeMap<String, Publication> =
        records.into_iter().map(|record| (record.key.sort, record.value.value)).collect();
    let mut parts = Vec::new();
    if own.place == Place::Root {
        let published = publications.keys().filter_map(|key| key.strip_prefix(name)?.strip_prefix('/'));
        let asked = routes.iter().map(|one| one.value.spec.path.first());
        let segments: BTreeSet<&str> = published.chain(asked).chain(waiting.iter().map(String::as_str)).collect();
        parts.extend(segments.into_iter().filter(|segment| *segment != "*").map(|segment| Part::below(door, segment)));
    }
    parts.push(own);
    let with_publication = |part: Part| {
        let publication = publications.remove(&part.name()).unwrap_or_default();
        (part, publication)
    };
    let parts = parts.into_iter().map(with_publication).collect();
    Ok((parts, routes, waiting))
}

/// The shard's REST API, which is made where there is none. Its name says whose it is, so that one whose maker died before
/// writing it down is found again.
pub async fn ensure_api<W: World>(world: &W, part: &Part, lease: &mut Lease<Publication>) -> Result<RestApiId, Error> {
    let (Some(segment), None) = (part.segment(), &lease.value.shard_api) else {
        return Ok(part.api(&lease.value).clone());
    };
    let (name, description) =
        (part.name(), format!("What the front door {} has below /{segment}; made by Foregate", part.door.name));
    let apis = world.apis();
    let found = apis.find_rest_api(&name, &description).await?;
    let id = match found {
        Some(id) => id,
        None => {
            let own = apis.get_rest_api(&part.door.rest_api_id).await?.unwrap_or_default();
            let shard = RestApi {
                name,
                description: Some(description),
                endpoint_types: own.endpoint_types,
                ..RestApi::default()
            };
            // One in three seconds and account: every shard is made between two deployments, which are one in five.
            apis.create_rest_api(&shard).await?
        }
    };
    lease.value.shard_api = Some(id.clone());
    lease.save(&Registry::new(world.table())).await?;
    Ok(id)
}

/// Leads the shard's base path to its live stage. One that leads somewhere else is somebody's decision, and stays.
pub async fn ensure_mapping<W: World>(world: &W, part: &Part) -> Result<(), Error> {
    let (Some(segment), Some(domain)) = (part.segment(), &part.door.shards) else {
        return Ok(());
    };
    let (id, stage) = (&part.door.rest_api_id, &part.door.stage_name);
    let failed =
        |error: AwsError| Error::upstream(format!("Shards: failed to map {}/{segment}: {error}", domain.as_str()));
    match world.apis().get_base_path_mapping(domain.as_str(), segment).await.map_err(failed)? {
        None => world.apis().create_base_path_mapping(domain.as_str(), segment, id, stage).await.map_err(failed),
        Some((there, shown)) if there == id.as_str() && shown == stage.as_str() => Ok(()),
        Some((there, shown)) => Err(Error::blocked(format!(
            "Shards: the base path {segment} of {} leads to the stage {shown} of {there}, and is to lead to {stage} of {id}: \
             remove that mapping",
            domain.as_str()
        ))),
    }
}
