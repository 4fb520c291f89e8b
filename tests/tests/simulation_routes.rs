//! Routes from claim to live stage on the model of AWS: the publisher killed at every one of its calls, and teams that claim
//! at the same moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use publisher::cycle::{self, Depth};
use routes::authorise::Grant;
use routes::intake::{self, Asked};
use serde_json::{Value, json};
use shared::aws::model::apis::Api;
use shared::aws::model::{Fault, Model};
use shared::aws::{Cause, VpcLink};
use shared::custom_resource::{AllowedHosts, Responder};
use shared::entry::{Invocation, now_millis};
use shared::error::{Error, ErrorType};
use shared::front_door::claims::Claims;
use shared::front_door::records::{FrontDoor, Publication, Route, Status};
use shared::front_door::{FrontDoorSpec, RouteSpec};
use shared::identity::Caller;
use shared::lease::Leased;
use shared::origin::{Origin, Requests, Stamp};
use shared::registry::{self, Record, Registry};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const CENTRAL: &str = "123456789012";
const API: &str = "f1e2d3c4b5";

/// Longer than any lease, and than anything that an invocation waits for.
const DEAD: Duration = Duration::from_secs(1_000);

struct World {
    model: Model,
    publisher: publisher::world::Parts<Model, Model, Model>,
    routes: routes::world::Parts<Model, Model, Model>,
    door: FrontDoorSpec,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What somebody else has put on the REST API.
fn theirs() -> Value {
    json!({"x-amazon-apigateway-integration": {"type": "mock"}, "summary": "theirs"})
}

/// Time stands still until everybody waits for it.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

impl World {
    async fn build() -> Self {
        Self::build_with("Overwrite").await
    }

    /// A REST API that somebody has a path on already.
    async fn build_with(mode: &str) -> Self {
        let model = Model::new();
        let document = json!({"paths": {"/theirs/{theirId}": {"get": theirs()}}});
        model.state().apis.insert(API.parse().unwrap(), Api { document, ..Api::default() });
        model.state().vpc_links.push(VpcLink { id: "link".into(), name: "gate".into(), status: "AVAILABLE".into() });
        let (base, began) = (now_millis(), Instant::now());
        let clock: Arc<dyn Fn() -> u64 + Send + Sync> =
            Arc::new(move || base + u64::try_from(began.elapsed().as_millis()).unwrap());
        let (millis, seconds) = (clock.clone(), clock.clone());
        let publisher = publisher::world::Parts {
            apis: model.clone(),
            table: model.clone(),
            bus: model.clone(),
            responder: Responder::new(AllowedHosts::default()),
            clock: Box::new(move || millis()),
            region: "eu-west-1".into(),
        };
        let routes = routes::world::Parts {
            apis: model.clone(),
            table: model.clone(),
            bus: model.clone(),
            clock: Box::new(move || seconds() / 1_000),
            region: "eu-west-1".into(),
        };
        let door = FrontDoorSpec::parse(json!({"RestApiId": API, "StageName": "live", "Mode": mode})).unwrap();
        let record = FrontDoor {
            origin: Origin::Command { name: "default".into() },
            spec: door.clone(),
            requests: Requests::default(),
            deleted: false,
        };
        Registry::new(&model).put(&mut Record::new(registry::front_door_key("default"), record)).await.unwrap();
        Self { model, publisher, routes, door, clock }
    }

    fn asked(owner: &str, name: &str) -> Asked {
        Asked {
            owner: owner.parse().unwrap(),
            origin: Origin::Command { name: name.into() },
            stamp: Stamp { fingerprint: format!("{owner} {name}"), signed_at_seconds: None },
            request: None,
        }
    }

    async fn register(&self, owner: &str, name: &str, path: &str, methods: Value) -> Result<Route, Error> {
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": path, "Methods": methods, "Auth": "NONE", "Backend": backend});
        let grant = Grant { door: self.door.clone(), tenant: None };
        intake::register(&self.routes, &Self::asked(owner, name), RouteSpec::parse(spec).unwrap(), &grant).await
    }

    async fn withdraw(&self, name: &str) {
        let asked = Self::asked(CENTRAL, name);
        for route in intake::list(&self.routes, &asked.origin.id_prefix(&intake::kind(&asked.owner))).await.unwrap() {
            let stamp = Stamp { fingerprint: format!("delete {name}"), signed_at_seconds: None };
            intake::withdraw(&self.routes, &Asked { stamp, ..asked.clone() }, &route.id).await.unwrap();
        }
    }

    /// One run of the publisher. `None` when it died.
    async fn publish(&self) -> Option<Result<Publication, Error>> {
        let now = (self.clock)();
        let invocation = Invocation {
            request_id: format!("invocation-{}", self.model.state().calls_made()),
            caller: Caller::Operator(CENTRAL.parse().unwrap()),
            deadline_millis: now + 300_000,
        };
        let run = cycle::publish(&self.publisher, &invocation, &self.door, Depth::Everything);
        tokio::time::timeout(DEAD, run).await.ok()
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
                let shown = world.api().stages[&"live".parse().unwrap()].clone();
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
            edited.deployments.insert("by-hand".into(), edited.document.clone());
            edited.stages.insert("live".parse().unwrap(), "by-hand".into());
            *world.model.state().apis.get_mut(&API.parse().unwrap()).unwrap() = edited;
            for _ in 0..2 {
                world.publish().await.unwrap().unwrap();
            }
            let after = world.api();
            assert_eq!(after.document == published.document, is_repaired);
            assert_eq!(after.stages[&"live".parse().unwrap()] == "by-hand", !is_repaired);
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
