//! Which routes go live. Grants and links are looked at anew each time: a grant that was taken back takes its routes along.

use std::collections::{BTreeMap, BTreeSet};

use shared::error::{Error, ErrorType};
use shared::front_door::claims::{self, Claims};
use shared::front_door::records::{Refusal, Route, Status};
use shared::front_door::resources::{self, Resources};
use shared::front_door::{Auth, Backend, Name, RoutePath, RouteSpec};

use super::{PublishedRoute, Reading, Selection, Verdict};

/// The verdict on every route, and what is published.
pub fn select(reading: &Reading) -> Selection {
    select_without(reading, &BTreeMap::new())
}

/// The same where API Gateway has refused these: of each of them stays what is live already.
pub fn select_without(reading: &Reading, refused: &BTreeMap<String, Verdict>) -> Selection {
    let mut selection = Selection::default();
    let mut room = Room::of(reading);
    for route in by_seniority(&reading.routes) {
        let refused = refused.get(&route.id);
        let verdict = judge(reading, route, refused, &mut room, &mut selection.goes);
        selection.verdicts.insert(route.id.clone(), verdict);
    }
    selection.goes.sort_by_key(order);
    selection
}

/// The order that routes are published in.
pub fn order(one: &PublishedRoute) -> (RoutePath, String, String) {
    (one.path.clone(), one.spec.methods.to_string(), one.id.clone())
}

/// Those that are live come first, then those that were, so that it is a newcomer that finds no room; then those that were
/// claimed first.
fn by_seniority(routes: &[Route]) -> Vec<&Route> {
    let mut sorted: Vec<&Route> = routes.iter().collect();
    let age = |route: &Route| (route.live.is_none(), route.suspended.is_none());
    sorted.sort_by_key(|route| (age(route), route.spec.path.first(), route.claimed_at, &route.id));
    sorted
}

fn judge(
    reading: &Reading,
    route: &Route,
    refused: Option<&Verdict>,
    room: &mut Room,
    goes: &mut Vec<PublishedRoute>,
) -> Verdict {
    if matches!(route.status, Status::Deleting | Status::Deleted) {
        return Verdict::Deleted;
    }
    let asked = match (&route.refusal, refused) {
        // What was rejected once stays so until it is asked for anew.
        (Some(refusal), _) if route.status == Status::Rejected => Err(Verdict::Rejected(refusal.clone())),
        (_, Some(verdict)) => Err(verdict.clone()),
        _ => admit(reading, route, &route.spec, room),
    };
    match asked {
        Ok(one) => {
            goes.push(one);
            Verdict::Live
        }
        Err(verdict) => {
            let before = route.accepted().filter(|spec| **spec != route.spec);
            match before.map(|spec| admit(reading, route, spec, room)) {
                Some(Ok(one)) => goes.push(one),
                // Its place is kept: nobody else comes in while the culprit is looked for.
                _ if refused.is_some() => drop(room.take(reading, route, &route.spec)),
                _ => {}
            }
            verdict
        }
    }
}

fn admit(reading: &Reading, route: &Route, spec: &RouteSpec, room: &mut Room) -> Result<PublishedRoute, Verdict> {
    // What was live comes back by itself, however long that takes; what never was has somebody waiting to hear.
    let refuse = |error: Error| match route.accepted() == Some(spec) {
        true => Verdict::Waits(Refusal::from(&error)),
        false => Verdict::Rejected(Refusal::from(&error)),
    };
    if route.owner != reading.central {
        let tenant = reading.tenants.get(&route.owner);
        let gone = || Error::forbidden(format!("account {} is no tenant of this front door any more", route.owner));
        let granted = tenant.ok_or_else(gone).and_then(|one| one.admit(spec, reading.door.private_api_link.as_ref()));
        granted.map_err(refuse)?;
    }
    // A method with a scheme that is not there may be imported as an open one.
    if let Auth::Authorizer { name, .. } = &spec.auth
        && !reading.door.authorizers.contains_key(name)
    {
        let door = &reading.door.name;
        return Err(refuse(Error::not_found(format!("Auth: the front door {door} has no authorizer called {name}"))));
    }
    let (link, link_id) = link(reading, spec).map_err(|missing| match missing {
        Missing::Absent(error) => refuse(error),
        Missing::NotYet(error) => Verdict::Waits(Refusal::from(&error)),
    })?;
    if let Some((path, methods)) = reading.foreign.in_the_way_of(spec) {
        return Err(refuse(claims::taken_by_platform(spec, path, methods)));
    }
    room.take(reading, route, spec).map_err(refuse)?;
    let path = spec.path.canonical_among(&reading.foreign.variables);
    Ok(PublishedRoute {
        id: route.id.clone(),
        owner: route.owner.clone(),
        spec: spec.clone(),
        names: spec.path.variables(&path),
        path: if reading.below.is_some() { path.below_first() } else { path },
        link,
        is_new: route.live.as_ref().is_none_or(|live| live.spec != *spec),
        link_id,
    })
}

enum Missing {
    Absent(Error),
    NotYet(Error),
}

fn link(reading: &Reading, spec: &RouteSpec) -> Result<(Name, String), Missing> {
    let absent = |what: &str| Missing::Absent(Error::not_found(what));
    let name: &Name = match &spec.backend {
        Backend::Http { link, .. } => link,
        Backend::PrivateApi { .. } => {
            let link = reading.door.private_api_link.as_ref();
            link.ok_or_else(|| absent("Backend.PrivateApi: the front door's PrivateApiLink is not set"))?
        }
    };
    let link = reading.links.get(name);
    let link = link.ok_or_else(|| absent(&format!("Backend: there is no VPC link called {name}")))?;
    match link.status.as_str() {
        "AVAILABLE" => Ok((name.clone(), link.id.clone())),
        status => Err(Missing::NotYet(Error::new(
            ErrorType::Blocked,
            format!("the VPC link {name} is {status}: the route goes live when it is AVAILABLE"),
        ))),
    }
}

/// What is taken of the front door so far.
#[derive(Default)]
struct Room {
    claims: BTreeMap<String, Claims>,
    seen: BTreeSet<RoutePath>,
    resources: Resources,
}

impl Room {
    /// What the platform team has itself is there before everybody.
    fn of(reading: &Reading) -> Self {
        Self { resources: platforms(reading), ..Self::default() }
    }

    /// Takes the route's place and its resources, or leaves everything as it is.
    fn take(&mut self, reading: &Reading, route: &Route, spec: &RouteSpec) -> Result<(), Error> {
        let first = spec.path.first();
        let claims = self.claims.entry(first.to_owned()).or_default();
        let mut claim = route.claim();
        (claim.path, claim.methods, claim.cors) = (spec.path.clone(), spec.methods.clone(), spec.cors.clone());
        claims.claim(&route.id, claim)?;
        let new: Vec<RoutePath> = spec.path.resources().filter(|one| !self.seen.contains(one)).collect();
        let mine = self.resources.entry(first.to_owned()).or_default().entry(route.owner.clone()).or_default();
        *mine += new.len();
        if let Err(error) = resources::check(&reading.door.name, reading.door.resources_max, &self.resources) {
            let mine = self.resources.entry(first.to_owned()).or_default().entry(route.owner.clone()).or_default();
            *mine -= new.len();
            claims.0.remove(&route.id);
            return Err(error);
        }
        self.seen.extend(new);
        Ok(())
    }
}

/// The resources of the base definition, and in `Mode: Merge` of what is foreign.
fn platforms(reading: &Reading) -> Resources {
    let paths = reading.door.base_paths().unwrap_or_default();
    let base: BTreeSet<RoutePath> = paths.iter().flat_map(|(path, _)| path.resources()).collect();
    let total = base.len() + reading.foreign.resources;
    Resources::from([(PLATFORM.to_owned(), BTreeMap::from([(reading.central.clone(), total)]))])
}

/// What the platform team's own resources are counted under: no first segment is called so.
const PLATFORM: &str = "";

/// How many resources what goes live takes, for `routes` to hold the next one against.
pub fn resources_of(reading: &Reading, goes: &[PublishedRoute]) -> Resources {
    let mut seen = BTreeSet::new();
    let mut resources = platforms(reading);
    for one in goes {
        let new = one.spec.path.resources().filter(|resource| seen.insert(resource.clone())).count();
        *resources.entry(one.spec.path.first().to_owned()).or_default().entry(one.owner.clone()).or_default() += new;
    }
    resources
}
