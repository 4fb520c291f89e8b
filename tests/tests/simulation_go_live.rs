//! From an import to a switched stage on the model of AWS: what an import makes of a front door is held against what was asked
//! for, and nothing that differs goes live.

use std::collections::BTreeMap;

use publisher::command::command;
use publisher::cycle::{self, Depth};
use publisher::part::{self, Part};
use routes::authorise::Grant;
use routes::intake;
use serde_json::{Value, json};
use shared::aws::model::Fault;
use shared::aws::model::apis::Api;
use shared::aws::{RestApi, Stage, VpcLink};
use shared::error::{Error, ErrorType};
use shared::front_door::RouteSpec;
use shared::front_door::records::Publication;
use shared::trigger::Command;
use tests::gateway::{API, CENTRAL, DEAD, Gateway, asked, runtime};

struct World(Gateway);

impl World {
    async fn build(fields: Value) -> Self {
        let theirs = json!({"paths": {"/theirs": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}});
        let gateway = Gateway::build(theirs, fields).await;
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

    async fn register(&self, path: &str) {
        let backend = json!({"Http": {"Link": "gate", "Url": "http://nlb.example.com/"}});
        let spec = json!({"Path": path, "Methods": ["GET"], "Auth": "AWS_IAM", "ApiKeyRequired": self.0.door.shards.is_none(), "Backend": backend});
        let grant = Grant { door: self.0.door.clone(), tenant: None };
        let asked = asked(CENTRAL, path.trim_start_matches('/'), path);
        intake::register(&self.0.routes, &asked, RouteSpec::parse(spec).unwrap(), &grant).await.unwrap();
    }

    /// One run of the publisher. `None` when it died.
    async fn try_to_publish(&self) -> Option<Result<Publication, Error>> {
        let (invocation, part) = (self.0.invocation(300), Part::own(&self.0.door));
        let run = cycle::publish(&self.0.publisher, &invocation, &part, Depth::Everything);
        tokio::time::timeout(DEAD, run).await.ok()
    }

    async fn publish(&self) -> Result<Publication, Error> {
        self.try_to_publish().await.expect("nobody has died")
    }

    async fn command(&self, verb: &str, spec: Value) -> Result<Value, Error> {
        let asked: Command = serde_json::from_value(json!({"command": verb, "name": "default", "spec": spec})).unwrap();
        command(&self.0.publisher, &self.0.invocation(300), asked).await
    }

    fn api<T>(&self, act: impl FnOnce(&mut Api) -> T) -> T {
        act(self.0.model.state().apis.get_mut(&API.parse().unwrap()).unwrap())
    }

    fn live(&self) -> Option<Stage> {
        self.api(|api| api.stages.get(&"live".parse().unwrap()).cloned())
    }

    fn calls(&self, operation: &str) -> usize {
        self.0.model.state().calls.iter().filter(|call| **call == operation).count()
    }
}

#[test]
fn a_method_that_an_import_has_opened_never_goes_live() {
    for mode in ["Overwrite", "Merge"] {
        runtime().block_on(async {
            let world = World::build(json!({"Mode": mode})).await;
            world.register("/one").await;
            world.publish().await.unwrap();
            let live = world.live();
            assert!(live.is_some());
            world.api(|api| api.misread.insert("GET /two".into()));
            world.register("/two").await;
            let deployments = world.calls("CreateDeployment");
            let error = world.publish().await.unwrap_err();
            assert_eq!(error.error_type, ErrorType::Upstream, "{error}");
            assert!(error.message.contains("~ GET /two is NONE"), "{error}");
            assert_eq!(world.live(), live, "{mode}");
            assert_eq!(world.calls("CreateDeployment"), deployments, "{mode}");
            let told = world.0.model.state().events.last().cloned().unwrap();
            assert_eq!((told.detail_type, &told.detail["published"]), ("Drift Found", &json!(false)));
            assert!(told.detail["edits"].to_string().contains("GET /two"), "{}", told.detail);
            // As soon as API Gateway understands it, it goes live.
            world.api(|api| api.misread.clear());
            world.publish().await.unwrap();
            assert_ne!(world.live(), live, "{mode}");
        });
    }
}

#[test]
fn what_an_import_warns_of_stands_in_the_revision_and_the_event_with_its_route() {
    runtime().block_on(async {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        let unknown = "Unsupported keyword 'nullable' of resource '/one' and method 'GET'. Ignoring.".to_owned();
        let harmless =
            "API Gateway does not support Swagger's 'default' method response (found on 'GET /theirs')".to_owned();
        world.api(|api| api.warnings = vec![harmless.clone(), unknown.clone()]);
        world.publish().await.unwrap();
        let reported = json!([format!("GET /one (account {CENTRAL}, one): {unknown}")]);
        let history = world.command("history", Value::Null).await.unwrap();
        assert_eq!(history["items"][0]["warnings"], reported);
        let published = |world: &World| {
            let events = world.0.model.state().events.clone();
            events.into_iter().rfind(|event| event.detail_type == "Front Door Published").unwrap().detail
        };
        assert_eq!(published(&world)["warnings"], reported);
        // A harmless one is nothing to report, and as many as there may be are no reason to fail.
        world.api(|api| api.warnings = vec![harmless]);
        world.register("/two").await;
        world.publish().await.unwrap();
        assert_eq!(published(&world)["warnings"], json!([]));
        world.api(|api| api.warnings = vec![unknown; 10_000]);
        world.register("/three").await;
        world.publish().await.unwrap();
        let detail = published(&world);
        let last = detail["warnings"].as_array().and_then(|lines| lines.last()).and_then(Value::as_str).unwrap();
        assert!(last.ends_with(" more are left out"), "{last}");
        assert!(detail.to_string().len() < 64 << 10);
    });
}

#[test]
fn a_deployment_that_is_open_where_the_document_is_not_never_goes_live() {
    let build = async || {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        world
    };
    let call = runtime().block_on(async {
        let world = build().await;
        let before = world.0.model.state().calls.len();
        world.publish().await.unwrap();
        world.0.model.state().calls[before..].iter().position(|call| *call == "CreateDeployment").unwrap()
    });
    runtime().block_on(async {
        let world = build().await;
        world.0.model.state().faults = std::iter::repeat_n(None, call).chain([Some(Fault::Waits)]).collect();
        // Between the look at the REST API and the deployment, somebody opens it.
        let (done, ()) = futures::future::join(world.publish(), async {
            while world.calls("CreateDeployment") == 0 {
                tokio::task::yield_now().await;
            }
            world.api(|api| api.misread.insert("GET /one".into()));
        })
        .await;
        let error = done.unwrap_err();
        assert!(error.message.contains("~ GET /one is NONE with API key"), "{error}");
        assert_eq!(world.live(), None);
        assert_eq!(world.api(|api| api.deployments.len()), 0, "the next publication is not to find it again");
    });
}

#[test]
fn what_api_gateway_answers_late_is_no_difference_and_what_stays_is_one() {
    for (stale_reads, is_published) in [(2, true), (10, false)] {
        runtime().block_on(async {
            let world = World::build(json!({})).await;
            world.register("/one").await;
            world.api(|api| api.stale_reads = stale_reads);
            assert_eq!(world.publish().await.is_ok(), is_published, "{stale_reads}");
            assert_eq!(world.live().is_some(), is_published, "{stale_reads}");
        });
    }
}

#[test]
fn a_publication_looks_at_the_rest_api_once_before_the_import_and_once_after() {
    runtime().block_on(async {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        world.publish().await.unwrap();
        assert_eq!((world.calls("GetResources"), world.calls("GetDeployment"), world.calls("PutRestApi")), (2, 1, 1));
        assert_eq!((world.calls("CreateStage"), world.calls("UpdateStage")), (1, 0));
        world.register("/two").await;
        world.publish().await.unwrap();
        assert_eq!(world.calls("UpdateStage"), 1, "deployment and variables go live in one call");
    });
}

fn guarded() -> RestApi {
    RestApi {
        disable_execute_api_endpoint: true,
        security_policy: Some("TLS_1_2".into()),
        endpoint_access_mode: Some("STRICT".into()),
        ..RestApi::default()
    }
}

#[test]
fn what_an_import_resets_is_set_again_before_a_deployment_wherever_the_publisher_is_killed() {
    let build = async || {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        world.api(|api| (api.settings, api.forgets_settings) = (guarded(), true));
        world
    };
    let calls = runtime().block_on(async {
        let world = build().await;
        let before = world.0.model.state().calls_made();
        world.publish().await.unwrap();
        assert_eq!(world.api(|api| api.settings.clone()), guarded());
        usize::try_from(world.0.model.state().calls_made() - before).unwrap()
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost] {
        for call in 0..calls {
            runtime().block_on(async {
                let world = build().await;
                world.0.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                let _ = world.try_to_publish().await;
                world.0.model.state().faults.clear();
                let settings = world.api(|api| api.settings.clone());
                assert!(world.live().is_none() || settings == guarded(), "{fault:?} at {call}");
                tokio::time::sleep(DEAD).await;
                world.publish().await.unwrap();
                assert_eq!(world.api(|api| api.settings.clone()), guarded(), "{fault:?} at {call}");
                assert!(world.live().is_some(), "{fault:?} at {call}");
                // Whatever it died at, one document is one deployment.
                assert_eq!(world.api(|api| api.deployments.len()), 1, "{fault:?} at {call}");
            });
        }
    }
}

const LOG_GROUP: &str = "arn:aws:logs:eu-west-1:123456789012:log-group:front-door";

fn stage_settings() -> Value {
    json!({"Stage": {"AccessLog": {"DestinationArn": format!("{LOG_GROUP}:*"), "Format": "$context.requestId"},
        "Throttling": {"RateLimit": 100, "BurstLimit": 50}, "Tracing": true, "Variables": {"color": "blue"}}})
}

fn has_settings(stage: &Stage) -> bool {
    stage.access_log == Some((LOG_GROUP.into(), "$context.requestId".into()))
        && stage.throttling == Some((100.0, 50))
        && stage.is_traced
        && stage.variables.get("color").is_some_and(|color| color == "blue")
}

#[test]
fn no_route_leads_anywhere_before_the_stage_has_its_settings_wherever_the_publisher_is_killed() {
    let build = async || {
        let world = World::build(stage_settings()).await;
        world.register("/one").await;
        world
    };
    let calls = runtime().block_on(async {
        let world = build().await;
        let before = world.0.model.state().calls_made();
        world.publish().await.unwrap();
        assert!(has_settings(&world.live().unwrap()));
        assert_eq!((world.calls("CreateStage"), world.calls("UpdateStage")), (1, 1));
        usize::try_from(world.0.model.state().calls_made() - before).unwrap()
    });
    for fault in [Fault::Dies, Fault::DiesAfter, Fault::AnswerLost] {
        for call in 0..calls {
            runtime().block_on(async {
                let world = build().await;
                world.0.model.state().faults = std::iter::repeat_n(None, call).chain([Some(fault)]).collect();
                let _ = world.try_to_publish().await;
                world.0.model.state().faults.clear();
                let leads = |stage: &Stage| stage.variables.contains_key("link_gate");
                let is_unset = world.live().is_some_and(|stage| leads(&stage) && !has_settings(&stage));
                assert!(!is_unset, "{fault:?} at {call}: {:?}", world.live());
                tokio::time::sleep(DEAD).await;
                world.publish().await.unwrap();
                assert!(world.live().is_some_and(|stage| leads(&stage) && has_settings(&stage)), "{fault:?} at {call}");
            });
        }
    }
}

#[test]
fn a_setting_of_the_stage_that_somebody_has_changed_is_set_again_and_what_is_not_asked_for_stays() {
    for mode in ["Overwrite", "Merge"] {
        runtime().block_on(async {
            let mut fields = stage_settings();
            fields["Mode"] = json!(mode);
            let world = World::build(fields).await;
            world.register("/one").await;
            world.publish().await.unwrap();
            world.api(|api| {
                let stage = api.stages.get_mut(&"live".parse().unwrap()).unwrap();
                (stage.access_log, stage.throttling, stage.is_traced) = (None, Some((1_000.0, 50)), false);
                stage.variables.extend([("color".to_owned(), "red".to_owned()), ("theirs".to_owned(), "x".to_owned())]);
            });
            world.publish().await.unwrap();
            let live = world.live().unwrap();
            assert!(has_settings(&live), "{mode}: {live:?}");
            assert_eq!(live.variables["theirs"], "x", "{mode}");
            let updates = world.calls("UpdateStage");
            world.publish().await.unwrap();
            assert_eq!(world.calls("UpdateStage"), updates, "{mode}: nothing is left to do");
        });
    }
}

#[test]
fn a_shard_is_guarded_as_the_front_door_is_without_a_default_endpoint_and_stays_so() {
    runtime().block_on(async {
        let world = World::build(json!({"Shards": {"DomainName": "api.example.com"}})).await;
        world.api(|api| api.settings = RestApi { disable_execute_api_endpoint: false, ..guarded() });
        world.register("/cats").await;
        let publish = async || {
            let part = part::find(std::slice::from_ref(&world.0.door), "default/cats").unwrap();
            let invocation = world.0.invocation(300);
            let publication = cycle::publish(&world.0.publisher, &invocation, &part, Depth::Everything).await;
            publication.unwrap().shard_api.unwrap()
        };
        let id = publish().await;
        let shard = || world.0.model.state().apis[&id].settings.clone();
        let is_guarded = |api: &RestApi| {
            RestApi { name: String::new(), description: None, ..api.clone() }
                == RestApi { tags: [("foregate:front-door".to_owned(), "default".to_owned())].into(), ..guarded() }
        };
        assert!(is_guarded(&shard()), "{:?}", shard());
        world.0.model.state().apis.get_mut(&id).unwrap().settings.disable_execute_api_endpoint = false;
        publish().await;
        assert!(is_guarded(&shard()), "{:?}", shard());
        assert!(
            !world.api(|api| api.settings.disable_execute_api_endpoint),
            "the front door's own is the platform team's"
        );
    });
}

#[test]
fn no_stage_shows_what_the_live_stage_does_not() {
    runtime().block_on(async {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        world.publish().await.unwrap();
        let candidate = || Stage { deployment_id: world.live().unwrap().deployment_id, ..Stage::default() };
        let stages = || world.api(|api| api.stages.keys().map(ToString::to_string).collect::<Vec<_>>());
        // As an earlier version has left it.
        let twin = candidate();
        world.api(|api| api.stages.insert("live-candidate".parse().unwrap(), twin));
        world.register("/two").await;
        world.publish().await.unwrap();
        assert_eq!(stages(), ["live"]);
        let twin = candidate();
        world.api(|api| api.stages.insert("live-candidate".parse().unwrap(), twin));
        world.command("rollback", json!({"Revision": 1})).await.unwrap();
        assert_eq!(stages(), ["live"], "after a rollback nothing shows the bad revision");
        // A stage of that name that shows a deployment of somebody else's is theirs.
        world.api(|api| {
            api.deploy("theirs", "by hand", 0);
            let stage = Stage { deployment_id: "theirs".into(), ..Stage::default() };
            api.stages.insert("live-candidate".parse().unwrap(), stage)
        });
        world.command("publish", Value::Null).await.unwrap();
        assert_eq!(stages(), ["live", "live-candidate"]);
    });
}

#[test]
fn a_stage_variable_that_somebody_has_moved_leads_where_the_link_does_again() {
    runtime().block_on(async {
        let world = World::build(json!({})).await;
        world.register("/one").await;
        world.publish().await.unwrap();
        let published = world.live().unwrap();
        world.api(|api| {
            let stage = api.stages.get_mut(&"live".parse().unwrap()).unwrap();
            stage
                .variables
                .extend([("link_gate".to_owned(), "evil".to_owned()), ("theirs".to_owned(), "x".to_owned())]);
        });
        world.publish().await.unwrap();
        let mut expected = published.variables;
        expected.insert("theirs".to_owned(), "x".to_owned());
        assert_eq!(world.live().unwrap().variables, expected);
    });
}

#[test]
fn old_deployments_and_revisions_go_and_what_a_stage_or_a_canary_shows_stays() {
    runtime().block_on(async {
        let world = World::build(json!({})).await;
        world.register("/r0").await;
        world.publish().await.unwrap();
        let first = world.live().unwrap().deployment_id;
        world.register("/r1").await;
        world.publish().await.unwrap();
        let second = world.live().unwrap().deployment_id;
        // Somebody else shows the first two on a stage of their own.
        world.api(|api| {
            let stage = Stage { deployment_id: first.clone(), canary: Some(second.clone()), ..Stage::default() };
            api.stages.insert("theirs".parse().unwrap(), stage)
        });
        for n in 2..30 {
            world.register(&format!("/r{n}")).await;
            world.publish().await.unwrap();
        }
        let kept = world.api(|api| api.deployments.keys().cloned().collect::<Vec<_>>());
        assert_eq!(kept.len(), 22, "{kept:?}");
        assert!(kept.contains(&first) && kept.contains(&second));
        let history = world.command("history", Value::Null).await.unwrap();
        assert_eq!(history["items"].as_array().unwrap().len(), 20);
        assert_eq!(history["items"][19]["attributes"]["Revision"], 11);
        let error = world.command("rollback", json!({"Revision": 5})).await.unwrap_err();
        assert!(error.message.contains("the last 20, older ones are deleted"), "{error}");
        world.command("rollback", json!({"Revision": 11})).await.unwrap();
    });
}
