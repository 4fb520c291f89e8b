//! What is published by itself: a front door, or, with `Shards`, what of it is below one first segment.
//!
//! A shard is a front door of its own in all but its name: a REST API, a lease, revisions. The custom domain name's base path
//! mapping leads each first segment to its own, and takes the segment off. The front door's own REST API, at the domain's
//! root, has the platform team's paths and the operators' fallback.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
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

/// What a shard's REST API has of the front door's own, `root`: clients reach it through the custom domain name alone, under the
/// same resource policy and TLS, and bills and permissions know it by the same tags.
pub fn inherited(part: &Part, root: &RestApi) -> Result<RestApi, Error> {
    let mut tags = root.tags.clone();
    tags.retain(|key, _| !key.starts_with("aws:"));
    tags.insert(TAG.to_owned(), part.door.name.to_string());
    let policy = root.policy.as_ref().map(without_api).transpose()?;
    Ok(RestApi { policy, disable_execute_api_endpoint: true, tags, ..root.clone() })
}

/// The tag that says which front door's shard a REST API is.
const TAG: &str = "foregate:front-door";

/// A resource policy that names no REST API: `execute-api:/` is the one whose it is. A shard has other paths, so that a statement
/// about one path would speak of another there.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html>
fn without_api(policy: &Value) -> Result<Value, Error> {
    Ok(match policy {
        Value::String(text) => Value::String(resource_without_api(text)?),
        Value::Array(all) => Value::Array(all.iter().map(without_api).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let field = |(key, one): (&String, &Value)| {
                let is_resource = key != "Condition";
                Ok((key.clone(), if is_resource { without_api(one)? } else { one.clone() }))
            };
            let fields = fields.iter().map(field);
            Value::Object(fields.collect::<Result<_, Error>>()?)
        }
        other => other.clone(),
    })
}

fn resource_without_api(text: &str) -> Result<String, Error> {
    let is_resource = text.starts_with("execute-api:/") || (text.starts_with("arn:") && text.contains(":execute-api:"));
    let Some((_, rest)) = text.split_once('/').filter(|_| is_resource) else { return Ok(text.to_owned()) };
    match rest.splitn(3, '/').nth(2) {
        None | Some("*") => Ok(format!("execute-api:/{rest}")),
        Some(_) => Err(Error::blocked(format!(
            "Shards: the resource policy of the front door's REST API has a statement about {text}, and the paths of shards are \
             others: make it about the whole stage"
        ))),
    }
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
            let root = observe::rest_api(world, &part.door).await?;
            let shard = RestApi { name, description: Some(description), ..inherited(part, &root)? };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shard_is_guarded_as_the_front_door_is_and_reached_by_its_domain_alone() {
        let door = json!({"RestApiId": "f1e2d3c4b5", "StageName": "live", "Shards": {"DomainName": "api.example.com"}});
        let part = Part::below(&FrontDoorSpec::parse(door).unwrap(), "cats");
        let resource = "arn:aws:execute-api:eu-west-1:123456789012:f1e2d3c4b5/live/*";
        let policy = |resource: &str| Some(json!({"Statement": [{"Effect": "Deny", "Resource": [resource]}]}));
        let root = RestApi {
            policy: policy(resource),
            security_policy: Some("TLS_1_2".into()),
            api_key_source: Some("AUTHORIZER".into()),
            binary_media_types: vec!["image/png".into()],
            tags: [("cost".to_owned(), "7".to_owned()), ("aws:cloudformation:stack-name".to_owned(), "x".to_owned())]
                .into(),
            ..RestApi::default()
        };
        let shard = inherited(&part, &root).unwrap();
        let tags = [("cost".to_owned(), "7".to_owned()), (TAG.to_owned(), "default".to_owned())].into();
        let own = policy("execute-api:/live/*");
        assert_eq!(shard, RestApi { disable_execute_api_endpoint: true, tags, policy: own, ..root.clone() });
        let of_a_path = policy(&resource.replace("/*", "/GET/dogs/*"));
        let error = inherited(&part, &RestApi { policy: of_a_path, ..root }).unwrap_err();
        assert!(
            error
                .message
                .contains("a statement about arn:aws:execute-api:eu-west-1:123456789012:f1e2d3c4b5/live/GET/dogs/*")
        );
    }
}
