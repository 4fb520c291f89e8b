//! One publication of one front door, under its lease: read, decide, put live, settle. Everything that is pending when a
//! deployment may be made goes along.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use shared::aws::{Bus, OwnEvent, RestApis, Stage};
use shared::entry::Invocation;
use shared::error::Error;
use shared::front_door::records::{ApiSettings, Publication, Refusal, Revision, Route};
use shared::front_door::{FrontDoorSpec, Mode, Name};
use shared::lease::Lease;
use shared::origin::hash;
use shared::registry::{self, Record, Registry};
use shared::telemetry::{Metric, count};

use crate::apply;
use crate::apply::stage::Wanted;
use crate::observe;
use crate::part::{self, Part};
use crate::plan::api_settings::{differences, patches};
use crate::plan::changes::{LINES_BYTES_MAX, WARNINGS_BYTES_MAX, bounded, changes};
use crate::plan::links::{links, stage_variables};
use crate::plan::present::{Foreign, Present, drift, names, removals};
use crate::plan::render::{render, settings};
use crate::plan::select::{resources_of, select};
use crate::plan::{Carried, Reading, Selection};
use crate::rate;
use crate::settle;
use crate::world::World;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What waits to be published.
    Pending,
    /// In any case, the live stage included.
    Everything,
    /// In any case, and though an operator has put the stage back.
    Forward,
}

/// How often somebody who waits for the lease looks again.
const LOOK: Duration = Duration::from_millis(300);
/// So many stacks that wait, and so many more with every second, are a burst.
const BURST: usize = 5;
/// Nobody waits for longer on account of others that come after.
const GATHER_MILLIS: u64 = 20_000;
/// What a publication needs of the function's time, answers included.
const NEEDED: Duration = Duration::from_secs(20);

/// Publishes the part, and settles what is settled.
pub async fn publish<W: World>(
    world: &W,
    invocation: &Invocation,
    part: &Part,
    depth: Depth,
) -> Result<Publication, Error> {
    let registry = Registry::new(world.table());
    let mut lease = lease(world, invocation, part).await?;
    if depth == Depth::Forward {
        lease.value.rolled_back_by = None;
    }
    let done = under_lease(world, invocation, part, depth, &mut lease).await;
    if let Err(error) = settle::answer_late(world, part, &lease.value, done.as_ref().err()).await {
        tracing::error!(front_door = part.name(), "failed to answer who waits for too long: {error}");
    }
    let publication = lease.value.clone();
    // A lease that was lost is nobody's to give back; what was done under it is what counts.
    if let Err(error) = lease.release(&registry).await {
        tracing::warn!(front_door = part.name(), "failed to give the lease back: {error}");
    }
    count(Metric::PublishFailed, u64::from(done.is_err()));
    done.map(|()| publication)
}

/// The lease, as soon as whoever has it is done.
pub async fn lease<W: World>(world: &W, invocation: &Invocation, part: &Part) -> Result<Lease<Publication>, Error> {
    let registry = Registry::new(world.table());
    let key = registry::publication_key(&part.name());
    loop {
        match Lease::of(&registry, &key, invocation, world.now_millis() / 1_000).await? {
            Some(lease) => return Ok(lease),
            None if invocation.remaining() > NEEDED => tokio::time::sleep(LOOK).await,
            None => {
                return Err(Error::conflict(format!("the front door {} is being published: try again", part.name())));
            }
        }
    }
}

async fn under_lease<W: World>(
    world: &W,
    invocation: &Invocation,
    part: &Part,
    depth: Depth,
    lease: &mut Lease<Publication>,
) -> Result<(), Error> {
    if let Some(by) = &lease.value.rolled_back_by {
        tracing::warn!(front_door = part.name(), by, "held at an earlier revision: publish puts it forward again");
        return Ok(());
    }
    rate::wait(world).await?;
    gather(world, invocation, part).await?;
    let Some(mut part) = part.as_asked_for_now(world).await? else {
        tracing::info!(front_door = part.name(), "it is not there any more, or is of another kind now");
        return Ok(());
    };
    let door_hash = observe::surroundings(world).await?.hash_with(&part.door);
    let records = observe::routes(world, &part).await?;
    // Nobody can have edited a shard that has no REST API yet.
    let is_unmade = part.segment().is_some() && lease.value.shard_api.is_none();
    let depth = if is_unmade { Depth::Pending } else { depth };
    let root = part.door.rest_api_id.clone();
    part.door.rest_api_id = part.api(&lease.value).clone();
    let published = observe::published_settings(world, &part, &lease.value).await?;
    let mut refusal = refused_settings(&part, depth, &lease.value, published.as_ref(), &records);
    if let (Some(settings), true) = (&published, refusal.is_some()) {
        part.door = settings.clone();
    }
    let published = published.filter(|settings| *settings != part.door);
    let (present, foreign) = look_around(world, &part.door, depth, &lease.value).await?;
    let reading = observe::reading(world, &part, invocation.caller.account(), &records, foreign).await?;
    let mut selection = select(&reading);
    if selection.goes.is_empty() && lease.value.revision == 0 && part.door.base_paths()?.is_empty() {
        // API Gateway deploys nothing that has no method, and there is nothing to take off.
        lease.value.settled_with(door_hash, part.generation, None);
        return settle::settle(world, &part, &lease.value, records, &selection).await;
    }
    if let Some(refusal) = refusal.clone().filter(|_| lease.value.revision == 0) {
        lease.value.door_hash = door_hash;
        return settle::settle(world, &part, &lease.value, records, &selection.held(&refusal)).await;
    }
    part.door.rest_api_id = part::ensure_api(world, &part, lease).await?;
    let door = &part.door.clone();
    let api = observe::rest_api(world, door).await?;
    let had = observe::kept(world, &part, &api, &root, &lease.value, &reading.foreign).await?;
    let document = render(door, &had, &selection.goes, world.region());
    let stages = world.apis().get_stages(&door.rest_api_id).await?;
    apply::deploy::remove_candidate(world, door, &stages).await;
    let stage = stages.get(door.stage_name.as_str());
    apply::stage::refuse_canary(door, stage)?;
    let is_as_published = lease.value.hash == hash(&document.to_string()) && stage.is_some();
    // What is to be imported anyway replaces what was edited.
    let edits = match &present {
        Some(present) if is_as_published => {
            let methods = drift(&document, present, &reading.foreign.names);
            let reset = patches(&had.settings, &door.base_definition, &api);
            let reset = reset.into_iter().map(|patch| format!("~ the REST API is without {patch:?}"));
            methods.into_iter().chain(differences(&document, &api)).chain(reset).collect()
        }
        _ => Vec::new(),
    };
    let shown = stage.map(|stage| stage.deployment_id.as_str());
    let is_moved = lease.value.revision > 0 && shown != Some(&lease.value.deployment_id);
    let told = shown.filter(|_| is_moved).map(str::to_owned);
    tell_drift(world, door, lease, told.as_deref(), &edits).await?;
    let repairs = door.mode == Mode::Overwrite;
    if !is_as_published || (repairs && !edits.is_empty()) {
        if let (Mode::Merge, Some(present)) = (door.mode, &present) {
            make_room(world, door, lease, present, &reading.foreign, &document).await?;
        }
        tracing::info!(
            front_door = door.name.as_str(),
            plan = changes(&reading.routes, &selection).join("\n"),
            "publishing"
        );
        let asked = selection.clone();
        preserve(world, lease, &had).await?;
        let imported = apply::import(world, invocation, door, published.as_ref(), &had, &reading, selection).await?;
        let imported = match imported {
            Ok(imported) => imported,
            // Nothing was ever published: there is nothing to go back to.
            Err(refusal) if lease.value.revision == 0 => {
                let held = asked.held(&refusal);
                lease.value.settled_with(door_hash, part.generation, Some(refusal));
                return settle::settle(world, &part, &lease.value, records, &held).await;
            }
            Err(refusal) => return Err((&refusal).into()),
        };
        let document = imported.document;
        selection = imported.selection;
        refusal = refusal.or(imported.settings_refusal);
        part.door = imported.settings;
        let warnings = &imported.warnings;
        let draft = Draft { part: &part, reading: &reading, had: &had, stage, warnings };
        go_live(world, lease, draft, &selection, &document).await?;
    }
    if is_as_published {
        point_again(world, door, lease, stage, links(&selection.goes)).await?;
    }
    part::ensure_mapping(world, &part).await?;
    lease.value.settled_with(door_hash, part.generation, refusal);
    settle::settle(world, &part, &lease.value, records, &selection).await
}

/// Why the front door's settings that are asked for can't be published: they were rejected once, and stay so until they are
/// asked for anew, or they take away what live routes need.
fn refused_settings(
    part: &Part,
    depth: Depth,
    publication: &Publication,
    published: Option<&FrontDoorSpec>,
    records: &[Record<Route>],
) -> Option<Refusal> {
    let rejected = publication.door_refusal.as_ref().filter(|_| publication.door_generation == part.generation);
    if let Some(refusal) = rejected.filter(|_| depth != Depth::Forward) {
        return Some(refusal.clone());
    }
    let live: Vec<&Route> = records.iter().map(|record| &record.value).filter(|route| route.live.is_some()).collect();
    let lost = part.door.check_needs(published?, &live).err()?;
    Some(Refusal::from(&lost))
}

/// Points the stage at what is published, and its variables at where the links lead now, if it is not like that. A stage that
/// somebody has moved in `Mode: Merge` keeps what it shows.
async fn point_again<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    lease: &mut Lease<Publication>,
    stage: Option<&Stage>,
    links: BTreeMap<Name, String>,
) -> Result<(), Error> {
    let registry = Registry::new(world.table());
    let left = stage.filter(|_| door.mode == Mode::Merge).map(|stage| &stage.deployment_id);
    let deployment_id = left.unwrap_or(&lease.value.deployment_id).clone();
    let variables = stage_variables(&links);
    let wanted = Wanted { deployment_id: &deployment_id, links: variables, settings: &door.stage };
    let is_noted = lease.value.links == links && lease.value.next_links.is_empty();
    if is_noted && stage.is_some_and(|stage| wanted.is_on(stage)) {
        return Ok(());
    }
    lease.value.next_links = links.values().cloned().collect();
    lease.save(&registry).await?;
    apply::stage::switch(world, door, stage, &wanted).await?;
    lease.value.links = links;
    lease.value.next_links.clear();
    lease.save(&registry).await
}

/// What the REST API has, where the mode or the depth ask for it, and what of that is not Foregate's.
pub async fn look_around<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    depth: Depth,
    publication: &Publication,
) -> Result<(Option<Present>, Foreign), Error> {
    if door.mode == Mode::Overwrite && depth == Depth::Pending {
        return Ok((None, Foreign::default()));
    }
    let present = observe::present(world, door).await?;
    let foreign = match door.mode {
        Mode::Overwrite => Foreign::default(),
        Mode::Merge => Foreign::of(&present, &publication.owned),
    };
    Ok((Some(present), foreign))
}

/// Tells of what somebody has changed by hand, once.
async fn tell_drift<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    lease: &mut Lease<Publication>,
    moved_to: Option<&str>,
    edits: &[String],
) -> Result<(), Error> {
    if moved_to.is_none() && edits.is_empty() {
        lease.value.drift.clear();
        return Ok(());
    }
    let edits = bounded(edits.to_vec(), LINES_BYTES_MAX);
    let published = &lease.value.deployment_id;
    let detail = json!({
        "frontDoor": door.name, "stage": door.stage_name, "shows": moved_to.unwrap_or(published), "published": published,
        "edits": edits, "repaired": door.mode == Mode::Overwrite,
    });
    let found = hash(&detail.to_string());
    if lease.value.drift != found {
        count(Metric::Drift, 1);
        tell(world, "Drift Found", detail).await?;
        lease.value.drift = found;
    }
    Ok(())
}

/// `Mode: Merge`: writes down what will be ours before it is made, and takes off what of ours is not wanted any more. No
/// client sees it before the next deployment; a run that dies here is made good by the next one.
async fn make_room<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    lease: &mut Lease<Publication>,
    present: &Present,
    foreign: &Foreign,
    document: &Value,
) -> Result<(), Error> {
    let wanted = names(document);
    lease.value.owned.extend(wanted.difference(&foreign.names));
    lease.save(&Registry::new(world.table())).await?;
    apply::remove(world, door, &removals(present, &lease.value.owned, &wanted)).await
}

/// Waits while a burst is coming in, within bounds: a hundred stacks at once are then one publication or two, instead of one
/// every five seconds.
async fn gather<W: World>(world: &W, invocation: &Invocation, part: &Part) -> Result<(), Error> {
    let began = world.now_millis();
    let mut before = observe::waiting(world, part).await?;
    while before >= BURST && world.now_millis() - began < GATHER_MILLIS && invocation.remaining() > NEEDED {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = observe::waiting(world, part).await?;
        if now < before + BURST {
            break;
        }
        before = now;
    }
    Ok(())
}

/// What a publication is made of.
#[derive(Clone, Copy)]
struct Draft<'a> {
    part: &'a Part,
    reading: &'a Reading,
    had: &'a Carried,
    stage: Option<&'a Stage>,
    warnings: &'a [String],
}

/// Writes down what an import may reset: a run that dies after it leaves that to the next one.
async fn preserve<W: World>(world: &W, lease: &mut Lease<Publication>, had: &Carried) -> Result<(), Error> {
    if had.settings == ApiSettings::default() {
        return Ok(());
    }
    lease.value.api_settings = Some(had.settings.clone());
    lease.save(&Registry::new(world.table())).await
}

/// Holds what came of the import against the document, and puts it live.
async fn go_live<W: World>(
    world: &W,
    lease: &mut Lease<Publication>,
    draft: Draft<'_>,
    selection: &Selection,
    document: &Value,
) -> Result<(), Error> {
    let Draft { part, reading, had, stage, warnings: _ } = draft;
    let door = &part.door;
    apply::verify::settings(world, door, document, &had.settings).await?;
    lease.value.api_settings = None;
    apply::verify::methods(world, door, document, &reading.foreign).await?;
    // When all that was new is refused, what is live is what it was.
    if lease.value.hash != hash(&document.to_string()) || stage.is_none() {
        put_live(world, lease, draft, selection, document).await?;
        apply::deploy::prune(world, part, &lease.value).await;
    }
    Ok(())
}

/// Deploys what was imported, and switches the live stage.
async fn put_live<W: World>(
    world: &W,
    lease: &mut Lease<Publication>,
    draft: Draft<'_>,
    selection: &Selection,
    document: &Value,
) -> Result<(), Error> {
    let Draft { part, reading, had: _, stage, warnings } = draft;
    let door = &part.door;
    let registry = Registry::new(world.table());
    let number = lease.value.newest + 1;
    let document_hash = hash(&document.to_string());
    let made = (document, document_hash.as_str());
    let deployment_id = apply::deploy::deploy(world, door, &lease.value, made, &reading.foreign).await?;
    let lines = changes(&reading.routes, selection);
    let led = links(&selection.goes);
    let revision = Revision {
        number,
        front_door: door.name.clone(),
        deployment_id: deployment_id.clone(),
        hash: document_hash.clone(),
        made_at_seconds: world.now_millis() / 1_000,
        routes: selection.goes.len(),
        settings: Some(Box::new(door.clone())),
        links: led.keys().cloned().collect(),
        changes: bounded(lines, LINES_BYTES_MAX - WARNINGS_BYTES_MAX),
        warnings: bounded(warnings.to_vec(), WARNINGS_BYTES_MAX),
    };
    // A run that died after this has left the number behind: it is written over.
    let key = registry::revision_key(&part.name(), number);
    let left = registry.get::<Revision>(&key).await?.map_or(0, |record| record.version);
    registry.put(&mut Record { version: left, ..Record::new(key, revision.clone()) }).await?;
    // The fencing token: who has lost the lease fails here, before the stage is touched.
    lease.value.newest = number;
    lease.value.next_links = led.values().cloned().collect();
    lease.save(&registry).await?;
    let wanted = Wanted { deployment_id: &deployment_id, links: stage_variables(&led), settings: &door.stage };
    apply::stage::switch(world, door, stage, &wanted).await?;
    lease.value.revision = number;
    lease.value.deployment_id = deployment_id;
    lease.value.hash = document_hash;
    lease.value.links = led;
    lease.value.next_links.clear();
    lease.value.resources = resources_of(reading, &selection.goes);
    lease.value.settings = settings(&door.base_definition);
    if door.mode == Mode::Merge {
        lease.value.owned = names(document).difference(&reading.foreign.names).collect();
    }
    lease.save(&registry).await?;
    let Revision { routes, changes, warnings, .. } = revision;
    let mut detail = json!({
        "frontDoor": door.name, "revision": number, "routes": routes, "changes": changes, "warnings": warnings,
    });
    if let Some(segment) = part.segment() {
        detail["shard"] = json!(segment);
    }
    count(Metric::Published, 1);
    tell(world, "Front Door Published", detail).await
}

/// Tells the bus something.
pub async fn tell<W: World>(world: &W, detail_type: &'static str, detail: Value) -> Result<(), Error> {
    let event = OwnEvent { detail_type, resources: Vec::new(), detail };
    world.bus().put(&[event]).await.map_err(Error::from)
}
