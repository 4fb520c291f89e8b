//! The commands that read the catalogue: what there is, what of it is not as it should be, and all of it for others to read. And what
//! an owner writes to it. A tenant meets its own account's APIs alone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use shared::entry::Invocation;
use shared::error::Error;
use shared::fields::read;
use shared::registry::{self, Record, Registry};
use shared::time::rfc3339;
use shared::trigger::CommandItem;
use shared::types::invoke_url;

use super::{find, find_discovery, limited, none};
use crate::entries;
use crate::posture::{self, asff};
use crate::record::{Api, ApiKey, Notes, Status, Subscription};
use crate::report;
use crate::spec::{self, Kind, Search};
use crate::subscriptions;
use crate::targets;
use crate::world::World;
use crate::{backstage, documents};

/// How many documents are read at once.
const AT_ONCE: usize = 8;

/// What is searched for.
pub(super) fn search(spec: Option<Value>) -> Result<Search, Error> {
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

/// The command `list`.
pub(super) async fn list<W: World>(world: &W, invocation: &Invocation, search: Search) -> Result<Value, Error> {
    match search.kind {
        Kind::Apis => {
            let apis = found(world, invocation, &search).await?;
            let items = apis.iter().map(|api| Ok((api.key.to_string(), report::summary(api))));
            let mut answer = report::page("items", stream::iter(items)).await?;
            answer["completeness"] = json!(completeness(world, invocation).await?);
            Ok(answer)
        }
        Kind::Subscriptions => {
            let all = subscriptions::list(world, limited(&invocation.caller)).await?;
            let after = |one: &&Subscription| search.after.as_ref().is_none_or(|after| one.id > *after);
            let items = all.iter().filter(after).map(|one| Ok((one.id.clone(), report::subscription(one))));
            report::page("items", stream::iter(items)).await
        }
        Kind::Discoveries => {
            invocation.caller.operator_only("discoveries")?;
            let all = targets::discoveries(world).await?;
            let items = all.iter().map(|record| {
                let one = &record.value;
                Ok((one.id.clone(), report::discovery(one, targets::count(world, one))))
            });
            report::page("items", stream::iter(items)).await
        }
    }
}

/// What the API's stages show, or the one stage that is asked for.
async fn documents_of<W: World>(world: &W, api: &Api, only: Option<&str>) -> Result<BTreeMap<String, Value>, Error> {
    let mut by_hash: BTreeMap<&str, Value> = BTreeMap::new();
    let mut documents = BTreeMap::new();
    for (name, stage) in api.stages.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        if !by_hash.contains_key(stage.document_hash.as_str())
            && let Some(document) = documents::load(world, &api.key, &stage.document_hash).await?
        {
            by_hash.insert(&stage.document_hash, document);
        }
        if let Some(document) = by_hash.get(stage.document_hash.as_str()) {
            // One document is of every stage that shows the same; where it is served is the stage's own.
            let mut document = document.clone();
            document["servers"] = json!([{"url": invoke_url(&api.key.id, api.key.place.region.as_str(), name)}]);
            documents.insert(name.clone(), document);
        }
    }
    Ok(documents)
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
struct Part {
    stage: Option<String>,
}

/// The command `get`: an API by its key, perhaps with the document of one stage alone; a subscription or a discovery by its name.
pub(super) async fn get<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &str,
    spec: Option<Value>,
) -> Result<Value, Error> {
    let Part { stage } = spec.map(read).transpose()?.unwrap_or_default();
    if let Ok(key) = name.parse::<ApiKey>() {
        let api = visible(world, invocation, &key).await?;
        if let Some(stage) = stage.as_ref().filter(|stage| !api.stages.contains_key(*stage)) {
            return Err(Error::not_found(format!("Stage: {key} has none called '{stage}'")));
        }
        return Ok(report::whole(&api, &documents_of(world, &api, stage.as_deref()).await?));
    }
    if let Some(subscription) = find(world, invocation, name).await? {
        return Ok(report::subscription(&subscription));
    }
    let discovery = find_discovery(world, invocation, name).await?.ok_or_else(|| none(name))?;
    Ok(report::discovery(&discovery, targets::count(world, &discovery)))
}

/// What is not the caller's own is not there for it.
async fn visible<W: World>(world: &W, invocation: &Invocation, key: &ApiKey) -> Result<Api, Error> {
    let mine = limited(&invocation.caller);
    let api = entries::api(world, key).await?.filter(|api| mine.is_none_or(|mine| api.key.place.account == *mine));
    api.ok_or_else(|| none(&key.to_string()))
}

/// Writes an owner's notes, over those that were there.
pub(super) async fn annotate<W: World>(
    world: &W,
    invocation: &Invocation,
    name: &str,
    spec: Value,
) -> Result<Value, Error> {
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

/// The command `audit`.
pub(super) async fn audit<W: World>(world: &W, invocation: &Invocation, items: &[CommandItem]) -> Result<Value, Error> {
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
    let of_api = |api: &Api| -> Result<(String, Value), Error> {
        let one = |finding| match is_asff {
            true => asff::finding(api, finding, home, &now),
            false => report::audited(api, finding),
        };
        Ok((api.key.to_string(), api.findings.iter().map(one).collect()))
    };
    let mut answer = report::page("items", stream::iter(apis.iter().map(of_api))).await?;
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

/// The command `export`.
pub(super) async fn export<W: World>(world: &W, invocation: &Invocation, spec: Option<Value>) -> Result<Value, Error> {
    let (wanted, search) = Wanted::read(spec, &["Json", "Backstage"])?;
    let is_backstage = wanted.format.as_deref() == Some("Backstage");
    let apis = found(world, invocation, &search).await?;
    let one = |api: Api| async move {
        let documents = match wanted.without_documents {
            true => BTreeMap::new(),
            false => documents_of(world, &api, None).await?,
        };
        let item = match is_backstage {
            true => backstage::entity(&api, shown(&api, &documents).map(without_backends).as_ref()),
            false => report::whole(&api, &documents),
        };
        Ok::<_, Error>((api.key.to_string(), item))
    };
    // Documents are read a few at a time and only as far as the page goes.
    let items = stream::iter(apis).map(one).buffered(AT_ONCE);
    let mut answer = report::page(if is_backstage { "entities" } else { "apis" }, items).await?;
    answer["exported"] = json!(rfc3339(world.now_seconds()));
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
