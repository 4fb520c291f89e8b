//! Step 1, observe: what the registry says, and which links there are.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use serde_json::{Map, Value, json};
use shared::aws::{GatewayResponse, ItemKey, ResourceMethod, RestApi, RestApis, VpcLink, VpcLinks};
use shared::error::Error;
use shared::front_door::claims::Claims;
use shared::front_door::links::Link as OwnLink;
use shared::front_door::records::{FrontDoor, Onboarded, Publication, Revision, Route, Status, Waiting};
use shared::front_door::{FrontDoorSpec, Mode, Name};
use shared::lease::Leased;
use shared::origin::hash;
use shared::registry::{self, Record, Registry};
use shared::types::{AccountId, RestApiId};

use crate::part::{Part, inherited};
use crate::plan::api_settings::api_settings;
use crate::plan::present::{Foreign, Present, Resource, Shown};
use crate::plan::render::GATEWAY_RESPONSES;
use crate::plan::{Carried, Link, Reading};
use crate::world::World;

/// All front doors.
pub async fn front_doors<W: World>(world: &W) -> Result<Vec<FrontDoorSpec>, Error> {
    let records = Registry::new(world.table()).list::<FrontDoor>(registry::front_door_key("")).await?;
    Ok(records.into_iter().filter(|record| !record.value.deleted).map(|record| record.value.spec).collect())
}

/// The records of a front door's routes, those that are gone left out.
pub async fn all_routes<W: World>(world: &W, door: &Name) -> Result<Vec<Record<Route>>, Error> {
    let mut records = Registry::new(world.table()).list::<Route>(registry::route_key("route-")).await?;
    records.retain(|record| record.value.spec.front_door == *door && record.value.status != Status::Deleted);
    Ok(records)
}

/// The records of a part's routes: of a shard those that have claims below its segment, one by one, since it is a small part
/// of many.
pub async fn routes<W: World>(world: &W, part: &Part) -> Result<Vec<Record<Route>>, Error> {
    let Some(segment) = part.claims() else {
        return all_routes(world, &part.door.name).await;
    };
    let registry = Registry::new(world.table());
    let claims = registry.get::<Claims>(&registry::claims_key(part.door.name.as_str(), segment)).await?;
    let keys: Vec<_> = claims.into_iter().flat_map(|record| record.value.0.into_keys()).collect();
    let registry = &registry;
    let reads = keys.into_iter().map(|id| async move { registry.get::<Route>(&registry::route_key(&id)).await });
    let records: Vec<Result<_, Error>> = futures::stream::iter(reads).buffered(READS_MAX).collect().await;
    let mut records: Vec<Record<Route>> =
        records.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    records.retain(|record| record.value.status != Status::Deleted);
    Ok(records)
}

/// Records that are read at a time.
const READS_MAX: usize = 20;

/// The answers that stacks wait for, page by page: tenants decide how many there are. What has expired is nobody's any more.
#[derive(Debug)]
pub struct WaitingPages {
    key: ItemKey,
    after: Option<ItemKey>,
}

impl WaitingPages {
    /// Those about a front door and its routes.
    pub fn of(door: &Name) -> Self {
        Self { key: registry::all_like(registry::waiting_key(door.as_str(), "", "")), after: None }
    }

    /// The next page; none is the end.
    pub async fn next<W: World>(&mut self, world: &W) -> Result<Option<Vec<Record<Waiting>>>, Error> {
        let page = Registry::new(world.table()).page::<Waiting>(self.key.clone(), self.after.as_ref()).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.key.clone());
        let now = world.now_millis() / 1_000;
        let is_wanted = |one: &Record<Waiting>| one.expires_at_seconds.is_none_or(|expires| expires > now);
        Ok(Some(page.into_iter().filter(is_wanted).collect()))
    }
}

/// How many stacks wait for a part.
pub async fn waiting<W: World>(world: &W, part: &Part) -> Result<usize, Error> {
    let (mut pages, mut count) = (WaitingPages::of(&part.door.name), 0);
    while let Some(page) = pages.next(world).await? {
        count += page.iter().filter(|one| part.has(one.value.segment())).count();
    }
    Ok(count)
}

/// The first segments that stacks wait for.
pub async fn waiting_segments<W: World>(world: &W, door: &Name) -> Result<BTreeSet<String>, Error> {
    let (mut pages, mut segments) = (WaitingPages::of(door), BTreeSet::new());
    while let Some(page) = pages.next(world).await? {
        segments.extend(page.iter().map(|one| one.value.segment().to_owned()));
    }
    Ok(segments)
}

/// What is published, read without the lease.
pub async fn publication<W: World>(world: &W, part: &Part) -> Result<Publication, Error> {
    let key = registry::publication_key(&part.name());
    let record = Registry::new(world.table()).get::<Leased<Publication>>(&key).await?;
    Ok(record.map(|record| record.value.value).unwrap_or_default())
}

/// The front door's settings that the live revision was made with; none where that was another REST API or stage.
pub async fn published_settings<W: World>(
    world: &W,
    part: &Part,
    publication: &Publication,
) -> Result<Option<FrontDoorSpec>, Error> {
    let key = registry::revision_key(&part.name(), publication.revision);
    let revision = Registry::new(world.table()).get::<Revision>(&key).await?;
    let is_same = |before: &FrontDoorSpec| {
        let now = &part.door;
        let place = |door: &FrontDoorSpec| (door.rest_api_id.clone(), door.stage_name.clone(), door.shards.clone());
        place(before) == place(now) && before.mode == now.mode
    };
    Ok(revision.and_then(|record| record.value.settings).map(|settings| *settings).filter(is_same))
}

/// What of a publication comes neither from the front door nor from its routes: the tenants' grants, and where links lead.
#[derive(Clone, Debug)]
pub struct Surroundings(Value);

impl Surroundings {
    /// Tells whether a front door's publication was made under the same.
    pub fn hash_with(&self, door: &FrontDoorSpec) -> String {
        hash(&json!([door, self.0]).to_string())
    }
}

/// The tenants' grants, and where links lead.
pub async fn surroundings<W: World>(world: &W) -> Result<Surroundings, Error> {
    let tenants = Registry::new(world.table()).list::<Onboarded>(registry::tenant_key("")).await?;
    let tenants: Vec<_> = tenants.into_iter().map(|record| (record.value.grants, record.value.deleted)).collect();
    Ok(Surroundings(json!([held(world).await?, tenants])))
}

/// All that a decision rests on. The tenants come last: a grant that was just taken back counts.
pub async fn reading<W: World>(
    world: &W,
    part: &Part,
    central: &AccountId,
    routes: &[Record<Route>],
    foreign: Foreign,
) -> Result<Reading, Error> {
    let links = links(world).await?;
    let tenants = Registry::new(world.table()).list::<Onboarded>(registry::tenant_key("")).await?;
    let tenants = tenants.into_iter().map(|record| record.value).filter(|tenant| !tenant.deleted);
    Ok(Reading {
        door: part.door.clone(),
        below: part.segment().map(str::to_owned),
        central: central.clone(),
        routes: routes.iter().map(|record| record.value.clone()).collect(),
        tenants: tenants.map(|tenant| (tenant.grants.account.clone(), tenant.grants)).collect(),
        links,
        foreign,
    })
}

/// The front door's REST API.
pub async fn rest_api<W: World>(world: &W, door: &FrontDoorSpec) -> Result<RestApi, Error> {
    let api = world.apis().get_rest_api(&door.rest_api_id).await?;
    api.ok_or_else(|| Error::not_found(format!("the REST API {} does not exist any more", door.rest_api_id)))
}

/// What an import is to keep of the part's REST API, which has `api`: of a shard it is what the front door's own has, whose id is
/// `root`, but for its name.
pub async fn kept<W: World>(
    world: &W,
    part: &Part,
    api: &RestApi,
    root: &RestApiId,
    publication: &Publication,
    foreign: &Foreign,
) -> Result<Carried, Error> {
    let door = &part.door;
    if part.segment().is_none() {
        return carried(world, door, (api, &door.rest_api_id), publication, foreign).await;
    }
    let own = FrontDoorSpec { rest_api_id: root.clone(), ..door.clone() };
    let inherited = inherited(part, &rest_api(world, &own).await?)?;
    let api = RestApi { name: api.name.clone(), description: api.description.clone(), ..inherited };
    let publication = Publication { api_settings: None, ..publication.clone() };
    carried(world, door, (&api, root), &publication, foreign).await
}

/// What an import is to keep of the REST API `id`, which has `api`; `publication` knows which settings came from an earlier base
/// definition, and are the present one's to keep, and what an import that was interrupted has reset.
async fn carried<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    (api, id): (&RestApi, &RestApiId),
    publication: &Publication,
    foreign: &Foreign,
) -> Result<Carried, Error> {
    let ours = &publication.settings;
    let settings = publication.api_settings.clone().unwrap_or_else(|| api_settings(api));
    let RestApi { description, mut binary_media_types, policy, compressed_from_bytes, api_key_source, .. } =
        api.clone();
    // A set to API Gateway: another order is no other document.
    binary_media_types.sort_unstable();
    let has_foreign_methods = foreign.methods().next().is_some();
    let mut extensions = Map::new();
    // What a merge does not name stays by itself.
    if door.mode == Mode::Overwrite {
        let mut carry = |key: &str, value: Value| {
            if !ours.contains(key) {
                extensions.insert(key.to_owned(), value);
            }
        };
        if !binary_media_types.is_empty() {
            carry("x-amazon-apigateway-binary-media-types", json!(binary_media_types));
        }
        if let Some(bytes) = compressed_from_bytes {
            carry("x-amazon-apigateway-minimum-compression-size", json!(bytes));
        }
        if let Some(source) = api_key_source.filter(|source| source != "HEADER") {
            carry("x-amazon-apigateway-api-key-source", json!(source));
        }
        let responses = world.apis().get_gateway_responses(id).await?;
        let responses =
            responses.into_iter().filter(|one| !ours.contains(&format!("{GATEWAY_RESPONSES}/{}", one.response_type)));
        let responses: Map<String, Value> = responses.map(gateway_response).collect();
        if !responses.is_empty() {
            carry(GATEWAY_RESPONSES, Value::Object(responses));
        }
    }
    Ok(Carried { title: api.name.clone(), description, policy, extensions, settings, has_foreign_methods })
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.html>
fn gateway_response(one: GatewayResponse) -> (String, Value) {
    let GatewayResponse { response_type, status_code, parameters, templates } = one;
    let mut value = json!({"responseParameters": parameters, "responseTemplates": templates});
    if let Some(code) = status_code {
        value["statusCode"] = json!(code);
    }
    (response_type, value)
}

/// What the REST API has now: its resources and their methods, deployed or not. One call for 500 resources, and one more
/// where a method has an authorizer.
pub async fn present<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Present, Error> {
    let resources = world.apis().get_resources(&door.rest_api_id).await?;
    let has_authorizers =
        resources.iter().flat_map(|one| one.methods.values()).any(|method| method.authorizer_id.is_some());
    let authorizers =
        if has_authorizers { world.apis().get_authorizers(&door.rest_api_id).await? } else { BTreeMap::new() };
    let shown = |method: ResourceMethod| {
        let ResourceMethod {
            authorization,
            api_key_required,
            authorizer_id,
            scopes,
            integration_type,
            uri,
            connection_id,
        } = method;
        let authorizer = authorizer_id.map(|id| authorizers.get(&id).cloned().unwrap_or(id));
        Shown { authorization, api_key_required, authorizer, scopes, integration_type, uri, connection_id }
    };
    let resources = resources.into_iter().map(|one| {
        let methods = one.methods.into_iter().map(|(name, method)| (name, shown(method))).collect();
        (one.path, Resource { id: one.id, methods })
    });
    Ok(resources.collect())
}

/// The names that Foregate's own links have, and where each leads; none while the first is being made.
pub async fn held<W: World>(world: &W) -> Result<BTreeMap<Name, Option<String>>, Error> {
    let records = Registry::new(world.table()).list::<Leased<Option<OwnLink>>>(registry::link_key("")).await?;
    let links = records.into_iter().filter_map(|record| record.value.value).filter(|link| !link.deleted);
    Ok(links.map(|link| (link.name, link.current.map(|held| held.id))).collect())
}

/// The links that routes may name, by name.
pub async fn links<W: World>(world: &W) -> Result<BTreeMap<Name, Link>, Error> {
    Ok(by_name(world.apis().vpc_links().await?, held(world).await?))
}

/// A name of Foregate's own leads where the registry says. Of the others, names need not be unique: of several links of one name, one that is available, and of those always the same.
fn by_name(mut links: Vec<VpcLink>, held: BTreeMap<Name, Option<String>>) -> BTreeMap<Name, Link> {
    links.sort_by_key(|link| (link.status != "AVAILABLE", link.id.clone()));
    let mut by_name = BTreeMap::new();
    let status_of = |id: &String| links.iter().find(|link| link.id == *id).map_or("DELETED", |link| &link.status);
    for (name, id) in held {
        let status = id.as_ref().map_or("PENDING", status_of).to_owned();
        by_name.insert(name, Link { id: id.unwrap_or_default(), status });
    }
    for VpcLink { id, name, status, .. } in links {
        if let Ok(name) = name.parse() {
            by_name.entry(name).or_insert(Link { id, status });
        }
    }
    by_name
}
