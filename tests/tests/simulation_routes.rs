//! Routes from claim to live stage on the model of AWS: the publisher killed at every one of its calls, and teams that claim
//! at the same moment.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use proptest::prelude::*;
use publisher::cycle::{self, Depth};
use publisher::part::{self, Part};
use publisher::wake;
use routes::authorise::{Grant, authorise};
use routes::front_doors;
use routes::intake::{self, Asked};
use serde_json::{Map, Value, json};
use shared::aws::model::Fault;
use shared::aws::model::apis::{Api, Snapshot};
use shared::aws::{Cause, Stage, VpcLink};
use shared::custom_resource::{Envelope, Request};
use shared::entry::Invocation;
use shared::error::{Error, ErrorType};
use shared::front_door::claims::Claims;
use shared::front_door::records::{FrontDoor, Onboarded, Publication, Route, Standing, Status, Waiting};
use shared::front_door::{FrontDoorSpec, RouteSpec, Tenant};
use shared::identity::Caller;
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use tests::gateway::{self, API, CENTRAL, DEAD, Gateway, runtime};

struct World(Gateway);

impl Deref for World {
    type Target = Gateway;
    fn deref(&self) -> &Gateway {
        &self.0
    }
}

/// What somebody else has put on the REST API.
fn theirs() -> Value {
    json!({"security": [], "x-amazon-apigateway-integration": {"type": "mock"}, "summary": "theirs"})
}

impl World {
    async fn build() -> Self {
        Self::build_with("Overwrite").await
    }

    /// A REST API that somebody has a path on already.
    async fn build_with(mode: &str) -> Self {
        Self::build_as(json!({"Mode": mode})).await
    }

    async fn build_as(fields: Value) -> Self {
        let gateway = Gateway::build(json!({"paths": {"/theirs/{theirId}": {"get": theirs()}}}), fields).await;
        gateway.model.state().vpc_links.push(VpcLink {
            id: "link".into(),
            name: "gate".into(),
            status: "AVAILABLE".into(),
            message: String::new(),
            target: "nlb".into(),
            tags: BTreeMap::new(),
        });
        Self(gateway)
    }

    fn asked(owner: &str, name: &str) -> Asked {
        gateway::asked(owner, name, &format!("{owner} {name}"))
    }

    async fn register(&self, owner: &str, name: &str, path: &str, methods: Value) -> Result<Route, Error> {
        let url = format!("http://nlb.example.com/{}", if path.ends_with("{proxy+}") { "{proxy}" } else { "" });
        let backend = json!({"Http": {"Link": "gate", "Url": url}});
        let spec = json!({"Path": path, "Methods": methods, "Auth": "NONE", "Backend": backend});
        let grant = Grant { door: self.door.clone(), tenant: None };
        let registered =
            intake::register(&self.routes, &Self::asked(owner, name), RouteSpec::parse(spec).unwrap(), &grant).await;
        registered.map(|registered| registered.route)
    }

    /// What an operator or a tenant asks for, in full.
    async fn ask(&self, owner: &str, name: &str, spec: Value) -> Route {
        let grant = Grant { door: self.door.clone(), tenant: None };
        let asked = gateway::asked(owner, name, &format!("{owner} {name} {spec}"));
        intake::register(&self.routes, &asked, RouteSpec::parse(spec).unwrap(), &grant).await.unwrap().route
    }

    async fn waiting(&self) -> Vec<Record<Waiting>> {
        let key = registry::all_like(registry::waiting_key("default", "", ""));
        Registry::new(&self.model).list(key).await.unwrap()
    }

    /// A stack's request about a route. Its answer can go nowhere.
    fn of_a_stack(kind: &str, path: &str, request_id: &str) -> (Asked, RouteSpec) {
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": path, "Methods": "GET", "Auth": "NONE", "Backend": backend});
        let event = json!({
            "RequestType": kind, "ResponseURL": "https://elsewhere.example/", "RequestId": request_id,
            "StackId": format!("arn:aws:cloudformation:eu-west-1:{CENTRAL}:stack/pets/9a8b"),
            "ResourceType": "Custom::Route", "LogicalResourceId": "Route", "ResourceProperties": spec,
        });
        let request = Request::parse(event.clone(), &Envelope::parse(&event).unwrap()).unwrap();
        let (origin, stamp) = (request.origin(), request.stamp());
        let asked = Asked { owner: CENTRAL.parse().unwrap(), origin, stamp, request: Some(request) };
        (asked, RouteSpec::parse(spec).unwrap())
    }

    async fn front_door(&self) -> FrontDoor {
        let record = Registry::new(&self.model).get(&registry::front_door_key("default")).await.unwrap();
        record.map(|record: Record<FrontDoor>| record.value).unwrap()
    }

    async fn grant(&self, account: &str, prefixes: &[&str]) {
        let grants = json!({"AccountId": account, "Prefixes": prefixes, "BackendHosts": ["nlb.example.com"]});
        let tenant = Onboarded {
            origin: Origin::Command { name: "team".into() },
            grants: Tenant::parse(grants).unwrap(),
            attributes: Map::new(),
            requests: Requests::default(),
            deleted: false,
        };
        let registry = Registry::new(&self.model);
        let key = registry::tenant_key(account);
        let stored: Option<Record<Onboarded>> = registry.get(&key).await.unwrap();
        let version = stored.map_or(0, |record| record.version);
        registry.put(&mut Record { version, ..Record::new(key, tenant) }).await.unwrap();
    }

    async fn change_door(&self, change: impl Fn(&mut FrontDoorSpec)) {
        let registry = Registry::new(&self.model);
        let mut record: Record<FrontDoor> = registry.get(&registry::front_door_key("default")).await.unwrap().unwrap();
        change(&mut record.value.spec);
        let generation = record.value.standing.generation + 1;
        record.value.standing = Standing { generation, ..Standing::default() };
        registry.put(&mut record).await.unwrap();
    }

    async fn withdraw(&self, name: &str) {
        let asked = Self::asked(CENTRAL, name);
        for route in intake::list(&self.routes, &asked.origin.id_prefix(&intake::kind(&asked.owner))).await.unwrap() {
            let stamp = Stamp { fingerprint: format!("delete {name}"), signed_at_seconds: None };
            intake::withdraw(&self.routes, &Asked { stamp, ..asked.clone() }, &route.id).await.unwrap();
        }
    }

    fn invocation(&self) -> Invocation {
        self.0.invocation(300)
    }

    /// One run of the publisher. `None` when it died.
    async fn publish(&self) -> Option<Result<Publication, Error>> {
        let (invocation, part) = (self.invocation(), Part::own(&self.door));
        let run = cycle::publish(&self.publisher, &invocation, &part, Depth::Everything);
        tokio::time::timeout(DEAD, run).await.ok()
    }

    /// The registry's stream wakes the publisher, again and again, until nothing is left. How often.
    async fn wake(&self) -> usize {
        let change = json!({"Records": [{"awsRegion": "eu-west-1", "eventID": "1", "eventName": "MODIFY", "eventVersion": "1.1",
            "dynamodb": {"SequenceNumber": "1", "Keys": {}, "SizeBytes": 1, "ApproximateCreationDateTime": 0}}]});
        let batch = serde_json::from_value(change).unwrap();
        for times in 1..100 {
            let answer = wake::stream(&self.publisher, &self.invocation(), &batch).await.unwrap();
            if answer == json!({"batchItemFailures": []}) {
                return times;
            }
            assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "1"}]}));
        }
        panic!("it never ends")
    }

    /// What a client of the custom domain name meets, as `GET https://…`.
    fn met(&self, domain: &str) -> BTreeSet<String> {
        let state = self.model.state();
        let mut met = BTreeSet::new();
        for (base, (api, stage)) in &state.mappings {
            let document = state.apis[&api.parse().unwrap()].shown(&stage.parse().unwrap()).unwrap();
            for (path, item) in document["paths"].as_object().unwrap() {
                let path = if path == "/" { "" } else { path };
                met.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {base}{path}")));
            }
        }
        assert!(met.iter().all(|one| one.contains(domain)));
        met
    }

    /// What clients meet, and what the registry says: of two worlds that went the same way, the same.
    async fn outcome(&self) -> (Option<Value>, BTreeMap<String, (Status, bool)>, Vec<String>) {
        let shown = self.api().shown(&"live".parse().unwrap()).cloned();
        let registry = Registry::new(&self.model);
        let routes: Vec<Record<Route>> = registry.list(registry::route_key("route-")).await.unwrap();
        let routes = routes.into_iter().map(|one| {
            let route = one.value;
            (route.origin.name(), (route.status, route.live.is_some()))
        });
        let claims: Vec<Record<Claims>> =
            registry.list(registry::all_like(registry::claims_key("default", ""))).await.unwrap();
        let claimed = claims.into_iter().flat_map(|record| record.value.0.into_values()).map(|claim| claim.name);
        (shown, routes.collect(), claimed.collect())
    }

    fn api(&self) -> Api {
        self.model.state().apis[&API.parse().unwrap()].clone()
    }

    async fn publication(&self) -> Publication {
        let key = registry::publication_key("default");
        let record: Option<Record<Leased<Publication>>> = Registry::new(&self.model).get(&key).await.unwrap();
        record.map(|record| record.value.value).unwrap_or_default()
    }

    /// Two live routes of which one is to go, one that is to change, one to come, and one that API Gateway refuses.
    async fn busy(mode: &str) -> Self {
        let world = Self::build_with(mode).await;
        world.model.state().apis.get_mut(&API.parse().unwrap()).unwrap().refuses.insert("/bad".into());
        for name in ["goes", "stays"] {
            world.register(CENTRAL, name, &format!("/{name}/{{id}}"), json!("GET")).await.unwrap();
        }
        world.publish().await.unwrap().unwrap();
        world.withdraw("goes").await;
        world.register(CENTRAL, "stays", "/stays/{id}", json!(["GET", "PUT"])).await.unwrap();
        world.register(CENTRAL, "comes", "/comes/{proxy+}", json!("ANY")).await.unwrap();
        world.register(CENTRAL, "bad", "/bad", json!("GET")).await.unwrap();
        world
    }
}

#[test]
fn a_publisher_that_is_killed_at_any_call_is_made_good_by_the_next_run() {
    is_made_good("Overwrite", &["/comes/{proxy+}", "/stays/{p2}"]);
}

#[test]
fn a_publisher_that_is_killed_while_it_merges_leaves_alone_what_is_not_its_own() {
    is_made_good("Merge", &["/comes/{proxy+}", "/stays/{p2}", "/theirs/{theirId}"]);
}

fn is_made_good(mode: &str, paths: &[&str]) {
    let (expected, calls) = runtime().block_on(async {
        let world = World::busy(mode).await;
        let before = world.model.state().calls_made();
        world.publish().await.unwrap().unwrap();
        (world.outcome().await, usize::try_from(world.model.state().calls_made() - before).unwrap())
    });
    let document = expected.0.as_ref().unwrap();
    assert_eq!(document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), paths);
    assert!(mode == "Overwrite" || document["paths"]["/theirs/{theirId}"]["get"] == theirs());
    assert_eq!(expected.1["bad"], (Status::Rejected, false));
    assert_eq!(expected.1["goes"], (Status::Deleted, false));
    assert!(calls > 20, "{calls}");
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost, Fault::Fails(Cause::Throttled)] {
        for call in 0..calls {
            runtime().block_on(async {
                let world = World::busy(mode).await;
                let live = world.outcome().await.0;
                let faults = std::iter::repeat_n(None, call).chain([Some(fault)]);
                world.model.state().faults = faults.collect();
                let _ = world.publish().await;
                world.model.state().faults.clear();
                // In between, clients meet what was, or what is to be, and nothing else.
                let met = world.outcome().await.0;
                assert!(met == live || met == expected.0, "{fault:?} at {call}: {met:?}");
                tokio::time::sleep(DEAD).await;
                world.publish().await.expect("nobody dies any more").unwrap();
                assert_eq!(world.outcome().await, expected, "{fault:?} at {call}");
                let publication = world.publication().await;
                let shown = world.api().stages[&"live".parse().unwrap()].deployment_id.clone();
                assert_eq!(publication.deployment_id, shown, "{fault:?} at {call}");
                // And once more changes nothing.
                let deployments = world.api().deployments.len();
                world.publish().await.unwrap().unwrap();
                assert_eq!(world.api().deployments.len(), deployments, "{fault:?} at {call}");
            });
        }
    }
}

#[test]
fn a_route_that_is_refused_stays_live_as_it_was() {
    for is_terse in [false, true] {
        runtime().block_on(async {
            let world = World::build().await;
            {
                let mut state = world.model.state();
                let api = state.apis.get_mut(&API.parse().unwrap()).unwrap();
                api.refuses.insert("context.nonsense".into());
                api.is_terse = is_terse;
            }
            let other = "222222222222";
            world.grant(other, &["/zoo"]).await;
            let spec = |path: &str, header: &str| {
                let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
                json!({"Path": path, "Methods": ["GET"], "Auth": "NONE", "Backend": backend, "Headers": {"X-A": header}})
            };
            world.ask(CENTRAL, "one", spec("/one", "context.stage")).await;
            world.ask(other, "zoo", spec("/zoo/{id}", "context.stage")).await;
            world.publish().await.unwrap().unwrap();
            let before = world.outcome().await.0.unwrap();
            // One's own mistake, and 64 of somebody else's while another team changes something.
            world.ask(CENTRAL, "one", spec("/one", "context.nonsense")).await;
            for n in 0..64 {
                world.ask(CENTRAL, &format!("bad{n}"), spec(&format!("/aaa/{n}"), "context.nonsense")).await;
            }
            world.ask(other, "zoo", spec("/zoo/{id}", "context.apiId")).await;
            let mut runs = 0;
            loop {
                runs += 1;
                world.publish().await.unwrap().unwrap();
                let (shown, routes, _) = world.outcome().await;
                let shown = shown.unwrap();
                assert_eq!(shown["paths"]["/one"], before["paths"]["/one"], "it stays as it was");
                assert!(shown["paths"]["/zoo/{p2}"].to_string().contains("context.apiId"), "the other team's goes live");
                if routes.values().all(|(status, _)| matches!(status, Status::Live | Status::Rejected)) {
                    assert_eq!(routes["one"], (Status::Rejected, true));
                    assert_eq!(routes["zoo"], (Status::Live, true));
                    break;
                }
                let judged = routes.values().filter(|(status, _)| *status == Status::Rejected).count();
                assert!(routes.values().all(|(status, _)| *status != Status::Waiting), "run {runs}: {judged} were judged");
            }
            assert!(runs <= if is_terse { 5 } else { 1 }, "{runs}");
        });
    }
}

#[test]
fn a_request_that_comes_again_finds_its_own_answer_waiting_and_what_is_live_waits_for_nothing() {
    runtime().block_on(async {
        let world = World::build().await;
        let grant = Grant { door: world.door.clone(), tenant: None };
        let (asked, spec) = World::of_a_stack("Create", "/one", "r1");
        for _ in 0..2 {
            let registered = intake::register(&world.routes, &asked, spec.clone(), &grant).await.unwrap();
            assert!(!registered.is_live);
            let waiting = world.waiting().await;
            assert_eq!((waiting.len(), waiting[0].version), (1, 1), "it is left as it is");
        }
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.waiting().await, [], "nobody takes the answer, which is over and fails nothing");

        let (again, _) = World::of_a_stack("Create", "/one", "r2");
        assert!(intake::register(&world.routes, &again, spec.clone(), &grant).await.unwrap().is_live);
        assert_eq!(world.waiting().await, [], "it is answered at once");
        // Where the stage was put back to a revision that has it not, that would not be true.
        let key = registry::publication_key("default");
        let registry = Registry::new(&world.model);
        let mut record: Record<Leased<Publication>> = registry.get(&key).await.unwrap().unwrap();
        record.value.value.revision = 0;
        record.value.value.rolled_back_by = Some("request x".into());
        registry.put(&mut record).await.unwrap();
        let (third, _) = World::of_a_stack("Create", "/one", "r3");
        assert!(!intake::register(&world.routes, &third, spec.clone(), &grant).await.unwrap().is_live);
        // It is told so before CloudFormation gives up, and not earlier.
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.waiting().await.len(), 1);
        tokio::time::sleep(std::time::Duration::from_secs(3_001)).await;
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.waiting().await, []);
    });
}

#[test]
fn answers_that_have_expired_are_nobodys_any_more_and_many_are_read_page_by_page() {
    runtime().block_on(async {
        let world = World::build().await;
        let grant = Grant { door: world.door.clone(), tenant: None };
        for n in 0..10 {
            let (asked, spec) = World::of_a_stack("Create", &format!("/one{n}"), &format!("r{n}"));
            intake::register(&world.routes, &asked, spec, &grant).await.unwrap();
        }
        let part = Part::own(&world.door);
        assert_eq!(publisher::observe::waiting(&world.publisher, &part).await.unwrap(), 10);
        tokio::time::sleep(std::time::Duration::from_secs(2 * 3_600)).await;
        assert_eq!(publisher::observe::waiting(&world.publisher, &part).await.unwrap(), 0);
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.waiting().await.len(), 10, "DynamoDB removes them");
    });
}

#[test]
fn settings_that_api_gateway_refuses_are_their_authors_alone_and_the_published_ones_go_on() {
    for is_terse in [false, true] {
        runtime().block_on(async {
            let world = World::build().await;
            world.register(CENTRAL, "one", "/one", json!("GET")).await.unwrap();
            world.publish().await.unwrap().unwrap();
            assert_eq!(world.front_door().await.standing.status, Status::Live);
            {
                let mut state = world.model.state();
                let api = state.apis.get_mut(&API.parse().unwrap()).unwrap();
                api.refuses.insert("nonsense".into());
                api.is_terse = is_terse;
            }
            let base = |uri: &str| {
                let integration =
                    json!({"x-amazon-apigateway-integration": {"type": "http", "uri": uri}, "security": []});
                json!({"paths": {"/health": {"get": integration}}}).as_object().unwrap().clone()
            };
            world.change_door(|door| door.base_definition = base("nonsense")).await;
            world.register(CENTRAL, "two", "/two", json!("GET")).await.unwrap();
            for _ in 0..2 {
                world.publish().await.unwrap().unwrap();
                let (shown, routes, _) = world.outcome().await;
                assert_eq!(routes["two"], (Status::Live, true));
                assert_eq!(shown.unwrap()["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/one", "/two"]);
                let standing = world.front_door().await.standing;
                assert_eq!(standing.status, Status::Rejected);
                assert!(standing.refusal.unwrap().message.contains("API Gateway rejected it: "));
            }
            world.change_door(|door| door.base_definition = base("http://example.com/")).await;
            world.publish().await.unwrap().unwrap();
            assert_eq!(world.front_door().await.standing.status, Status::Live);
            assert!(world.outcome().await.0.unwrap()["paths"].get("/health").is_some());
        });
    }
}

#[test]
fn an_authorizer_that_live_routes_need_is_not_taken_away() {
    runtime().block_on(async {
        let pool = json!({"pets": {"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:x"]}});
        let world = World::build_as(json!({"Authorizers": pool})).await;
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": "/cats", "Methods": ["GET"], "Auth": {"Authorizer": "pets"}, "Backend": backend});
        world.ask(CENTRAL, "cats", spec).await;
        world.publish().await.unwrap().unwrap();
        let shown = world.outcome().await.0;
        let without = FrontDoorSpec { authorizers: BTreeMap::new(), ..world.door.clone() };
        let origin = Origin::Command { name: "default".into() };
        let stamp = Stamp { fingerprint: "without".into(), signed_at_seconds: None };
        let refused = front_doors::apply(&world.routes, origin, stamp, without, None).await.unwrap_err();
        assert_eq!(refused.error_type, ErrorType::Blocked);
        let why = "Authorizers.pets: 1 routes need it, among them GET /cats (account 123456789012, cats)";
        assert!(refused.message.starts_with(why), "{refused}");
        // Who asks at the same moment as the route is told so by the publisher.
        world.change_door(|door| door.authorizers.clear()).await;
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.outcome().await.0, shown, "it is neither open nor off");
        let standing = world.front_door().await.standing;
        assert_eq!((standing.status, standing.refusal.unwrap().message), (Status::Rejected, refused.message));
    });
}

#[test]
fn a_front_door_is_answered_when_it_is_live_and_an_empty_one_at_once() {
    runtime().block_on(async {
        let world = World::build().await;
        let asked = async |cidr: &str, n: u64| {
            let spec = json!({"RestApiId": API, "StageName": "live", "AllowedCidrs": [cidr]});
            let event = json!({
                "RequestType": "Create", "ResponseURL": "https://elsewhere.example/", "RequestId": format!("r{n}"),
                "StackId": format!("arn:aws:cloudformation:eu-west-1:{CENTRAL}:stack/platform/9a8b"),
                "ResourceType": "Custom::FrontDoor", "LogicalResourceId": "Door", "ResourceProperties": spec,
            });
            let request = Request::parse(event.clone(), &Envelope::parse(&event).unwrap()).unwrap();
            let origin = Origin::Command { name: "default".into() };
            let spec = FrontDoorSpec::parse(spec).unwrap();
            front_doors::apply(&world.routes, origin, request.stamp(), spec, Some(&request)).await.unwrap()
        };
        assert_eq!(asked("192.0.2.0/24", 1).await.standing.status, Status::Live, "it rests");
        assert_eq!(world.waiting().await, []);
        world.register(CENTRAL, "one", "/one", json!("GET")).await.unwrap();
        world.publish().await.unwrap().unwrap();
        assert_eq!(asked("198.51.100.0/24", 2).await.standing.status, Status::Pending);
        assert_eq!(world.waiting().await.len(), 1);
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.waiting().await, [], "it was answered");
        assert_eq!(world.front_door().await.standing.status, Status::Live);
        assert_eq!(asked("198.51.100.0/24", 3).await.standing.status, Status::Live, "nothing is left to wait for");
        assert_eq!(world.waiting().await, []);
    });
}

#[test]
fn a_concurrent_modification_is_no_refusal_of_a_route() {
    runtime().block_on(async {
        let world = World::build().await;
        world.register(CENTRAL, "one", "/one", json!("GET")).await.unwrap();
        world.model.state().apis.get_mut(&API.parse().unwrap()).unwrap().collisions = 2;
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.outcome().await.1["one"], (Status::Live, true));
    });
}

#[test]
fn what_something_outside_takes_off_comes_back_with_it_however_many_cycles_later() {
    let link_goes = async |world: &World, is_there: bool| {
        world.model.state().vpc_links[0].name = if is_there { "gate" } else { "gone" }.into();
    };
    let grant_goes = async |world: &World, is_there: bool| {
        world.grant("222222222222", if is_there { &["/zoo"] } else { &["/other"] }).await;
    };
    let limit_falls = async |world: &World, is_there: bool| {
        world.change_door(|door| door.resources_max = if is_there { 300 } else { 1 }).await;
    };
    for kind in ["link", "grant", "limit"] {
        runtime().block_on(async {
            let world = World::build().await;
            let owner = "222222222222";
            world.grant(owner, &["/zoo"]).await;
            world.register(owner, "zoo", "/zoo/{id}", json!("GET")).await.unwrap();
            world.publish().await.unwrap().unwrap();
            assert_eq!(world.outcome().await.1["zoo"], (Status::Live, true));
            for is_there in [false, true] {
                match kind {
                    "link" => link_goes(&world, is_there).await,
                    "grant" => grant_goes(&world, is_there).await,
                    _ => limit_falls(&world, is_there).await,
                }
                for _ in 0..3 {
                    world.publish().await.unwrap().unwrap();
                }
                let expected = if is_there { (Status::Live, true) } else { (Status::Waiting, false) };
                assert_eq!(world.outcome().await.1["zoo"], expected, "{kind}");
            }
        });
    }
}

#[test]
fn an_edit_by_hand_is_told_of_once_and_in_overwrite_mode_repaired() {
    for (mode, is_repaired) in [("Overwrite", true), ("Merge", false)] {
        runtime().block_on(async {
            let world = World::build_with(mode).await;
            world.register(CENTRAL, "one", "/one", json!("GET")).await.unwrap();
            world.publish().await.unwrap().unwrap();
            let published = world.api();
            let mut edited = published.clone();
            edited.document["paths"]["/one"]["get"]["x-amazon-apigateway-integration"]["uri"] =
                json!("http://evil.example/");
            edited.deploy("by-hand", "by hand", 0);
            edited.stages.get_mut(&"live".parse().unwrap()).unwrap().deployment_id = "by-hand".into();
            *world.model.state().apis.get_mut(&API.parse().unwrap()).unwrap() = edited;
            for _ in 0..2 {
                world.publish().await.unwrap().unwrap();
            }
            let after = world.api();
            assert_eq!(after.document == published.document, is_repaired);
            assert_eq!(after.stages[&"live".parse().unwrap()].deployment_id == "by-hand", !is_repaired);
            let state = world.model.state();
            let told: Vec<_> = state.events.iter().filter(|event| event.detail_type == "Drift Found").collect();
            assert_eq!(told.len(), 1, "{mode}");
            let edits = told[0].detail["edits"].to_string();
            assert!(edits.contains("~ GET /one is AWS_IAM") || edits.contains("~ GET /one is NONE"), "{edits}");
            assert_eq!(
                (&told[0].detail["shows"], &told[0].detail["repaired"]),
                (&json!("by-hand"), &json!(is_repaired))
            );
        });
    }
}

#[test]
fn what_is_published_is_what_is_asked_for_when_the_lease_was_had() {
    runtime().block_on(async {
        let world = World::build().await;
        world.register(CENTRAL, "one", "/one", json!("GET")).await.unwrap();
        // The publisher has read the front door, and waits; meanwhile that is changed.
        let registry = Registry::new(&world.model);
        let mut record: Record<FrontDoor> = registry.get(&registry::front_door_key("default")).await.unwrap().unwrap();
        record.value.spec.allowed_cidrs = ["192.0.2.0/24".parse().unwrap()].into();
        registry.put(&mut record).await.unwrap();
        world.publish().await.unwrap().unwrap();
        let shown = world.outcome().await.0.unwrap();
        assert!(shown["x-amazon-apigateway-policy"].to_string().contains("192.0.2.0/24"), "{shown}");
        let mut record: Record<FrontDoor> = registry.get(&registry::front_door_key("default")).await.unwrap().unwrap();
        record.value.deleted = true;
        registry.put(&mut record).await.unwrap();
        world.register(CENTRAL, "two", "/two", json!("GET")).await.unwrap();
        world.publish().await.unwrap().unwrap();
        assert_eq!(world.outcome().await.0.unwrap(), shown, "a front door that is gone is left as it is");
    });
}

#[test]
fn a_publisher_that_lost_its_lease_leaves_the_stage_alone() {
    runtime().block_on(async {
        let world = World::busy("Overwrite").await;
        let slow = async { world.publish().await.unwrap() };
        // While that one waits until a deployment may be made, somebody takes it for dead.
        let fast = async {
            tokio::task::yield_now().await;
            let key = registry::publication_key("default");
            let registry = Registry::new(&world.model);
            let mut record: Record<Leased<Publication>> = registry.get(&key).await.unwrap().unwrap();
            record.value.holder = None;
            registry.put(&mut record).await.unwrap();
        };
        let live = world.outcome().await.0;
        let (lost, ()) = futures::future::join(slow, fast).await;
        assert_eq!(lost.unwrap_err().error_type, ErrorType::Conflict);
        assert_eq!(world.outcome().await.0, live);
    });
}

const SHARDED: &str = "api.example.com";

fn sharded() -> Value {
    json!({"Shards": {"DomainName": SHARDED}, "BaseDefinition": {"paths": {"/health": {"get": theirs()}}}})
}

#[test]
fn a_front_door_with_shards_takes_ten_thousand_routes() {
    runtime().block_on(async {
        let world = World::build_as(sharded()).await;
        let mut expected = BTreeSet::new();
        for segment in 0..40 {
            for route in 0..250 {
                let path = format!("/team{segment}/thing{route}");
                world.register(CENTRAL, &format!("s{segment}r{route}"), &path, json!("GET")).await.unwrap();
                expected.insert(format!("get {SHARDED}{path}"));
            }
        }
        let full = world.register(CENTRAL, "deep", "/team0/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/0/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25", json!("GET")).await;
        assert_eq!(full.unwrap_err().error_type, ErrorType::LimitExceeded, "each shard has its own limit");
        let invocations = world.wake().await;
        assert!(invocations <= 2, "{invocations} invocations of five minutes each");
        assert_eq!(world.met(SHARDED), expected);
        assert_eq!(world.model.state().apis.len(), 41);

        // Nothing is left to do, and nothing is done.
        let before = world.model.state().calls.iter().filter(|call| **call == "GetStage").count();
        world.wake().await;
        assert_eq!(world.model.state().calls.iter().filter(|call| **call == "GetStage").count(), before);

        // One more route is one more deployment of its own shard, and nothing of the others.
        let deployments = |world: &World| world.model.state().apis.values().map(|api| api.deployments.len()).sum::<usize>();
        let before = deployments(&world);
        world.register(CENTRAL, "one-more", "/team7/one-more", json!("GET")).await.unwrap();
        world.wake().await;
        assert_eq!(deployments(&world), before + 1);
        expected.insert(format!("get {SHARDED}/team7/one-more"));
        assert_eq!(world.met(SHARDED), expected);
    });
}

#[test]
fn a_shard_whose_maker_is_killed_at_any_call_is_made_once() {
    let publish = async |world: &World, segment: &str| {
        let invocation = world.invocation();
        let part = part::find(std::slice::from_ref(&world.door), &format!("default/{segment}")).unwrap();
        let run = cycle::publish(&world.publisher, &invocation, &part, Depth::Pending);
        tokio::time::timeout(DEAD, run).await.ok()
    };
    let build = async || {
        let world = World::build_as(sharded()).await;
        world.register(CENTRAL, "cats", "/cats/{id}", json!("GET")).await.unwrap();
        world
    };
    let calls = runtime().block_on(async {
        let world = build().await;
        let before = world.model.state().calls_made();
        publish(&world, "cats").await.unwrap().unwrap();
        usize::try_from(world.model.state().calls_made() - before).unwrap()
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost] {
        for call in 0..calls {
            runtime().block_on(async {
                let world = build().await;
                world.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                let _ = publish(&world, "cats").await;
                world.model.state().faults.clear();
                tokio::time::sleep(DEAD).await;
                publish(&world, "cats").await.unwrap().unwrap();
                assert_eq!(world.met(SHARDED), [format!("get {SHARDED}/cats/{{p2}}")].into(), "{fault:?} at {call}");
                assert_eq!(world.model.state().apis.len(), 2, "{fault:?} at {call}");
            });
        }
    }
}

#[test]
fn routes_that_move_to_shards_are_there_before_they_go_from_the_front_doors_own() {
    runtime().block_on(async {
        let mut world = World::build().await;
        for name in ["cats", "dogs"] {
            world.register(CENTRAL, name, &format!("/{name}/{{id}}"), json!("GET")).await.unwrap();
        }
        world.publish().await.unwrap().unwrap();
        world.0.door.shards = Some(SHARDED.parse().unwrap());
        let registry = Registry::new(&world.model);
        let mut record: Record<FrontDoor> = registry.get(&registry::front_door_key("default")).await.unwrap().unwrap();
        record.value.spec = world.door.clone();
        registry.put(&mut record).await.unwrap();
        // Somebody else has the base path of one of them: the other one moves, and nothing is lost.
        let theirs = ("theirs".to_owned(), "prod".to_owned());
        world.model.state().mappings.insert(format!("{SHARDED}/dogs"), theirs);
        let paths = |world: &World| {
            let shown = world.api().shown(&"live".parse().unwrap()).cloned().unwrap();
            shown["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        let batch = serde_json::from_value(json!({"Records": []})).unwrap();
        let error = wake::stream(&world.publisher, &world.invocation(), &batch).await.unwrap_err();
        assert!(
            error.message.contains("the base path dogs of api.example.com leads to the stage prod of theirs"),
            "{error}"
        );
        assert_eq!(paths(&world), ["/cats/{p2}", "/dogs/{p2}"]);
        world.model.state().mappings.remove(&format!("{SHARDED}/dogs"));
        world.wake().await;
        assert_eq!(world.met(SHARDED).len(), 2);
        assert_eq!(paths(&world), ["/"]);
    });
}

/// A private API of a team's whose stage `v1`, if it has one, serves `GET /cats` to the front door's endpoint.
fn private_api(has_stage: bool) -> Api {
    let statement = |effect: &str, condition: Value| json!({"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition});
    let others = json!({"StringNotEquals": {"aws:SourceVpce": ENDPOINT}});
    let shown = json!({"paths": {"/cats": {"get": {"x-amazon-apigateway-integration": {"type": "http_proxy"}}}}});
    let v1 = Stage { deployment_id: "d1".to_owned(), ..Stage::default() };
    Api {
        is_private: true,
        policy: Some(json!({"Statement": [statement("Allow", json!({})), statement("Deny", others)]})),
        deployments: BTreeMap::from([("d1".to_owned(), Snapshot { document: shown, ..Snapshot::default() })]),
        stages: has_stage.then(|| ("v1".parse().unwrap(), v1)).into_iter().collect(),
        ..Api::default()
    }
}

const ENDPOINT: &str = "vpce-0a1b2c3d4e5f67890";
const TEAM: &str = "111122223333";

#[test]
fn a_private_api_is_held_against_its_stage_where_the_front_door_names_its_endpoints() {
    for (endpoints, has_stage, path, failing, expected) in [
        (json!([]), false, "/cats", None, ""),
        (json!([ENDPOINT]), true, "/cats", None, ""),
        (json!([ENDPOINT]), false, "/cats", None, "a1b2c3d4e5 has no stage 'v1'"),
        (json!([ENDPOINT]), true, "/cats/{id}", None, "has no GET /cats/{id}: no resource of it fits that path"),
        // The role was just made: it is known after some tries.
        (json!([ENDPOINT]), true, "/cats", Some((3, Cause::Unavailable)), ""),
        (
            json!([ENDPOINT]),
            true,
            "/cats",
            Some((1, Cause::Denied)),
            "allow the role of account 111122223333 that Foregate reads REST APIs with apigateway:GET on \
             /restapis/a1b2c3d4e5/stages/v1/exports/oas30",
        ),
    ] {
        runtime().block_on(async {
            let world = World::build_as(json!({"PrivateApiLink": "private", "VpcEndpointIds": endpoints})).await;
            let grants = Tenant::parse(json!({"AccountId": TEAM, "Prefixes": ["/cats"]})).unwrap();
            let origin = Origin::Command { name: "team".into() };
            let tenant =
                Onboarded { origin, grants, attributes: Map::new(), requests: Requests::default(), deleted: false };
            Registry::new(&world.model).put(&mut Record::new(registry::tenant_key(TEAM), tenant)).await.unwrap();
            world.model.state().apis.insert("a1b2c3d4e5".parse().unwrap(), private_api(has_stage));
            world.model.state().failing.extend(failing.map(|failing| ("GetExport", failing)));
            let backend = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "v1"}});
            let spec = json!({"Path": path, "Methods": ["GET"], "Auth": "NONE", "Backend": backend});
            let caller = Caller::Tenant(TEAM.parse().unwrap());
            let answer = authorise(&world.routes, &caller, &RouteSpec::parse(spec).unwrap()).await;
            let said = answer.err().map(|error| error.message).unwrap_or_default();
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{endpoints} {path}: {said}");
            let is_exported = world.model.state().calls.contains(&"GetExport");
            assert_eq!(is_exported, endpoints != json!([]), "without endpoints nothing more is asked than before");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Teams that claim at the same moment, in whatever interleaving: those who hear yes have claims, nobody else has, and no
    /// two of them are in each other's way.
    #[test]
    fn the_first_writer_wins_whatever_the_interleaving(
        waits in proptest::collection::vec(any::<bool>(), 0..40),
        paths in proptest::collection::vec(prop_oneof![
            Just("/x/{id}"), Just("/x/me"), Just("/x/{proxy+}"), Just("/x/{a}/b"), Just("/x"), Just("/y"),
        ], 2..5),
    ) {
        runtime().block_on(async {
            let world = World::build().await;
            world.model.state().faults = waits.iter().map(|waits| waits.then_some(Fault::Waits)).collect();
            let claims = paths.iter().enumerate().map(|(n, path)| {
                let owner = (n + 1).to_string().repeat(12);
                let world = &world;
                async move { world.register(&owner, "mine", path, json!("GET")).await.map(|route| route.claim()) }
            });
            let answers = futures::future::join_all(claims).await;
            world.model.state().faults.clear();
            let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
            for answer in &answers {
                if let Err(error) = answer {
                    assert_eq!(error.error_type, ErrorType::Conflict);
                }
            }
            let (_, routes, claimed) = world.outcome().await;
            assert_eq!(claimed.len(), won.len());
            assert!(routes.values().all(|(status, _)| *status == Status::Pending));
            for (n, one) in won.iter().enumerate() {
                for other in &won[n + 1..] {
                    assert!(!one.path.overlaps(&other.path), "{} and {}", one.path, other.path);
                }
            }
            assert!(!won.is_empty());
        });
    }
}
