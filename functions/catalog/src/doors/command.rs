//! Commands: a table of verbs, and what each does.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use shared::command::{answer, check_name, verb};
use shared::entry::Invocation;
use shared::error::Error;
use shared::fields::read;
use shared::origin::Origin;
use shared::trigger::{Command, CommandItem};

use super::{asked, deleted, discovery_id, find, find_discovery, is_subscription, none, reading};
use crate::plan::saga;
use crate::queue;
use crate::record::Subscription;
use crate::report;
use crate::scan::{self, Report};
use crate::spec::{DiscoverySpec, SubscriptionSpec};
use crate::subscriptions::{self, Asked, Wish};
use crate::targets::{self, Target, Targets};
use crate::world::World;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Apply,
    Delete,
    Plan,
    Get,
    List,
    Discover,
    Audit,
    Annotate,
    Export,
    Pause,
    Resume,
    Rotate,
}

const VERBS: &[(&str, Verb)] = &[
    ("apply", Verb::Apply),
    ("delete", Verb::Delete),
    ("plan", Verb::Plan),
    ("get", Verb::Get),
    ("list", Verb::List),
    ("discover", Verb::Discover),
    ("audit", Verb::Audit),
    ("annotate", Verb::Annotate),
    ("export", Verb::Export),
    ("pause", Verb::Pause),
    ("resume", Verb::Resume),
    ("rotate", Verb::Rotate),
    ("revoke", Verb::Delete),
];

/// How many places are looked at at once.
const AT_ONCE: usize = 8;

/// A direct invoke.
pub async fn command<W: World>(world: &W, invocation: &Invocation, mut command: Command) -> Result<Value, Error> {
    let verb = verb(VERBS, &command.verb)?;
    if verb == Verb::Discover {
        invocation.caller.operator_only("discover")?;
        let is_plan = command.other.remove("plan").is_some_and(|plan| plan == json!(true));
        return discover(world, invocation, command.into_items()?, is_plan).await;
    }
    let batch = command.items.is_some();
    let is_about_all = !batch && command.name.is_none();
    let items = command.into_items()?;
    let first_spec = || items.first().and_then(|item| item.spec.clone());
    match verb {
        Verb::List => return reading::list(world, invocation, reading::search(first_spec())?).await,
        Verb::Export => return reading::export(world, invocation, first_spec()).await,
        Verb::Audit => return reading::audit(world, invocation, &items).await,
        Verb::Plan if is_about_all && items.iter().all(|item| item.spec.is_none()) => {
            invocation.caller.operator_only("discover")?;
            return discover(world, invocation, items, true).await;
        }
        _ => {}
    }
    let mut answers = Vec::new();
    for item in items {
        answers.push((item.name.clone().unwrap_or_default(), one(world, invocation, verb, item).await));
    }
    answer(batch, answers)
}

async fn one<W: World>(world: &W, invocation: &Invocation, verb: Verb, item: CommandItem) -> Result<Value, Error> {
    let name = item.name.ok_or_else(|| Error::invalid("name is missing: give the name of what it is about"))?;
    let needed = || Error::invalid("spec is missing: give what is asked for");
    match (verb, item.spec) {
        (Verb::Apply, spec) => apply(world, invocation, &name, spec.ok_or_else(needed)?).await,
        (Verb::Plan, spec) => plan(world, invocation, &name, spec.ok_or_else(needed)?).await,
        (Verb::Annotate, spec) => reading::annotate(world, invocation, &name, spec.ok_or_else(needed)?).await,
        (Verb::Rotate, spec) => {
            let overlap = overlap(spec)?;
            wish(world, invocation, &name, Wish::Rotate(overlap)).await
        }
        (Verb::Get, spec) => reading::get(world, invocation, &name, spec).await,
        (_, Some(_)) => Err(Error::invalid("spec is not a field of this command: give the name alone")),
        (Verb::Pause, None) => wish(world, invocation, &name, Wish::Pause).await,
        (Verb::Resume, None) => wish(world, invocation, &name, Wish::Resume).await,
        _ => delete(world, invocation, &name).await,
    }
}

fn overlap(spec: Option<Value>) -> Result<u64, Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Written {
        overlap_seconds: Option<u64>,
    }
    let given: Option<Written> = spec.map(read).transpose()?;
    Ok(given.and_then(|given| given.overlap_seconds).unwrap_or(saga::OVERLAP_SECONDS))
}

// ---- discovery ----------------------------------------------------------------------------------------------------------

async fn discover<W: World>(
    world: &W,
    invocation: &Invocation,
    items: Vec<CommandItem>,
    is_plan: bool,
) -> Result<Value, Error> {
    let spec = items.into_iter().next().and_then(|item| item.spec).map(DiscoverySpec::parse).transpose()?;
    let targets = match &spec {
        Some(spec) => targets::once(world, spec).await?,
        None if is_plan => targets::preview(world).await?,
        None => targets::all(world).await?,
    };
    let look = |target: Target| async move {
        let report = match is_plan {
            true => scan::preview(world, &target).await.map(Some),
            false => queue::whole(world, invocation, &target, 0).await,
        };
        (target, report)
    };
    let reports: Vec<(Target, Result<Option<Report>, Error>)> =
        stream::iter(targets.places.clone()).map(look).buffered(AT_ONCE).collect().await;
    Ok(discovered(&targets, reports, is_plan))
}

/// One account that fails hides no other.
fn discovered(targets: &Targets, reports: Vec<(Target, Result<Option<Report>, Error>)>, is_plan: bool) -> Value {
    let (mut items, mut completeness, mut is_pending) = (Vec::new(), Vec::new(), false);
    for (target, report) in reports {
        let place = target.place.to_string();
        let report = report.unwrap_or_else(|error| {
            let mut report = Report::default();
            report.completeness.failures.push(error.message);
            Some(report)
        });
        // Somebody else is at it.
        let report = report.unwrap_or_else(|| Report { is_pending: true, ..Report::default() });
        let mut told = report::completeness(&place, Some(&report.completeness));
        told["pending"] = json!(report.is_pending);
        is_pending |= report.is_pending;
        completeness.push(told);
        items.extend(report.changes.iter().map(|(key, difference)| json!({"id": key, "change": difference.as_str()})));
    }
    let unread = targets
        .unread
        .iter()
        .map(|unit| json!({"organizationalUnitId": unit.id, "complete": false, "failures": [unit.why]}));
    completeness.extend(unread);
    let is_complete = completeness.iter().all(|one| one["complete"] == json!(true));
    let status = match (is_plan, is_pending, is_complete) {
        (true, ..) => "PLANNED",
        (_, true, _) => "PENDING",
        (_, _, true) => "COMPLETE",
        _ => "INCOMPLETE",
    };
    json!({"status": status, "items": items, "completeness": completeness})
}

// ---- what is asked for ----------------------------------------------------------------------------------------------------

async fn apply<W: World>(world: &W, invocation: &Invocation, name: &str, spec: Value) -> Result<Value, Error> {
    check_name(name)?;
    let origin = Origin::Command { name: name.to_owned() };
    if !is_subscription(&spec) {
        invocation.caller.operator_only("discoveries")?;
        return super::discover_there(world, origin, invocation.stamp(), DiscoverySpec::parse(spec)?).await;
    }
    let Asking { asked, spec, .. } = asking(world, invocation, origin, spec).await?;
    let given = subscriptions::apply(world, invocation, &asked, spec, subscriptions::Value::Once).await?;
    Ok(super::answer(&given))
}

/// A subscription that is asked for by a command.
struct Asking {
    asked: Asked,
    spec: SubscriptionSpec,
    id: String,
    /// It, if it is there already.
    known: Option<Subscription>,
}

/// A command's name stands for one subscription: another plan or consumer would leave the first without a name.
async fn asking<W: World>(world: &W, invocation: &Invocation, origin: Origin, spec: Value) -> Result<Asking, Error> {
    let (spec, asked) = (SubscriptionSpec::parse(spec)?, asked(invocation, origin));
    let id = subscriptions::id_of(&asked.account, &asked.origin, &spec);
    let known = subscriptions::of_origin(world, &asked).await?;
    if let Some(one) = known.iter().find(|one| one.id != id) {
        return Err(Error::conflict(format!(
            "{} is {}'s subscription to {}, whose plan and consumer can't change: choose another name, or delete it first",
            asked.origin.name(),
            one.consumer,
            one.plan.name
        )));
    }
    Ok(Asking { asked, spec, id, known: known.into_iter().next() })
}

async fn plan<W: World>(world: &W, invocation: &Invocation, name: &str, spec: Value) -> Result<Value, Error> {
    check_name(name)?;
    let origin = Origin::Command { name: name.to_owned() };
    if !is_subscription(&spec) {
        invocation.caller.operator_only("discoveries")?;
        let targets = targets::once(world, &DiscoverySpec::parse(spec)?).await?;
        let places: Vec<String> = targets.places.iter().map(|target| format!("look at {}\n", target.place)).collect();
        let id = discovery_id(&origin);
        return Ok(json!({"name": name, "id": id, "status": "PLANNED", "plan": places.concat(), "attributes": {}}));
    }
    let Asking { spec, id, known, .. } = asking(world, invocation, origin, spec).await?;
    let plan = subscriptions::plan(world, &invocation.caller, &spec, known.as_ref()).await?;
    Ok(json!({"name": name, "id": id, "status": "PLANNED", "plan": plan, "attributes": {}}))
}

async fn wish<W: World>(world: &W, invocation: &Invocation, name: &str, wish: Wish) -> Result<Value, Error> {
    let known = find(world, invocation, name).await?.ok_or_else(|| none(name))?;
    let given = subscriptions::wish(world, invocation, &known.id, Some(&invocation.stamp()), wish).await?;
    Ok(super::answer(&given.ok_or_else(|| none(name))?))
}

async fn delete<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Value, Error> {
    if let Some(known) = find(world, invocation, name).await? {
        known.origin.check_not_a_stacks(name)?;
        subscriptions::wish(world, invocation, &known.id, Some(&invocation.stamp()), Wish::Revoke).await?;
        return Ok(deleted(name, Some(&known.id)));
    }
    let Some(known) = find_discovery(world, invocation, name).await? else {
        return Ok(deleted(name, None));
    };
    known.origin.check_not_a_stacks(name)?;
    super::leave_alone(world, &known.id, invocation.stamp()).await?;
    Ok(deleted(name, Some(&known.id)))
}
