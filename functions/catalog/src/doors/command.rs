//! Commands: a table of verbs, and what each does.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};
use shared::command::{answer, check_name, verb};
use shared::entry::Invocation;
use shared::error::Error;
use shared::fields::read;
use shared::origin::Origin;
use shared::registry::{self, Record, Registry};
use shared::time::rfc3339;
use shared::trigger::{Command, CommandItem};

use super::{asked, deleted, discovery_id, is_subscription, limited};
use crate::entries;
use crate::plan::saga;
use crate::posture::{self, asff};
use crate::queue;
use crate::record::{Api, ApiKey, Notes, Status, Subscription};
use crate::report;
use crate::scan::{self, Report};
use crate::spec::{self, DiscoverySpec, Kind, Search, SubscriptionSpec};
use crate::subscriptions::{self, Wish};
use crate::targets::{self, Target, Targets};
use crate::world::World;
use crate::{backstage, documents};

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

/// How many places are looked at at once, and how many documents are read at once.
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
        Verb::List => return list(world, invocation, search(first_spec())?).await,
        Verb::Export => return export(world, invocation, first_spec()).await,
        Verb::Audit => return audit(world, invocation, &items).await,
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
        (Verb::Annotate, spec) => annotate(world, invocation, &name, spec.ok_or_else(needed)?).await,
        (Verb::Rotate, spec) => {
            let overlap = overlap(spec)?;
            wish(world, invocation, &name, Wish::Rotate(overlap)).await
        }
        (_, Some(_)) => Err(Error::invalid("spec is not a field of this command: give the name alone")),
        (Verb::Pause, None) => wish(world, invocation, &name, Wish::Pause).await,
        (Verb::Resume, None) => wish(world, invocation, &name, Wish::Resume).await,
        (Verb::Delete, None) => delete(world, invocation, &name).await,
        _ => get(world, invocation, &name).await,
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
        None => targets::all(world).await?,
    };
    let look = |target: Target| async move {
        let report = match is_plan {
            true => scan::preview(world, &target).await.map(Some),
            false => queue::whole(world, invocation, &target).await,
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

// ---- what there is --------------------------------------------------------------------------------------------------------

fn search(spec: Option<Value>) -> Result<Search, Error> {
    spec.map(read).transpose().map(Option::unwrap_or_default)
}

fn fits(api: &Api, search: &Search) -> bool {
    let Search { kind: _, path, tag, account_id, region, owner, status, name, after } = search;
    let has_path = |path: &String| {
        api.stages.values().flat_map(|stage| &stage.methods).any(|method| method.path.contains(path.as_str()))
    };
    let has_tag = |tag: &String| {
        let of_aws = || api.tags.iter().any(|(key, value)| key == tag || format!("{key}={value}") == *tag);
        api.notes.tags.contains(tag) || of_aws()
    };
    let stands = match status {
        Some(status) => api.status.as_str() == status,
        None => api.status != Status::Gone,
    };
    stands
        && path.as_ref().is_none_or(has_path)
        && tag.as_ref().is_none_or(has_tag)
        && account_id.as_ref().is_none_or(|account| api.key.place.account == *account)
        && region.as_ref().is_none_or(|region| api.key.place.region == *region)
        && owner.as_ref().is_none_or(|owner| api.notes.owner.as_ref() == Some(owner))
        && name.as_ref().is_none_or(|name| api.name.contains(name.as_str()))
        && after.as_ref().is_none_or(|after| api.key.to_string() > *after)
}

/// The APIs that fit and that the caller may see, in the order of their keys.
async fn found<W: World>(world: &W, invocation: &Invocation, search: &Search) -> Result<Vec<Api>, Error> {
    let mine = limited(&invocation.caller);
    let all = entries::apis(world, None).await?.into_values().map(|record| record.value);
    let is_visible = |api: &Api| mine.is_none_or(|account| api.key.place.account == *account);
    Ok(all.filter(|api| is_visible(api) && fits(api, search)).collect())
}

/// How the last look at each place went, as far as the caller may know.
async fn completeness<W: World>(world: &W, invocation: &Invocation) -> Result<Vec<Value>, Error> {
    let mine = limited(&invocation.caller);
    let places = entries::places(world).await?;
    let is_visible = |place: &&String| mine.is_none_or(|account| place.starts_with(account.as_str()));
    let visible = places.keys().filter(is_visible);
    Ok(visible.map(|place| report::completeness(place, places.get(place).and_then(|one| one.last.as_ref()))).collect())
}

async fn list<W: World>(world: &W, invocation: &Invocation, search: Search) -> Result<Value, Error> {
    match search.kind {
        Kind::Apis => {
            let apis = found(world, invocation, &search).await?;
            let mut answer = report::page("items", apis.iter().map(|api| (api.key.to_string(), report::summary(api))));
            answer["completeness"] = json!(completeness(world, invocation).await?);
            Ok(answer)
        }
        Kind::Subscriptions => {
            let all = subscriptions::list(world, limited(&invocation.caller)).await?;
            let after = |one: &&Subscription| search.after.as_ref().is_none_or(|after| one.id > *after);
            let items = all.iter().filter(after).map(|one| (one.id.clone(), report::subscription(one)));
            Ok(report::page("items", items))
        }
        Kind::Discoveries => {
            invocation.caller.operator_only("discoveries")?;
            let all = targets::discoveries(world).await?;
            let items = all.iter().map(|record| {
                let one = &record.value;
                (one.id.clone(), report::discovery(one, one.spec.accounts.len() + one.accounts.len()))
            });
            Ok(report::page("items", items))
        }
    }
}

async fn documents_of<W: World>(world: &W, api: &Api) -> Result<BTreeMap<String, Value>, Error> {
    let mut by_hash: BTreeMap<&str, Value> = BTreeMap::new();
    let mut documents = BTreeMap::new();
    for (name, stage) in &api.stages {
        if !by_hash.contains_key(stage.document_hash.as_str())
            && let Some(document) = documents::load(world, &api.key, &stage.document_hash).await?
        {
            by_hash.insert(&stage.document_hash, document);
        }
        if let Some(document) = by_hash.get(stage.document_hash.as_str()) {
            // One document is of every stage that shows the same; where it is served is the stage's own.
            let mut document = document.clone();
            document["servers"] = json!([{"url": api.url(name)}]);
            documents.insert(name.clone(), document);
        }
    }
    Ok(documents)
}

async fn get<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Value, Error> {
    if let Ok(key) = name.parse::<ApiKey>() {
        let api = visible(world, invocation, &key).await?;
        return Ok(report::whole(&api, &documents_of(world, &api).await?));
    }
    if let Some(subscription) = find(world, invocation, name).await? {
        return Ok(report::subscription(&subscription));
    }
    let all = match limited(&invocation.caller) {
        None => targets::discoveries(world).await?,
        Some(_) => Vec::new(),
    };
    let discovery = all.iter().map(|record| &record.value).find(|one| one.id == name || one.origin.name() == name);
    let one = discovery.ok_or_else(|| none(name))?;
    Ok(report::discovery(one, one.spec.accounts.len() + one.accounts.len()))
}

fn none(name: &str) -> Error {
    Error::not_found(format!(
        "there is nothing called '{name}': name an API as ACCOUNT/REGION/API-ID, or a subscription; the command list shows \
         them"
    ))
}

/// What is not the caller's own is not there for it.
async fn visible<W: World>(world: &W, invocation: &Invocation, key: &ApiKey) -> Result<Api, Error> {
    let mine = limited(&invocation.caller);
    let api = entries::api(world, key).await?.filter(|api| mine.is_none_or(|mine| api.key.place.account == *mine));
    api.ok_or_else(|| none(&key.to_string()))
}

/// Writes an owner's notes, over those that were there.
async fn annotate<W: World>(world: &W, invocation: &Invocation, name: &str, spec: Value) -> Result<Value, Error> {
    let key: ApiKey = name.parse().map_err(|e| Error::invalid(format!("name: {e}")))?;
    let notes = spec::notes(spec)?;
    let api = visible(world, invocation, &key).await?;
    let (registry, at) = (Registry::new(world.table()), registry::catalog_notes_key(&key.to_string()));
    let stored: Option<Record<Notes>> = registry.get(&at).await?;
    let mut record = stored.unwrap_or_else(|| Record::new(at, Notes::default()));
    record.value = notes.clone();
    registry.put(&mut record).await?;
    Ok(report::summary(&Api { notes, ..api }))
}

// ---- findings and exports -------------------------------------------------------------------------------------------------

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
struct Wanted {
    format: Option<String>,
    without_documents: bool,
    account_id: Option<shared::types::AccountId>,
    owner: Option<String>,
    tag: Option<String>,
    after: Option<String>,
}

impl Wanted {
    fn read(spec: Option<Value>, formats: &[&str]) -> Result<(Self, Search), Error> {
        let wanted: Self = spec.map(read).transpose()?.unwrap_or_default();
        if let Some(format) = wanted.format.as_deref().filter(|format| !formats.contains(format)) {
            return Err(Error::invalid(format!("Format: '{format}' is none of {}", formats.join(", "))));
        }
        let Self { account_id, owner, tag, after, .. } = &wanted;
        let (account_id, owner, tag, after) = (account_id.clone(), owner.clone(), tag.clone(), after.clone());
        Ok((wanted, Search { account_id, owner, tag, after, ..Search::default() }))
    }
}

async fn audit<W: World>(world: &W, invocation: &Invocation, items: &[CommandItem]) -> Result<Value, Error> {
    let (wanted, search) = Wanted::read(items.first().and_then(|item| item.spec.clone()), &["ASFF"])?;
    let names: Option<BTreeSet<ApiKey>> = match items.iter().any(|item| item.name.is_some()) {
        false => None,
        true => {
            let key = |item: &CommandItem| item.name.as_deref().unwrap_or_default().parse::<ApiKey>();
            let keys: Result<_, _> = items.iter().map(key).collect();
            Some(keys.map_err(|e| Error::invalid(format!("name: {e}")))?)
        }
    };
    let mut apis = found(world, invocation, &search).await?;
    apis.retain(|api| names.as_ref().is_none_or(|names| names.contains(&api.key)));
    let (home, now) = (&world.settings().home, rfc3339(world.now_seconds()));
    let is_asff = wanted.format.is_some();
    // A page ends with an API, not within one.
    let of_api = |api: &Api| -> (String, Value) {
        let one = |finding| match is_asff {
            true => asff::finding(api, finding, home, &now),
            false => report::audited(api, finding),
        };
        (api.key.to_string(), api.findings.iter().map(one).collect())
    };
    let mut answer = report::page("items", apis.iter().map(of_api));
    let pages = answer["items"].take();
    answer["items"] = pages
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|of_api| of_api.as_array().into_iter().flatten())
        .cloned()
        .collect();
    if !is_asff {
        let refusing = completeness(world, invocation).await?.into_iter().filter(|one| one["complete"] != json!(true));
        answer["unreadable"] = refusing.collect();
        let rules = posture::RULES.iter().map(|rule| {
            json!({"rule": rule.id, "severity": rule.severity, "title": rule.title, "why": rule.why, "fix": rule.fix})
        });
        answer["rules"] = rules.collect();
    }
    Ok(answer)
}

async fn export<W: World>(world: &W, invocation: &Invocation, spec: Option<Value>) -> Result<Value, Error> {
    let (wanted, search) = Wanted::read(spec, &["Json", "Backstage"])?;
    let is_backstage = wanted.format.as_deref() == Some("Backstage");
    let apis = found(world, invocation, &search).await?;
    let one = |api: Api| async move {
        let documents = match wanted.without_documents {
            true => BTreeMap::new(),
            false => documents_of(world, &api).await?,
        };
        let item = match is_backstage {
            true => backstage::entity(&api, shown(&api, &documents).map(without_backends).as_ref()),
            false => report::whole(&api, &documents),
        };
        Ok::<_, Error>((api.key.to_string(), item))
    };
    // Documents are read a few at a time and only as far as the page goes.
    let mut items = stream::iter(apis).map(one).buffered(AT_ONCE);
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(item) = items.next().await {
        let item = item?;
        bytes += item.1.to_string().len();
        page.push(item);
        if bytes > report::PAGE_BYTES {
            break;
        }
    }
    let is_cut = items.next().await.is_some();
    let last = page.last().map(|(id, _)| id.clone()).filter(|_| is_cut);
    let field = if is_backstage { "entities" } else { "apis" };
    let items: Vec<Value> = page.into_iter().map(|(_, item)| item).collect();
    let mut answer = json!({field: items, "next": last, "exported": rfc3339(world.now_seconds())});
    if !is_backstage {
        answer["completeness"] = json!(completeness(world, invocation).await?);
    }
    Ok(answer)
}

/// Of an API's stages the one that a usage plan is for, or the last by name: `prod` comes after `dev`.
fn shown<'a>(api: &Api, documents: &'a BTreeMap<String, Value>) -> Option<&'a Value> {
    let planned = api.plans.iter().find_map(|plan| documents.get(&plan.stage));
    planned.or_else(|| documents.values().next_back())
}

/// A document for those who use the API: where its backends are is none of theirs.
fn without_backends(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            let is_theirs = |(name, _): &(&String, &Value)| {
                !matches!(name.as_str(), "x-amazon-apigateway-integration" | "x-amazon-apigateway-authorizer")
            };
            fields.iter().filter(is_theirs).map(|(name, value)| (name.clone(), without_backends(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_backends).collect(),
        other => other.clone(),
    }
}

// ---- what is asked for ----------------------------------------------------------------------------------------------------

async fn apply<W: World>(world: &W, invocation: &Invocation, name: &str, spec: Value) -> Result<Value, Error> {
    check_name(name)?;
    let origin = Origin::Command { name: name.to_owned() };
    if !is_subscription(&spec) {
        invocation.caller.operator_only("discoveries")?;
        return super::discover_there(world, origin, invocation.stamp(), DiscoverySpec::parse(spec)?).await;
    }
    let spec = SubscriptionSpec::parse(spec)?;
    let asked = asked(invocation, origin);
    let id = subscriptions::id_of(&asked.account, &asked.origin, &spec);
    check_same(&subscriptions::of_origin(world, &asked).await?, name, &id)?;
    let given = subscriptions::apply(world, invocation, &asked, spec, subscriptions::Value::Once).await?;
    Ok(super::answer(&given))
}

/// A command's name stands for one subscription: another plan or consumer would leave the first without a name.
fn check_same(known: &[Subscription], name: &str, id: &str) -> Result<(), Error> {
    match known.iter().find(|one| one.id != id) {
        None => Ok(()),
        Some(one) => Err(Error::conflict(format!(
            "{name} is {}'s subscription to {}, whose plan and consumer can't change: choose another name, or delete it first",
            one.consumer, one.plan.name
        ))),
    }
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
    let spec = SubscriptionSpec::parse(spec)?;
    let asked = asked(invocation, origin);
    let id = subscriptions::id_of(&asked.account, &asked.origin, &spec);
    let known = subscriptions::of_origin(world, &asked).await?;
    check_same(&known, name, &id)?;
    let plan = subscriptions::plan(world, &invocation.caller, &spec, known.first()).await?;
    Ok(json!({"name": name, "id": id, "status": "PLANNED", "plan": plan, "attributes": {}}))
}

/// The caller's subscription of that name or id; an operator may name anybody's by its id.
async fn find<W: World>(world: &W, invocation: &Invocation, name: &str) -> Result<Option<Subscription>, Error> {
    let all = subscriptions::list(world, limited(&invocation.caller)).await?;
    let own = invocation.caller.account();
    Ok(all.into_iter().find(|one| one.id == name || one.account == *own && one.origin.name() == name))
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
    if limited(&invocation.caller).is_some() {
        return Ok(deleted(name, None));
    }
    let all = targets::discoveries(world).await?;
    let Some(record) = all.iter().find(|one| one.value.id == name || one.value.origin.name() == name) else {
        return Ok(deleted(name, None));
    };
    record.value.origin.check_not_a_stacks(name)?;
    super::leave_alone(world, &record.value.id, invocation.stamp()).await?;
    Ok(deleted(name, Some(&record.value.id)))
}
