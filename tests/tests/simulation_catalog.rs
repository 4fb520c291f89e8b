//! The catalogue on the model of AWS: whatever happens to events, one scan makes it right; whoever is at work dies at any of its
//! calls, and nothing is lost, doubled or left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use catalog::pace::Paces;
use catalog::record::{Api, Place};
use catalog::scan::{Scope, scan};
use catalog::targets::Target;
use catalog::world::{Parts, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::aws::model::accounts::{Account, CENTRAL, MemberApi};
use shared::aws::model::{Fault, Model};
use shared::aws::{Cause, Message, UsagePlan};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry::{Invocation, now_millis};
use shared::error::{Error, ErrorType};
use shared::identity::Caller;
use tests::gateway::{Clock, DEAD, runtime};
use tokio::time::Instant;

const MEMBER: &str = "111122223333";
const REGION: &str = "eu-west-1";

struct World {
    model: Model,
    parts: Arc<Parts<Model, Model, Model, Model, Model>>,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        Self::paced(1_000_000)
    }

    /// A world in which a place may be asked so often a second.
    fn paced(calls_per_second: u32) -> Self {
        let model = Model::new();
        let (base, began) = (now_millis(), Instant::now());
        let clock: Clock = Arc::new(move || base + u64::try_from(began.elapsed().as_millis()).unwrap());
        let seconds = clock.clone();
        let parts = Parts {
            apis: model.clone(),
            organization: model.clone(),
            table: model.clone(),
            queue: model.clone(),
            bus: model.clone(),
            responder: Responder::new(AllowedHosts::default()),
            clock: Box::new(move || seconds() / 1_000),
            paces: Paces::new(NonZeroU32::new(calls_per_second).unwrap()),
            settings: Settings {
                home: Place { account: CENTRAL.parse().unwrap(), region: REGION.parse().unwrap() },
                member_role: "foregate-read".into(),
                member_write_role: "foregate-write".into(),
                own_write_role: "foregate-subscriptions".into(),
                prefix: "foregate".into(),
            },
        };
        Self { model, parts: Arc::new(parts), clock }
    }

    /// A world whose catalogue looks at the member account, all of it.
    async fn discovering() -> Self {
        let world = Self::new();
        let spec = json!({"Accounts": [{"AccountId": MEMBER}], "IncludeApisWithoutUsagePlan": true});
        world.command(json!({"command": "apply", "name": "all", "spec": spec})).await.unwrap().unwrap();
        world.model.state().messages.clear();
        world
    }

    /// What it comes to; `None` when whoever was at work died.
    async fn handle(&self, payload: Value) -> Option<Result<Value, Error>> {
        let invocation = Invocation {
            request_id: format!("invocation-{}", self.model.state().calls_made()),
            caller: Caller::Operator(CENTRAL.parse().unwrap()),
            deadline_millis: (self.clock)() + 120_000,
        };
        let run = catalog::handle(self.parts.clone(), payload, invocation);
        tokio::time::timeout(DEAD, run).await.ok()
    }

    async fn command(&self, payload: Value) -> Option<Result<Value, Error>> {
        self.handle(payload).await
    }

    /// Delivers events, and what comes of them, until nothing waits. What fails or dies is delivered again.
    async fn deliver(&self, events: Vec<Value>) {
        let mut waiting = events;
        for _ in 0..20 {
            let messages: Vec<Message> = std::mem::take(&mut self.model.state().messages);
            waiting.extend(messages.into_iter().map(|message| message.body));
            if waiting.is_empty() {
                return;
            }
            let record = |(id, body): (usize, &Value)| json!({"messageId": id.to_string(), "eventSource": "aws:sqs", "body": body.to_string()});
            let records: Vec<Value> = waiting.iter().enumerate().map(record).collect();
            let answer = self.handle(json!({"Records": records})).await;
            let failed: BTreeSet<String> = match &answer {
                Some(Ok(answer)) => {
                    let failures = answer["batchItemFailures"].as_array().unwrap();
                    failures.iter().map(|one| one["itemIdentifier"].as_str().unwrap().to_owned()).collect()
                }
                _ => (0..waiting.len()).map(|id| id.to_string()).collect(),
            };
            waiting = waiting
                .into_iter()
                .enumerate()
                .filter(|(id, _)| failed.contains(&id.to_string()))
                .map(|(_, body)| body)
                .collect();
            if !waiting.is_empty() {
                tokio::time::sleep(DEAD).await;
            }
        }
        panic!("events don't come to an end: {waiting:?}");
    }

    async fn discover(&self) -> Value {
        self.command(json!({"command": "discover"})).await.unwrap().unwrap()
    }

    fn member(&self, change: impl FnOnce(&mut Account)) {
        change(self.model.state().account(MEMBER, REGION));
    }

    /// The catalogue, but for when and how it came to be so.
    fn catalogue(&self) -> BTreeMap<String, Value> {
        let state = self.model.state();
        let apis = state.items.iter().filter(|(key, _)| key.partition == "CATALOG-API");
        let plain = |body: &Value| {
            let mut api: Api = serde_json::from_value(body.clone()).unwrap();
            (api.since_seconds, api.changed_seconds) = (0, 0);
            serde_json::to_value(api).unwrap()
        };
        apis.map(|(key, item)| (key.sort.clone(), plain(&item.body))).collect()
    }

    /// The documents that are kept, by API and hash.
    fn documents(&self) -> BTreeSet<String> {
        let state = self.model.state();
        let parts = state.items.keys().filter_map(|key| {
            let api = key.partition.strip_prefix("CATALOG-DOCUMENT#")?;
            Some(format!("{api} {}", key.sort.split('#').next()?))
        });
        parts.collect()
    }

    fn told(&self, kind: &str) -> usize {
        self.model.state().events.iter().filter(|event| event.detail_type == kind).count()
    }
}

fn document(paths: &[&str]) -> Value {
    let item = json!({"get": {"responses": {"200": {"description": ""}}, "x-amazon-apigateway-integration": {"type": "http_proxy"}}});
    let paths: BTreeMap<&str, &Value> = paths.iter().map(|path| (*path, &item)).collect();
    json!({"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": paths})
}

fn id(number: u8) -> String {
    format!("api{number}")
}

fn event(name: &str, api: &str) -> Value {
    json!({
        "source": "aws.apigateway", "detail-type": "AWS API Call via CloudTrail", "account": MEMBER, "region": REGION,
        "resources": [], "detail": {"eventName": name, "requestParameters": {"restApiId": api}},
    })
}

fn plan(id: &str, stages: &[(&str, &str)]) -> UsagePlan {
    let stages = stages.iter().map(|(api, stage)| ((*api).to_owned(), (*stage).to_owned())).collect();
    UsagePlan { id: id.into(), name: id.into(), stages, has_throttle: true }
}

fn add(account: &mut Account, number: u8) {
    let id = id(number).parse().unwrap();
    account.apis.entry(id).or_insert_with_key(MemberApi::new).deploy("prod", "d0", document(&["/a"]));
}

/// Something that a team does, and the event that CloudTrail makes of it.
#[derive(Clone, Debug)]
enum Deed {
    Add(u8),
    Deploy(u8, u8),
    Remove(u8),
    Plan(u8),
}

impl Deed {
    fn do_it(&self, account: &mut Account, number: usize) -> Value {
        match self {
            Self::Add(api) => {
                add(account, *api);
                event("CreateDeployment", &id(*api))
            }
            Self::Deploy(api, paths) => {
                let shown = document(&["/a", "/b", "/c"][..usize::from(*paths % 3) + 1]);
                if let Some(api) = account.apis.get_mut(&id(*api).parse().unwrap()) {
                    api.deploy("prod", &format!("d{number}"), shown);
                }
                event("UpdateStage", &id(*api))
            }
            Self::Remove(api) => {
                account.apis.remove(&id(*api).parse().unwrap());
                event("DeleteRestApi", &id(*api))
            }
            Self::Plan(api) => {
                account.plans.insert("p".into(), plan("p", &[(&id(*api), "prod")]));
                event("UpdateUsagePlan", "")
            }
        }
    }
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, u8)>> {
    let deed = prop_oneof![
        3 => (0..12u8).prop_map(Deed::Add),
        3 => (0..12u8, 0..3u8).prop_map(|(api, paths)| Deed::Deploy(api, paths)),
        1 => (0..12u8).prop_map(Deed::Remove),
        1 => (0..12u8).prop_map(Deed::Plan),
    ];
    // Each event is lost, comes once, or comes twice.
    prop::collection::vec((deed, 0..3u8), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_events_one_scan_gives_the_same_catalogue(deeds in deeds(), shuffle in any::<u64>()) {
        runtime().block_on(async {
            let world = World::discovering().await;
            // Enough that stay, so that what vanishes is not taken for the scan's mistake.
            world.member(|account| (20..40).for_each(|number| add(account, number)));
            world.discover().await;
            let mut events = Vec::new();
            for (number, (deed, times)) in deeds.iter().enumerate() {
                let mut told = Value::Null;
                world.member(|account| told = deed.do_it(account, number + 1));
                events.extend(std::iter::repeat_n(told, usize::from(*times)));
            }
            events.sort_by_key(|event| shared::origin::hash(&format!("{shuffle}{event}")));
            for some in events.chunks(3) {
                world.deliver(some.to_vec()).await;
            }
            world.discover().await;
            let seen = world.catalogue();
            let there: BTreeSet<String> = seen.iter().filter(|(_, api)| api["status"] == "ACTIVE").map(|(key, _)| key.clone()).collect();
            let fresh = World::discovering().await;
            let account = world.model.state().account(MEMBER, REGION).clone();
            fresh.member(|member| *member = account);
            fresh.discover().await;
            let expected = fresh.catalogue();
            assert_eq!(there, expected.keys().cloned().collect::<BTreeSet<_>>());
            for (key, api) in expected {
                assert_eq!(seen[&key], api, "{key}");
            }
            assert_eq!(world.documents(), fresh.documents(), "no document is left behind");
            let again = world.discover().await;
            assert_eq!(again["items"], json!([]), "and a second scan finds nothing");
        });
    }
}

#[test]
fn an_event_about_one_api_shows_which_others_have_other_plans_by_now() {
    runtime().block_on(async {
        let world = World::new();
        let spec = json!({"Accounts": [{"AccountId": MEMBER}]});
        world.command(json!({"command": "apply", "name": "planned", "spec": spec})).await.unwrap().unwrap();
        world.member(|account| {
            (0..5).for_each(|number| add(account, number));
            account.plans.insert("p".into(), plan("p", &[("api0", "prod"), ("api1", "prod")]));
        });
        world.deliver(vec![]).await;
        assert_eq!(world.catalogue().len(), 2);
        // The event about the plans was lost.
        world.member(|account| {
            account.plans.insert("p".into(), plan("p", &[("api1", "prod"), ("api2", "prod")]));
        });
        world.deliver(vec![event("UpdateStage", "api1")]).await;
        let planned: Vec<usize> =
            world.catalogue().values().map(|api| api["plans"].as_array().map_or(0, Vec::len)).collect();
        assert_eq!(planned, [0, 1, 1], "one is in it no more, and one is new");
    });
}

#[test]
fn a_scan_that_dies_at_any_call_is_done_again_and_tells_of_everything() {
    let build = async || {
        let world = World::discovering().await;
        world.member(|account| (0..12).for_each(|number| add(account, number)));
        world.discover().await;
        world.model.state().events.clear();
        world.member(|account| {
            add(account, 12);
            account.apis.remove(&id(3).parse().unwrap());
            let changed = account.apis.get_mut(&id(5).parse().unwrap()).unwrap();
            changed.deploy("prod", "d1", document(&["/b"]));
            changed.deploy("dev", "d2", document(&["/a", "/b"]));
        });
        world
    };
    let (count, expected, documents) = runtime().block_on(async {
        let world = build().await;
        let before = world.model.state().calls_made();
        world.discover().await;
        let count = usize::try_from(world.model.state().calls_made() - before).unwrap();
        (count, world.catalogue(), world.documents())
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Unavailable)] {
        for call in 0..count {
            runtime().block_on(async {
                let world = build().await;
                world.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                let _ = world.command(json!({"command": "discover"})).await;
                world.model.state().faults.clear();
                tokio::time::sleep(DEAD).await;
                world.discover().await;
                let mut seen = world.catalogue();
                // A scan that got no answer about the removed one has counted it as missed.
                seen.values_mut().for_each(|api| api["missed_scans"] = json!(0));
                let mut expected = expected.clone();
                expected.values_mut().for_each(|api| api["missed_scans"] = json!(0));
                assert_eq!(seen, expected, "{fault:?} at {call}");
                // One that nobody names any more may be left until the API's next change.
                assert!(world.documents().is_superset(&documents), "{fault:?} at {call}");
                for kind in ["Api Discovered", "Api Changed", "Api Removed"] {
                    assert!(world.told(kind) >= 1, "{kind}: {fault:?} at {call}");
                }
            });
        }
    }
}

#[test]
fn a_scan_in_which_many_vanished_removes_nothing_and_says_so() {
    runtime().block_on(async {
        let world = World::discovering().await;
        world.member(|account| (0..10).for_each(|number| add(account, number)));
        world.discover().await;
        world.member(|account| account.lists_nothing = true);
        let held = world.discover().await;
        assert_eq!(held["completeness"][0]["removalsHeld"], true, "{held}");
        assert!(world.catalogue().values().all(|api| api["status"] == "MISSING"));
        assert_eq!(world.told("Api Removed"), 0);
        // It goes on for longer than any count of scans: AWS still says of each that it is there.
        for _ in 0..5 {
            world.discover().await;
        }
        assert!(world.catalogue().values().all(|api| api["status"] == "ACTIVE"));
        world.member(|account| account.lists_nothing = false);
        world.discover().await;
        assert!(world.catalogue().values().all(|api| api["status"] == "ACTIVE"));
        assert_eq!(world.told("Api Removed"), 0);
        // Those that are really gone, go; not in the scan that missed them all at once, but in the next.
        world.member(|account| account.apis.retain(|id, _| id.as_str() < "api5"));
        world.discover().await;
        assert_eq!(world.told("Api Removed"), 0);
        world.discover().await;
        assert_eq!(world.told("Api Removed"), 5);
        assert_eq!(world.documents().len(), 5, "their documents went with them");
    });
}

#[test]
fn an_api_that_cant_be_exported_is_in_the_catalogue_and_asked_for_once() {
    runtime().block_on(async {
        let world = World::discovering().await;
        world.member(|account| add(account, 1));
        world.model.state().failing.insert("GetExport", (1, Cause::Refused));
        let told = world.discover().await;
        assert_eq!((&told["status"], told["items"].as_array().unwrap().len()), (&json!("COMPLETE"), 1), "{told}");
        let again = world.discover().await;
        assert_eq!((&again["completeness"][0]["exports"], &again["items"]), (&json!(0), &json!([])));
        world.member(|account| {
            let api = account.apis.get_mut(&id(1).parse().unwrap()).unwrap();
            api.deploy("prod", "d1", document(&["/b"]));
        });
        world.discover().await;
        assert_eq!(world.documents().len(), 1, "another deployment is asked for anew");
    });
}

#[test]
fn an_account_that_refuses_is_told_of_once_and_keeps_what_it_had() {
    runtime().block_on(async {
        let world = World::discovering().await;
        world.member(|account| (0..3).for_each(|number| add(account, number)));
        world.discover().await;
        let before = world.catalogue();
        world.model.state().events.clear();
        world.member(|account| account.is_denied = true);
        for _ in 0..4 {
            let refused = world.discover().await;
            assert_eq!(
                (&refused["status"], &refused["completeness"][0]["complete"]),
                (&json!("INCOMPLETE"), &json!(false))
            );
        }
        assert_eq!(world.catalogue(), before);
        assert_eq!(world.told("Posture Finding"), 1);
        world.member(|account| account.is_denied = false);
        assert_eq!(world.discover().await["status"], "COMPLETE");
    });
}

/// In real time, which the pace goes by.
#[test]
fn a_scan_that_has_no_time_left_is_gone_on_with_where_it_was() {
    const APIS: usize = 250;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let world = World::paced(100);
        let home = Place { account: CENTRAL.parse().unwrap(), region: REGION.parse().unwrap() };
        let access = world.parts.settings.reading(&home.account, &home.region, None, None);
        let target = Target { place: home, access, include_all: true };
        for number in 0..APIS {
            let id = format!("api{number}").parse().unwrap();
            let mut state = world.model.state();
            let api = state.account(CENTRAL, REGION).apis.entry(id).or_insert_with_key(MemberApi::new);
            api.deploy("prod", "d0", document(&["/a"]));
        }
        let mut slices = 0;
        let last = loop {
            let invocation = Invocation {
                request_id: format!("slice-{slices}"),
                caller: Caller::Operator(CENTRAL.parse().unwrap()),
                deadline_millis: (world.clock)() + 20_400, // 20 s are kept back
            };
            let report = scan(&*world.parts, &invocation, &target, &Scope::all()).await.unwrap().unwrap();
            slices += 1;
            if !report.is_pending {
                break report.completeness;
            }
            // Somebody's deployment comes in between, and takes nothing away from where the scan was.
            let part = Scope { apis: BTreeSet::from(["api0".parse().unwrap()]), ..Scope::default() };
            let other = Invocation {
                request_id: format!("event-{slices}"),
                deadline_millis: (world.clock)() + 60_000,
                ..invocation
            };
            let looked = scan(&*world.parts, &other, &target, &part).await.unwrap().unwrap();
            assert!(!looked.is_pending);
            assert!(slices < 20, "it does not come to an end");
        };
        assert!(slices > 1, "one slice was enough");
        assert_eq!((last.catalogued, last.stages, last.exports, last.complete), (APIS, APIS, APIS, true));
        assert_eq!(world.catalogue().len(), APIS);
        let exports = world.model.take_calls().into_iter().filter(|call| *call == "GetExport").count();
        assert_eq!(exports, APIS, "none was fetched twice");
    });
}

#[test]
fn where_nothing_is_named_it_is_the_central_account_that_is_looked_at() {
    runtime().block_on(async {
        let world = World::new();
        add(world.model.state().account(CENTRAL, REGION), 1);
        assert_eq!(world.discover().await["items"], json!([]), "no usage plan is for it");
        let spec = json!({"IncludeApisWithoutUsagePlan": "true"});
        let all = world.command(json!({"command": "discover", "spec": spec})).await.unwrap().unwrap();
        assert_eq!(all["items"], json!([{"id": format!("{CENTRAL}/{REGION}/api1"), "change": "NEW"}]));
    });
}

#[test]
fn a_unit_that_cant_be_read_is_looked_at_as_it_was() {
    runtime().block_on(async {
        let world = World::new();
        world.model.state().units.insert("r-ab12".into(), BTreeSet::from([MEMBER.parse().unwrap()]));
        let spec =
            json!({"OrganizationalUnit": {"OrganizationalUnitId": "r-ab12"}, "IncludeApisWithoutUsagePlan": true});
        world.command(json!({"command": "apply", "name": "all", "spec": spec})).await.unwrap().unwrap();
        world.member(|account| add(account, 1));
        assert_eq!(world.discover().await["items"].as_array().unwrap().len(), 1);
        world.model.state().units.clear();
        world.member(|account| add(account, 2));
        let told = world.discover().await;
        assert_eq!(told["status"], "INCOMPLETE", "{told}");
        assert_eq!(told["items"].as_array().unwrap().len(), 1, "the account that was in it is looked at");
        assert_eq!(told["completeness"][1]["organizationalUnitId"], "r-ab12");
    });
}

#[test]
fn an_account_that_vanishes_from_its_unit_is_looked_at_until_several_lists_did_not_have_it() {
    runtime().block_on(async {
        let world = World::new();
        let other = "222233334444".parse().unwrap();
        world.model.state().units.insert("r-ab12".into(), BTreeSet::from([MEMBER.parse().unwrap(), other]));
        let spec =
            json!({"OrganizationalUnit": {"OrganizationalUnitId": "r-ab12"}, "IncludeApisWithoutUsagePlan": true});
        world.command(json!({"command": "apply", "name": "all", "spec": spec})).await.unwrap().unwrap();
        world.member(|account| add(account, 1));
        assert_eq!(world.discover().await["items"].as_array().unwrap().len(), 1);
        let status = async || {
            let list = json!({"command": "list", "spec": {"AccountId": MEMBER}});
            world.command(list).await.unwrap().unwrap()["items"][0]["status"].clone()
        };
        // An empty list is never believed, and the central account is not looked at in its place.
        world.model.state().units.insert("r-ab12".into(), BTreeSet::new());
        for _ in 0..5 {
            let told = world.discover().await;
            assert_eq!((&told["status"], told["completeness"].as_array().unwrap().len()), (&json!("INCOMPLETE"), 3));
            assert_eq!(status().await, "ACTIVE", "{told}");
        }
        // The account has left.
        world.model.state().units.insert("r-ab12".into(), BTreeSet::from(["222233334444".parse().unwrap()]));
        for _ in 0..2 {
            assert_eq!(world.discover().await["status"], "INCOMPLETE");
            assert_eq!(status().await, "ACTIVE");
        }
        assert_eq!(world.discover().await["status"], "COMPLETE");
        assert_eq!(status().await, json!(null), "what is gone is listed to who asks for it");
        let events = &world.model.state().events;
        assert!(events.iter().any(|event| event.detail_type == "Api Removed"));
    });
}

// ---- subscriptions ----------------------------------------------------------------------------------------------------

impl World {
    fn with_plan() -> Self {
        let world = Self::new();
        let mut state = world.model.state();
        state.account(CENTRAL, REGION).plans.insert("p".into(), plan("p", &[("api0", "prod")]));
        add(state.account(CENTRAL, REGION), 0);
        drop(state);
        world
    }

    async fn subscribe(&self) -> Option<Result<Value, Error>> {
        let spec = json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "shop"});
        self.command(json!({"command": "apply", "name": "shop", "spec": spec})).await
    }

    /// The API keys that there are: whether each may be used, and the plans that it is on.
    fn keys(&self) -> Vec<(bool, usize)> {
        let mut state = self.model.state();
        let keys = &state.account(CENTRAL, REGION).keys;
        keys.values().map(|key| (key.is_enabled, key.plans.len())).collect()
    }
}

/// Does `change` with a fault at each of its calls, then again without: in the end it must be as it would be without any.
fn killed_anywhere(
    before: impl AsyncFn(&World),
    change: impl AsyncFn(&World) -> Option<Result<Value, Error>>,
    after: impl Fn(&World, &Value),
) {
    let count = runtime().block_on(async {
        let world = World::with_plan();
        before(&world).await;
        let made = world.model.state().calls_made();
        let answer = change(&world).await.unwrap().unwrap();
        after(&world, &answer);
        usize::try_from(world.model.state().calls_made() - made).unwrap()
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0..count {
            runtime().block_on(async {
                let world = World::with_plan();
                before(&world).await;
                world.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                let _ = change(&world).await;
                world.model.state().faults.clear();
                tokio::time::sleep(DEAD).await;
                let answer = change(&world).await.unwrap();
                let answer = answer.unwrap_or_else(|error| panic!("{fault:?} at {call}: {error}"));
                after(&world, &answer);
            });
        }
    }
}

#[test]
fn a_subscription_killed_at_any_call_has_one_key_on_its_plan() {
    killed_anywhere(
        async |_| {},
        async |world| world.subscribe().await,
        |world, answer| {
            assert_eq!(answer["status"], "ACTIVE");
            assert_eq!(world.keys(), [(true, 1)]);
        },
    );
}

#[test]
fn a_rotation_killed_at_any_call_leaves_the_old_key_and_one_new_one() {
    killed_anywhere(
        async |world| {
            world.subscribe().await.unwrap().unwrap();
        },
        async |world| match world.command(json!({"command": "rotate", "name": "shop"})).await {
            // One that was killed after its key was given is over: there is nothing to do again.
            Some(Err(error)) if error.error_type == ErrorType::Conflict => {
                world.command(json!({"command": "get", "name": "shop"})).await
            }
            other => other,
        },
        |world, answer| {
            assert_eq!(answer["retiringKeys"].as_array().unwrap().len(), 1, "{answer}");
            assert_eq!(world.keys(), [(true, 1), (true, 1)]);
        },
    );
}

#[test]
fn a_revocation_killed_at_any_call_leaves_no_key() {
    killed_anywhere(
        async |world| {
            world.subscribe().await.unwrap().unwrap();
            world.command(json!({"command": "rotate", "name": "shop"})).await.unwrap().unwrap();
        },
        async |world| world.command(json!({"command": "delete", "name": "shop"})).await,
        |world, answer| {
            assert_eq!(answer["status"], "DELETED");
            assert!(world.keys().is_empty());
        },
    );
}

#[test]
fn a_key_that_was_rotated_out_goes_when_its_time_is_over_and_its_successor_works() {
    runtime().block_on(async {
        let world = World::with_plan();
        world.subscribe().await.unwrap().unwrap();
        let rotate = json!({"command": "rotate", "name": "shop", "spec": {"OverlapSeconds": 3_600}});
        let rotated = world.command(rotate.clone()).await.unwrap().unwrap();
        assert!(rotated["attributes"]["ApiKeyValue"].is_string());
        assert_eq!(world.command(rotate).await.unwrap().unwrap_err().error_type, ErrorType::Conflict);
        world.deliver(vec![scheduled()]).await;
        assert_eq!(world.keys().len(), 2);
        tokio::time::sleep(std::time::Duration::from_secs(3_601)).await;
        world.deliver(vec![scheduled()]).await;
        assert_eq!(world.keys(), [(true, 1)]);
        let stands = world.command(json!({"command": "get", "name": "shop"})).await.unwrap().unwrap();
        assert_eq!(stands["attributes"]["ApiKeyId"], rotated["attributes"]["ApiKeyId"]);
    });
}

#[test]
fn a_rotation_that_was_refused_is_refused_again_and_the_word_before_brings_the_old_key_back() {
    runtime().block_on(async {
        let world = World::with_plan();
        let apply = async |word: &str| {
            let spec = json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "shop", "Rotation": word});
            world.command(json!({"command": "apply", "name": "shop", "spec": spec})).await.unwrap()
        };
        let key = |answer: &Value| answer["attributes"]["ApiKeyId"].as_str().unwrap().to_owned();
        let (first, second) = (apply("1").await.unwrap(), apply("2").await.unwrap());
        assert_ne!(key(&first), key(&second));
        for _ in 0..2 {
            assert_eq!(apply("3").await.unwrap_err().error_type, ErrorType::Conflict);
        }
        assert_eq!(key(&apply("2").await.unwrap()), key(&second));
        assert_eq!(key(&apply("1").await.unwrap()), key(&first));
        assert_eq!(world.keys(), [(true, 1), (true, 1)]);
    });
}

fn scheduled() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "resources": [], "detail": {}})
}

#[test]
fn a_plan_that_is_detached_suspends_its_subscriptions_and_destroys_none() {
    runtime().block_on(async {
        let world = World::with_plan();
        world.deliver(vec![scheduled()]).await;
        world.subscribe().await.unwrap().unwrap();
        let status = async || {
            let stands = world.command(json!({"command": "get", "name": "shop"})).await.unwrap().unwrap();
            stands["status"].as_str().unwrap().to_owned()
        };
        assert_eq!(status().await, "ACTIVE");
        let set = |stages: &[(&str, &str)]| {
            world.model.state().account(CENTRAL, REGION).plans.insert("p".into(), plan("p", stages));
        };
        set(&[]);
        world.deliver(vec![scheduled()]).await;
        assert_eq!(status().await, "SUSPENDED");
        assert_eq!(world.keys(), [(true, 1)], "the key is where it was");
        set(&[("api0", "prod")]);
        world.deliver(vec![scheduled()]).await;
        assert_eq!(status().await, "ACTIVE");
    });
}

#[test]
fn a_subscription_whose_end_has_come_can_be_used_no_more_until_it_is_given_another() {
    runtime().block_on(async {
        let world = World::with_plan();
        let until = |seconds: u64| shared::time::rfc3339((world.clock)() / 1_000 + seconds);
        let apply = async |end: String| {
            let spec = json!({"Plan": {"UsagePlanId": "p"}, "Consumer": "shop", "ExpiresAt": end});
            world.command(json!({"command": "apply", "name": "shop", "spec": spec})).await.unwrap().unwrap()
        };
        assert_eq!(apply(until(100)).await["status"], "ACTIVE");
        tokio::time::sleep(std::time::Duration::from_secs(101)).await;
        world.deliver(vec![scheduled()]).await;
        assert_eq!(world.keys(), [(false, 1)]);
        let again = apply(until(100)).await;
        assert_eq!((&again["status"], world.keys()), (&json!("ACTIVE"), vec![(true, 1)]));
    });
}

#[test]
fn a_key_that_somebody_deleted_is_made_anew_when_it_is_asked_for() {
    runtime().block_on(async {
        let world = World::with_plan();
        world.subscribe().await.unwrap().unwrap();
        world.model.state().account(CENTRAL, REGION).keys.clear();
        let pause = world.command(json!({"command": "pause", "name": "shop"})).await.unwrap().unwrap();
        assert_eq!(pause["status"], "PAUSED");
        let resume = world.command(json!({"command": "resume", "name": "shop"})).await.unwrap().unwrap();
        assert_eq!((&resume["status"], world.keys()), (&json!("ACTIVE"), vec![(true, 1)]));
    });
}

#[test]
fn no_record_and_no_event_has_a_keys_value() {
    runtime().block_on(async {
        let world = World::with_plan();
        let answer = world.subscribe().await.unwrap().unwrap();
        let value = answer["attributes"]["ApiKeyValue"].as_str().unwrap().to_owned();
        assert!(world.subscribe().await.unwrap().unwrap()["attributes"].get("ApiKeyValue").is_none(), "once");
        let state = world.model.state();
        let kept = format!("{:?}{:?}{:?}", state.items, state.events, state.messages);
        assert!(!kept.contains(&value));
    });
}
