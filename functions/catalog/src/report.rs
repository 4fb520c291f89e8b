//! What leaves: events on the bus, and the answers to `list`, `get`, `audit` and `export`.

use std::collections::BTreeMap;
use std::pin::pin;

use futures::{Stream, StreamExt};
use serde_json::{Map, Value, json};
use shared::aws::OwnEvent;
use shared::error::Error;
use shared::time::rfc3339;

use crate::plan::compare::Change;
use crate::posture;
use crate::record::{Api, Completeness, Discovery, Finding, Notes, Place, PlanOnStage, Subscription};

/// EventBridge takes an event of 256 KB: of a long list its beginning is told, and how long it is.
const LISTED_MAX: usize = 100;
/// Lambda answers with 6 MB at most, what stands beside the items included.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const ANSWER_BYTES_MAX: usize = 5 << 20;
/// A page that has this much is long enough.
const PAGE_BYTES: usize = 4 << 20;

fn event(detail_type: &'static str, api: &Api, more: Value) -> OwnEvent {
    let mut detail = json!({
        "api": api.key, "name": api.name, "accountId": api.key.place.account, "region": api.key.place.region,
        "status": api.status.as_str(),
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    OwnEvent { detail_type, resources: vec![api.arn()], detail }
}

/// An API came into the catalogue.
pub fn discovered(api: &Api) -> OwnEvent {
    let stages: Vec<&String> = api.stages.keys().collect();
    event("Api Discovered", api, json!({"endpointTypes": api.endpoint_types, "stages": stages, "plans": plans(api)}))
}

/// An API is not as it was.
pub fn changed(api: &Api, fields: &[&str], changes: &BTreeMap<String, Change>) -> OwnEvent {
    let some = |list: &[String]| -> Value {
        match list.len() {
            0..=LISTED_MAX => json!(list),
            _ => {
                let mut some: Vec<String> = list.iter().take(LISTED_MAX).cloned().collect();
                some.push(format!("… and {} more", list.len() - LISTED_MAX));
                json!(some)
            }
        }
    };
    let stage = |(stage, change): (&String, &Change)| {
        let told = json!({
            "added": some(&change.added), "removed": some(&change.removed), "altered": some(&change.altered),
            "breaks": some(&change.breaks),
        });
        (stage.clone(), told)
    };
    let breaks = changes.values().any(Change::is_breaking);
    let stages: Map<String, Value> = changes.iter().map(stage).collect();
    event("Api Changed", api, json!({"changed": fields, "breaksClients": breaks, "stages": stages}))
}

/// An API was removed.
pub fn removed(api: &Api) -> OwnEvent {
    event("Api Removed", api, json!({"missedScans": api.missed_scans}))
}

/// Something about an API is not as it should be, and was not so before.
pub fn finding(api: &Api, finding: &Finding) -> OwnEvent {
    event("Posture Finding", api, told(finding))
}

/// A place that lets nobody look.
pub fn unreadable(place: &Place, why: &str) -> OwnEvent {
    let detail = json!({
        "accountId": place.account, "region": place.region, "rule": UNREADABLE, "severity": "HIGH", "what": why,
    });
    OwnEvent { detail_type: "Posture Finding", resources: vec![place.account.to_string()], detail }
}

/// The rule that a place is to be readable.
pub const UNREADABLE: &str = "account-unreadable";

fn told(finding: &Finding) -> Value {
    let rule = posture::rule(&finding.rule);
    json!({
        "rule": finding.rule, "severity": finding.severity, "subject": finding.subject, "what": finding.what,
        "why": rule.map(|rule| rule.why), "fix": rule.map(|rule| rule.fix),
    })
}

fn plans(api: &Api) -> Vec<Value> {
    let plan = |one: &PlanOnStage| json!({"id": one.plan_id, "name": one.plan_name, "stage": one.stage});
    api.plans.iter().map(plan).collect()
}

/// An API in a list.
pub fn summary(api: &Api) -> Value {
    let stages: Vec<&String> = api.stages.keys().collect();
    let findings = api.findings.iter().filter(|finding| posture::muted(api, finding).is_none()).count();
    json!({
        "name": api.name, "id": api.key, "status": api.status.as_str(), "accountId": api.key.place.account,
        "region": api.key.place.region, "endpointTypes": api.endpoint_types, "stages": stages, "plans": plans(api),
        "owner": api.notes.owner, "tags": api.notes.tags, "findings": findings,
        "attributes": {"Arn": api.arn(), "ContentHash": api.content_hash()},
    })
}

/// An API with all that is known of it; `documents` are what its stages show, of which those are left out that an answer does not
/// hold beside the others.
pub fn whole(api: &Api, documents: &BTreeMap<String, Value>) -> Value {
    let mut answer = summary(api);
    let mut bytes = 0;
    let stage = |(name, stage): (&String, &crate::record::Stage)| {
        let methods: Vec<Value> = stage
            .methods
            .iter()
            .map(|one| json!({"method": one.method, "path": one.path, "auth": one.auth, "apiKey": one.api_key}))
            .collect();
        let mut told = json!({
            "deploymentId": stage.deployment_id, "contentHash": stage.document_hash, "methods": methods,
            "notExported": stage.refusal,
        });
        if let Some(document) = documents.get(name) {
            bytes += document.to_string().len();
            match bytes <= PAGE_BYTES || documents.len() == 1 {
                true => told["document"] = document.clone(),
                false => told["leftOut"] = json!("too long beside the others: get it with {\"Stage\": …}"),
            }
        }
        (name.clone(), told)
    };
    let stages: Map<String, Value> = api.stages.iter().map(stage).collect();
    let Notes { owner, description, tags, links, mutes } = &api.notes;
    let more = json!({
        "description": api.description, "awsTags": api.tags, "policy": api.policy, "stages": stages,
        "notes": {"Owner": owner, "Description": description, "Tags": tags, "Links": links, "Mutes": mutes},
        "since": rfc3339(api.since_seconds), "changed": rfc3339(api.changed_seconds),
        "findings": api.findings.iter().map(|finding| audited(api, finding)).collect::<Vec<_>>(),
    });
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}

/// A finding, and whether it is muted.
pub fn audited(api: &Api, finding: &Finding) -> Value {
    let mut answer = told(finding);
    answer["api"] = json!(api.key);
    answer["resource"] = json!(api.arn());
    if let Some(reason) = posture::muted(api, finding) {
        answer["muted"] = json!(reason);
    }
    answer
}

/// How the last look at a place went.
pub fn completeness(place: &str, last: Option<&Completeness>) -> Value {
    let mut answer = json!(last.cloned().unwrap_or_default());
    let (account, region) = place.split_once('/').unwrap_or((place, ""));
    if let Some(fields) = answer.as_object_mut() {
        for seconds in ["startedSeconds", "finishedSeconds"] {
            let at = fields.remove(seconds).and_then(|at| at.as_u64()).filter(|at| *at > 0);
            fields.insert(seconds.trim_end_matches("Seconds").to_owned(), json!(at.map(rfc3339)));
        }
    }
    (answer["accountId"], answer["region"]) = (json!(account), json!(region));
    answer
}

/// A subscription. Never its key's value.
pub fn subscription(one: &Subscription) -> Value {
    let newest = one.keys.last();
    json!({
        "name": one.origin.name(), "id": one.id, "status": one.status.as_str(), "consumer": one.consumer,
        "plan": {
            "id": one.plan.id, "name": one.plan.name, "accountId": one.plan.place.account, "region": one.plan.place.region,
        },
        "accountId": one.account, "expires": one.expires_at_seconds.map(rfc3339),
        "retiringKeys": one.keys.iter().filter(|key| key.retires_at_seconds.is_some()).map(|key| {
            json!({"ApiKeyId": key.id, "until": key.retires_at_seconds.map(rfc3339)})
        }).collect::<Vec<_>>(),
        "attributes": {"ApiKeyId": newest.and_then(|key| key.id.as_ref())},
    })
}

/// A discovery, and how many accounts and regions it names.
pub fn discovery(one: &Discovery, entries: usize) -> Value {
    json!({
        "name": one.origin.name(), "id": one.id, "status": "ACTIVE", "spec": one.spec,
        "attributes": {"DiscoveryId": one.id, "Entries": entries},
    })
}

/// As many items as an answer holds, and the id of the last one when there are more: `after` which the next page goes on. No more
/// are taken from the stream than that.
pub async fn page(field: &str, items: impl Stream<Item = Result<(String, Value), Error>>) -> Result<Value, Error> {
    let (mut taken, mut bytes, mut last, mut is_cut) = (Vec::new(), 0, None, false);
    let mut items = pin!(items);
    while let Some(item) = items.next().await {
        let (id, item) = item?;
        let more = item.to_string().len();
        if !taken.is_empty() && (bytes >= PAGE_BYTES || bytes + more > ANSWER_BYTES_MAX) {
            is_cut = true;
            break;
        }
        bytes += more;
        taken.push(item);
        last = Some(id);
    }
    Ok(json!({field: taken, "next": last.filter(|_| is_cut)}))
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::plan::tests::api;

    fn paged(sizes: impl IntoIterator<Item = usize>) -> (usize, Value) {
        let items = sizes.into_iter().enumerate().map(|(n, size)| Ok((n.to_string(), json!("x".repeat(size)))));
        let page = futures::executor::block_on(page("items", stream::iter(items))).unwrap();
        (page["items"].as_array().unwrap().len(), page["next"].clone())
    }

    #[test]
    fn a_long_answer_is_cut_into_pages() {
        const MB: usize = 1 << 20;
        assert_eq!(paged([MB; 3]), (3, Value::Null));
        assert_eq!(paged([MB; 9]), (4, json!("3")));
        assert_eq!(paged([3 * MB, 3 * MB]), (1, json!("0")), "together they are more than Lambda answers with");
        assert_eq!(paged([5 * MB]), (1, Value::Null), "what is long by itself is a page of its own");
    }

    #[test]
    fn documents_that_an_answer_does_not_hold_are_left_out_and_said_to_be() {
        let mut api = api("a1");
        api.stages.insert("dev".into(), Default::default());
        let long = json!({"x": "x".repeat(3 << 20)});
        let both = BTreeMap::from([("dev".to_owned(), long.clone()), ("prod".to_owned(), long.clone())]);
        let answer = whole(&api, &both);
        assert!(answer.to_string().len() < 6 << 20);
        assert!(answer["stages"]["dev"]["document"].is_object() && answer["stages"]["prod"]["leftOut"].is_string());
        let one = whole(&api, &BTreeMap::from([("prod".to_owned(), long)]));
        assert!(one["stages"]["prod"]["document"].is_object(), "asked for alone, it is there");
    }

    #[test]
    fn an_event_of_a_change_fits_whatever_changed() {
        let many: Vec<String> = (0..5_000).map(|n| format!("GET /{}/{n}", "x".repeat(100))).collect();
        let change = Change { removed: many.clone(), breaks: many, ..Change::default() };
        let event = changed(&api("a1"), &["deployments"], &BTreeMap::from([("prod".to_owned(), change)]));
        assert!(event.detail.to_string().len() < 64 << 10);
        assert_eq!(event.detail["breaksClients"], true);
        assert_eq!(event.detail["stages"]["prod"]["removed"][100], "… and 4900 more");
    }
}
