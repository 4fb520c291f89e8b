//! The door for operators: `publish`, `plan`, `history`, `rollback`, `get`, `list`. The name is the front door's.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::aws::RestApis;
use shared::command::verb;
use shared::entry::Invocation;
use shared::error::Error;
use shared::fields::{read, scalar};
use shared::front_door::FrontDoorSpec;
use shared::front_door::records::{Publication, Revision};
use shared::registry::{self, Registry};
use shared::trigger::Command;

use crate::apply;
use crate::apply::deploy::REVISIONS_MAX;
use crate::apply::stage::Wanted;
use crate::cycle::{self, Depth};
use crate::observe;
use crate::part::{self, Part, Place};
use crate::plan::changes::changes;
use crate::plan::links::stage_variables;
use crate::plan::render::render;
use crate::plan::select::select;
use crate::world::World;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Publish,
    Plan,
    History,
    Rollback,
    Get,
    List,
}

const VERBS: &[(&str, Verb)] = &[
    ("publish", Verb::Publish),
    ("plan", Verb::Plan),
    ("history", Verb::History),
    ("rollback", Verb::Rollback),
    ("get", Verb::Get),
    ("list", Verb::List),
];

/// A direct invoke.
pub async fn command<W: World>(world: &W, invocation: &Invocation, command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    let mut items = command.into_items()?;
    let doors = observe::front_doors(world).await?;
    if verb == Verb::List {
        let mut all = Vec::new();
        for door in &doors {
            let parts = part::all(world, door).await?;
            all.extend(parts.iter().map(|(part, publication)| answer(part, publication)));
        }
        return Ok(json!({"items": all}));
    }
    let [item] = &mut items[..] else {
        return Err(Error::invalid("items: publisher works on one front door at a time"));
    };
    let name = item.name.clone().unwrap_or_else(|| "default".to_owned());
    let part = part::find(&doors, &name);
    let part = &part.ok_or_else(|| Error::not_found(format!("there is no front door called '{name}'")))?;
    match (verb, item.spec.take()) {
        (Verb::Rollback, spec) => rollback(world, invocation, part, spec.unwrap_or_else(|| json!({}))).await,
        (_, Some(_)) => Err(Error::invalid("spec is not a field of this command: give the front door's name alone")),
        (Verb::Publish | Verb::Plan, None) if part.place == Place::Root => {
            let mut all = Vec::new();
            for (part, _) in part::all(world, &part.door).await? {
                all.push(plan_or_publish(world, invocation, verb, &part).await?);
            }
            Ok(json!({"items": all}))
        }
        (Verb::Publish | Verb::Plan, None) => plan_or_publish(world, invocation, verb, part).await,
        (Verb::History, None) => history(world, part).await,
        (Verb::Get | Verb::List, None) => Ok(answer(part, &observe::publication(world, part).await?)),
    }
}

async fn plan_or_publish<W: World>(
    world: &W,
    invocation: &Invocation,
    verb: Verb,
    part: &Part,
) -> Result<Value, Error> {
    match verb {
        Verb::Plan => plan(world, invocation, part).await,
        _ => Ok(answer(part, &cycle::publish(world, invocation, part, Depth::Forward).await?)),
    }
}

fn answer(part: &Part, publication: &Publication) -> Value {
    let status = match (&publication.rolled_back_by, publication.revision) {
        (Some(_), _) => "ROLLED_BACK",
        (None, 0) => "UNPUBLISHED",
        (None, _) => "PUBLISHED",
    };
    let mut answer = json!({
        "name": part.name(),
        "id": part.api(publication),
        "status": status,
        "attributes": {"Revision": publication.revision, "DeploymentId": publication.deployment_id},
    });
    if let Some(by) = &publication.rolled_back_by {
        answer["reason"] = json!(format!("put back by {by}: the command publish puts it forward again"));
    }
    answer
}

/// What `publish` would do now, changing nothing.
async fn plan<W: World>(world: &W, invocation: &Invocation, part: &Part) -> Result<Value, Error> {
    let records = observe::routes(world, part).await?;
    let publication = observe::publication(world, part).await?;
    let mut part = part.clone();
    let root = part.door.rest_api_id.clone();
    part.door.rest_api_id = part.api(&publication).clone();
    let (part, door) = (&part, &part.door);
    let (_, foreign) = cycle::look_around(world, door, Depth::Pending, &publication).await?;
    let reading = observe::reading(world, part, invocation.caller.account(), &records, foreign).await?;
    let selection = select(&reading);
    let api = observe::rest_api(world, door).await?;
    let had = observe::kept(world, part, &api, &root, &publication, &reading.foreign).await?;
    let document = render(door, &had, &selection.goes, world.region());
    let is_same = publication.hash == shared::origin::hash(&document.to_string());
    let mut lines = changes(&reading.routes, &selection);
    if lines.is_empty() {
        lines.push(if is_same { "nothing changes" } else { "~ settings of the front door" }.to_owned());
    }
    let mut answer = answer(part, &publication);
    answer["status"] = json!("PLANNED");
    answer["plan"] = json!(lines.join("\n"));
    answer["document"] = document;
    Ok(answer)
}

async fn revisions<W: World>(world: &W, part: &Part) -> Result<Vec<Revision>, Error> {
    let key = registry::all_like(registry::revision_key(&part.name(), 0));
    let records = Registry::new(world.table()).list::<Revision>(key).await?;
    Ok(records.into_iter().map(|record| record.value).collect())
}

async fn history<W: World>(world: &W, part: &Part) -> Result<Value, Error> {
    let live = observe::publication(world, part).await?.revision;
    let items: Vec<Value> = revisions(world, part)
        .await?
        .iter()
        .rev()
        .map(|one| {
            json!({
                "name": part.name(), "id": one.deployment_id,
                "status": if one.number == live { "LIVE" } else { "KEPT" },
                "attributes": {"Revision": one.number, "MadeAt": one.made_at_seconds, "Routes": one.routes},
                "changes": one.changes, "warnings": one.warnings,
            })
        })
        .collect();
    Ok(json!({"items": items}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Back {
    #[serde(default, deserialize_with = "scalar")]
    revision: Option<u64>,
}

/// Points the live stage at an earlier revision's deployment, and keeps it there until a `publish`.
async fn rollback<W: World>(world: &W, invocation: &Invocation, part: &Part, spec: Value) -> Result<Value, Error> {
    let Back { revision } = read(spec)?;
    let registry = Registry::new(world.table());
    let mut lease = cycle::lease(world, invocation, part).await?;
    let api = part.api(&lease.value).clone();
    let done = async {
        let all = revisions(world, part).await?;
        let live = lease.value.revision;
        let back = match revision {
            Some(number) => all.iter().find(|one| one.number == number),
            None => all.iter().rev().find(|one| one.number < live),
        };
        let back = back.ok_or_else(|| {
            Error::not_found(format!(
                "Revision: {} has no such revision: the command history shows the last {REVISIONS_MAX}, older ones are deleted",
                part.name()
            ))
        })?;
        let there = observe::links(world).await?;
        let mut led = BTreeMap::new();
        for name in &back.links {
            let link = there.get(name).filter(|link| !matches!(link.status.as_str(), "DELETING" | "DELETED"));
            let link = link.ok_or_else(|| {
                Error::blocked(format!(
                    "Revision: {} leads routes through the VPC link {name}, which is gone: publish, or go back to a later \
                     one",
                    back.number
                ))
            })?;
            led.insert(name.clone(), link.id.clone());
        }
        lease.value.rolled_back_by = Some(format!("request {}", invocation.request_id));
        lease.value.next_links = led.values().cloned().collect();
        lease.save(&registry).await?;
        let door = FrontDoorSpec { rest_api_id: api, ..part.door.clone() };
        let stages = world.apis().get_stages(&door.rest_api_id).await?;
        apply::deploy::remove_candidate(world, &door, &stages).await;
        let stage = stages.get(door.stage_name.as_str());
        apply::stage::refuse_canary(&door, stage)?;
        let wanted = Wanted { deployment_id: &back.deployment_id, links: stage_variables(&led), settings: &door.stage };
        apply::stage::switch(world, &door, stage, &wanted).await?;
        lease.value.revision = back.number;
        lease.value.deployment_id = back.deployment_id.clone();
        lease.value.hash = back.hash.clone();
        lease.value.links = led;
        lease.value.next_links.clear();
        Ok(())
    };
    let done: Result<(), Error> = done.await;
    let publication = lease.value.clone();
    lease.release(&registry).await?;
    done.map(|()| answer(part, &publication))
}
