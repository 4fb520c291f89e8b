//! The door for operators: `publish`, `plan`, `history`, `rollback`, `get`, `list`. The name is the front door's.

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

use crate::cycle::{self, Depth};
use crate::observe;
use crate::plan::changes::changes;
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
            all.push(answer(door, &observe::publication(world, &door.name).await?));
        }
        return Ok(json!({"items": all}));
    }
    let [item] = &mut items[..] else {
        return Err(Error::invalid("items: publisher works on one front door at a time"));
    };
    let name = item.name.clone().unwrap_or_else(|| "default".to_owned());
    let door = doors.iter().find(|door| door.name.as_str() == name);
    let door = door.ok_or_else(|| Error::not_found(format!("there is no front door called '{name}'")))?;
    match (verb, item.spec.take()) {
        (Verb::Rollback, spec) => rollback(world, invocation, door, spec.unwrap_or_else(|| json!({}))).await,
        (_, Some(_)) => Err(Error::invalid("spec is not a field of this command: give the front door's name alone")),
        (Verb::Publish, None) => Ok(answer(door, &cycle::publish(world, invocation, door, Depth::Forward).await?)),
        (Verb::Plan, None) => plan(world, invocation, door).await,
        (Verb::History, None) => history(world, door).await,
        (Verb::Get | Verb::List, None) => Ok(answer(door, &observe::publication(world, &door.name).await?)),
    }
}

fn answer(door: &FrontDoorSpec, publication: &Publication) -> Value {
    let status = match (&publication.rolled_back_by, publication.revision) {
        (Some(_), _) => "ROLLED_BACK",
        (None, 0) => "UNPUBLISHED",
        (None, _) => "PUBLISHED",
    };
    let mut answer = json!({
        "name": door.name,
        "id": door.rest_api_id,
        "status": status,
        "attributes": {"Revision": publication.revision, "DeploymentId": publication.deployment_id},
    });
    if let Some(by) = &publication.rolled_back_by {
        answer["reason"] = json!(format!("put back by {by}: the command publish puts it forward again"));
    }
    answer
}

/// What `publish` would do now, changing nothing.
async fn plan<W: World>(world: &W, invocation: &Invocation, door: &FrontDoorSpec) -> Result<Value, Error> {
    let records = observe::routes(world, &door.name).await?;
    let publication = observe::publication(world, &door.name).await?;
    let (_, foreign) = cycle::look_around(world, door, Depth::Pending, &publication).await?;
    let reading = observe::reading(world, door, invocation.caller.account(), &records, foreign).await?;
    let selection = select(&reading);
    let had = observe::carried(world, door, &publication.settings, &reading.foreign).await?;
    let document = render(door, &had, &selection.goes, world.region());
    let is_same = publication.hash == shared::origin::hash(&document.to_string());
    let mut lines = changes(&reading.routes, &selection);
    if lines.is_empty() {
        lines.push(if is_same { "nothing changes" } else { "~ settings of the front door" }.to_owned());
    }
    let mut answer = answer(door, &publication);
    answer["status"] = json!("PLANNED");
    answer["plan"] = json!(lines.join("\n"));
    answer["document"] = document;
    Ok(answer)
}

async fn revisions<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Vec<Revision>, Error> {
    let key = registry::all_like(registry::revision_key(door.name.as_str(), 0));
    let records = Registry::new(world.table()).list::<Revision>(key).await?;
    Ok(records.into_iter().map(|record| record.value).collect())
}

async fn history<W: World>(world: &W, door: &FrontDoorSpec) -> Result<Value, Error> {
    let live = observe::publication(world, &door.name).await?.revision;
    let items: Vec<Value> = revisions(world, door)
        .await?
        .iter()
        .rev()
        .map(|one| {
            json!({
                "name": door.name, "id": one.deployment_id,
                "status": if one.number == live { "LIVE" } else { "KEPT" },
                "attributes": {"Revision": one.number, "MadeAt": one.made_at_seconds, "Routes": one.routes},
                "changes": one.changes,
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
async fn rollback<W: World>(
    world: &W,
    invocation: &Invocation,
    door: &FrontDoorSpec,
    spec: Value,
) -> Result<Value, Error> {
    let Back { revision } = read(spec)?;
    let registry = Registry::new(world.table());
    let mut lease = cycle::lease(world, invocation, door).await?;
    let done = async {
        let all = revisions(world, door).await?;
        let live = lease.value.revision;
        let back = match revision {
            Some(number) => all.iter().find(|one| one.number == number),
            None => all.iter().rev().find(|one| one.number < live),
        };
        let back = back.ok_or_else(|| {
            Error::not_found(format!("Revision: {} has no such revision: the command history shows them", door.name))
        })?;
        lease.value.rolled_back_by = Some(format!("request {}", invocation.request_id));
        lease.save(&registry).await?;
        world.apis().point_stage(&door.rest_api_id, &door.stage_name, true, &back.deployment_id).await?;
        lease.value.revision = back.number;
        lease.value.deployment_id = back.deployment_id.clone();
        lease.value.hash = back.hash.clone();
        Ok(())
    };
    let done: Result<(), Error> = done.await;
    let publication = lease.value.clone();
    lease.release(&registry).await?;
    done.map(|()| answer(door, &publication))
}
