//! The operator's door: `{"command": "apply", "name": "pets", "spec": {…}}`, one binding or many.

use futures::StreamExt;
use serde_json::{Value, json};
use shared::command::{answer, check_name, verb};
use shared::entry::Invocation;
use shared::error::Error;
use shared::origin::Origin;
use shared::trigger::{Command, CommandItem};

use super::{apply_alone, shift};
use crate::intake;
use crate::observe;
use crate::reconcile::{self, Looked, Patience, Shift};
use crate::record::{Binding, Ledger, Status};
use crate::report;
use crate::want::want;
use crate::world::World;

/// How many bindings a command works on at a time. EC2's and Elastic Load Balancing's request buckets are shared with
/// every other tool of the account.
const CONCURRENT_MAX: usize = 4;

/// A direct invoke.
pub async fn command<W: World>(world: &W, invocation: &Invocation, command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    let batch = command.items.is_some();
    let items = command.into_items()?;
    if verb == Verb::List {
        let bindings = intake::list(world, "").await?;
        return Ok(json!({"items": bindings.iter().map(report::answer).collect::<Vec<_>>()}));
    }
    let items = match (verb, items.as_slice()) {
        (Verb::Sync, [CommandItem { name: None, spec: None }]) if !batch => every_binding(world).await?,
        _ => items,
    };
    let all = batch || verb == Verb::Sync && items.len() != 1;
    let work = items.into_iter().map(|item| async move {
        let name = item.name.clone().unwrap_or_default();
        (name, one(world, invocation, verb, item).await)
    });
    let answers: Vec<(String, Result<Value, Error>)> =
        futures::stream::iter(work).buffered(CONCURRENT_MAX).collect().await;
    answer(all, answers)
}

async fn every_binding<W: World>(world: &W) -> Result<Vec<CommandItem>, Error> {
    let bindings = intake::list(world, "").await?;
    Ok(bindings.into_iter().map(|binding| CommandItem { name: Some(binding.id), spec: None }).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Apply,
    Delete,
    Plan,
    Get,
    List,
    Sync,
}

const VERBS: &[(&str, Verb)] = &[
    ("apply", Verb::Apply),
    ("delete", Verb::Delete),
    ("plan", Verb::Plan),
    ("get", Verb::Get),
    ("list", Verb::List),
    ("sync", Verb::Sync),
];

async fn one<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Value, Error> {
    let shift = shift(invocation);
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the binding's name"))?;
    match (verb, item.spec) {
        (Verb::Apply, Some(spec)) => {
            check_name(&name)?;
            apply_alone(world, invocation, &shift, Origin::Command { name }, spec).await
        }
        (Verb::Apply, None) => Err(Error::invalid("spec is missing: give what the binding is to be")),
        (Verb::Plan, Some(spec)) => {
            check_name(&name)?;
            let origin = Origin::Command { name };
            dry_run(world, intake::check(world, invocation.caller.account(), origin, spec).await?).await
        }
        (Verb::Plan, None) => dry_run(world, find(world, &name).await?).await,
        (Verb::Get, None) => Ok(report::answer(&find(world, &name).await?)),
        (Verb::Sync, None) => sync(world, &shift, find(world, &name).await?).await,
        (Verb::Delete, None) => delete(world, invocation, &shift, name).await,
        (Verb::Get | Verb::Sync | Verb::Delete | Verb::List, _) => {
            Err(Error::invalid("spec is not a field of this command: give the name alone"))
        }
    }
}

async fn delete<W: World>(world: &W, invocation: &Invocation, shift: &Shift, name: String) -> Result<Value, Error> {
    let found = intake::list(world, "").await?.into_iter().find(|binding| is_called(binding, &name));
    let Some(binding) = found else {
        return Ok(json!({"name": name, "id": null, "status": Status::Deleted.as_str(), "attributes": {}}));
    };
    binding.origin.check_not_a_stacks(&name)?;
    let outcome = intake::delete(world, shift, &binding.id, invocation.stamp()).await?;
    let mut left = binding;
    left.status = Status::Deleted;
    let left = outcome.map_or(Ok(left), report::Outcome::into_answer)?;
    Ok(report::answer(&left))
}

async fn sync<W: World>(world: &W, shift: &Shift, binding: Binding) -> Result<Value, Error> {
    match reconcile::reconcile(world, shift, &binding.id, Patience::Wait).await? {
        Looked::Done(outcome) => outcome.into_answer().map(|binding| report::answer(&binding)),
        Looked::Gone | Looked::Busy => Err(not_found(&binding.origin.name())),
    }
}

/// What `sync` would do now, changing nothing.
async fn dry_run<W: World>(world: &W, mut binding: Binding) -> Result<Value, Error> {
    let sink = observe::sink(world, &binding.spec.sink).await?;
    let sink = sink.ok_or_else(|| Error::not_found(format!("the {} does not exist any more", binding.spec.sink)))?;
    let notices = reconcile::notices_for(world, &binding).await?;
    let source = reconcile::look_at_source(world, &binding, &notices).await?;
    let registry = shared::registry::Registry::new(world.table());
    let ledger = registry.get::<shared::lease::Leased<Ledger>>(&binding.ledger_key()).await?;
    let ledger = ledger.map(|record| record.value.value).unwrap_or_default();
    let want = want(&binding, &source, &ledger.of(&binding.id));
    let plan = reconcile::plan_now(&binding, &source.answer, &want, &sink, &ledger, world.now_seconds());
    binding.addresses = source.wanted();
    let mut answer = report::answer(&binding);
    answer["status"] = json!("PLANNED");
    answer["plan"] = json!(plan.to_string());
    answer["changes"] = json!(plan);
    Ok(answer)
}

fn is_called(binding: &Binding, name: &str) -> bool {
    binding.id == name || binding.origin.name() == name
}

async fn find<W: World>(world: &W, name: &str) -> Result<Binding, Error> {
    let found = intake::list(world, "").await?.into_iter().find(|binding| is_called(binding, name));
    found.ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("there is no binding called '{name}': the command list shows those that there are"))
}
