//! What is decided, as tables; what is rendered, as golden files. `UPDATE_GOLDEN=1` writes the files anew: look at the diff.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::front_door::records::{Live, Refusal, Route, Status};
use shared::front_door::{FrontDoorSpec, Method, Owned, RouteSpec, Tenant};
use shared::origin::{Origin, Requests};
use shared::types::AccountId;

use super::changes::{LINES_BYTES_MAX, bounded, changes};
use super::links::{links, stage_variables};
use super::present::{Foreign, Present, Removal, Resource, Shown, drift, removals};
use super::render::{GATEWAY_RESPONSES, render, settings};
use super::select::select;
use super::{Carried, Link, Reading, Verdict};

const CENTRAL: &str = "123456789012";
const CATS: &str = "111111111111";
const DOGS: &str = "222222222222";

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

fn private_api() -> Value {
    json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}})
}

fn spec(path: &str, methods: Value) -> Value {
    json!({"Path": path, "Methods": methods, "Auth": "AWS_IAM", "Backend": private_api()})
}

fn route(owner: &str, name: &str, spec: Value) -> Route {
    let origin = Origin::Command { name: name.into() };
    Route {
        id: format!("route-{owner}-{name}"),
        owner: account(owner),
        origin,
        spec: RouteSpec::parse(spec).unwrap(),
        generation: 1,
        claimed_at: 1,
        status: Status::Pending,
        refusal: None,
        live: None,
        suspended: None,
        searches: 0,
        requests: Requests::default(),
    }
}

fn live(mut route: Route) -> Route {
    route.status = Status::Live;
    route.live = Some(Live { generation: route.generation, revision: 1, spec: route.spec.clone() });
    route
}

pub(super) fn route_at(name: &str, path: &str) -> Route {
    route(CENTRAL, name, spec(path, json!("GET")))
}

pub(super) fn reading_of(routes: Vec<Route>) -> Reading {
    reading(door(json!({})), routes)
}

fn door(fields: Value) -> FrontDoorSpec {
    let mut spec = json!({"RestApiId": "f1e2d3c4b5", "StageName": "prod", "PrivateApiLink": "private-apis"});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    FrontDoorSpec::parse(spec).unwrap()
}

fn reading(door: FrontDoorSpec, routes: Vec<Route>) -> Reading {
    let tenant = |id: &str, prefixes: Value| {
        let spec = json!({"AccountId": id, "Prefixes": prefixes, "BackendHosts": ["nlb.example.com"]});
        (account(id), Tenant::parse(spec).unwrap())
    };
    let link = |name: &str, status: &str| {
        (name.parse().unwrap(), Link { id: format!("id-{name}"), status: status.to_owned() })
    };
    Reading {
        door,
        below: None,
        central: account(CENTRAL),
        routes,
        tenants: BTreeMap::from([tenant(CATS, json!(["/cats", "/owners"])), tenant(DOGS, json!(["/dogs"]))]),
        links: BTreeMap::from([link("private-apis", "AVAILABLE"), link("gate", "AVAILABLE"), link("new", "PENDING")]),
        foreign: Foreign::default(),
    }
}

fn api() -> Carried {
    Carried { title: "front-door".into(), ..Carried::default() }
}

fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/plan/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        // In one step: other tests read it meanwhile.
        let new = path.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &path).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{path:?} differs: run with UPDATE_GOLDEN=1 and look at the diff");
}

fn http(link: &str, url: &str) -> Value {
    json!({"Http": {"Link": link, "Url": url}})
}

/// The routes of the scenarios, as their teams would write them.
fn scenarios() -> Vec<(&'static str, FrontDoorSpec, Vec<Route>)> {
    let mut webhook = spec("/webhooks/{source}", json!("POST"));
    webhook["Backend"] = http("gate", "http://nlb.example.com:8084/webhooks/webhook/{source}");
    webhook["ApiKeyRequired"] = json!(true);
    webhook["Auth"] = json!("NONE");
    webhook["TimeoutMs"] = json!(5_000);
    let mut service = spec("/shop/{proxy+}", json!("ANY"));
    service["Backend"] = http("gate", "http://nlb.example.com/{proxy}");
    service["Headers"] =
        json!({"X-Forwarded-Prefix": "/shop", "X-Request": "context.requestId", "X-Path": "method.request.path.proxy"});
    service["Auth"] = json!({"Authorizer": "pool"});
    let mut admin = spec("/shop-admin", json!(["GET"]));
    admin["Backend"] =
        json!({"Http": {"Link": "gate", "Url": "https://admin.example.com/", "InsecureSkipVerification": "true"}});
    let mut orders = spec("/users/{uuid}/orders", json!(["GET", "POST"]));
    orders["Backend"] =
        json!({"PrivateApi": {"RestApiId": "q1w2e3r4t5", "StageName": "v1", "Path": "/orders/of/{uuid}"}});
    let consumed = |path: &str, methods: Value| {
        let mut spec = spec(path, methods);
        (spec["Auth"], spec["ApiKeyRequired"]) = (json!("NONE"), json!(true));
        let origins = match path.starts_with("/cats") {
            true => json!(["https://portal.example.com", "https://cats.example.com"]),
            false => json!(["*"]),
        };
        spec["Cors"] = json!({"AllowOrigins": origins, "AllowHeaders": ["X-Api-Key"], "MaxAgeSeconds": 600});
        spec
    };
    let base = json!({
        "paths": {"/health": {"get": {
            "security": [], "responses": {"200": {"description": "Well"}},
            "x-amazon-apigateway-integration": {
                "type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
                "contentHandling": "CONVERT_TO_TEXT", "responses": {"default": {"statusCode": "200"}},
            },
        }}},
        "x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {"responseTemplates": {"application/json": "{}"}}},
        "x-amazon-apigateway-binary-media-types": ["image/png"],
    });
    let pool = json!({"pool": {"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_a"]}});
    let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:tokens/invocations";
    let source = "method.request.header.X-Auth-Token";
    let mut authorizers = pool.clone();
    authorizers["tokens"] = json!({"type": "token", "authorizerUri": uri, "identitySource": source});
    let callers = door(json!({
        "Authorizers": authorizers, "TimeoutLimitMs": 60_000, "AllowedPrincipals": ["111122223333"],
        "OrganizationId": "o-a1b2c3d4e5", "AllowedCidrs": ["192.0.2.0/24"],
    }));
    let mut signed = spec("/signed/{proxy+}", json!("ANY"));
    (signed["ApiKeyRequired"], signed["TimeoutMs"]) = (json!(true), json!(60_000));
    let origins = ["https://app.example.com", "capacitor://localhost", "ionic://localhost"];
    signed["Cors"] = json!({"AllowOrigins": origins, "AllowHeaders": ["*", "Authorization"]});
    let mut scoped = spec("/orders", json!("GET"));
    scoped["Auth"] = json!({"Authorizer": "pool", "Scopes": ["orders/read", "orders/write"]});
    let mut token = spec("/token", json!("GET"));
    (token["Auth"], token["ApiKeyRequired"]) = (json!({"Authorizer": "tokens"}), json!(true));
    vec![
        (
            "cross-account.json",
            door(json!({})),
            vec![
                route(CATS, "cats", spec("/cats/{proxy+}", json!("ANY"))),
                route(DOGS, "dogs", spec("/dogs/{id}", json!(["GET", "DELETE"]))),
            ],
        ),
        (
            "nodeport.json",
            door(json!({"AllowedCidrs": ["192.0.2.0/24", "198.51.100.7/32"]})),
            vec![route(CENTRAL, "webhook", webhook)],
        ),
        (
            "private-api.json",
            door(json!({"BaseDefinition": base})),
            vec![route(CENTRAL, "users", spec("/users/{userId}", json!("GET"))), route(CENTRAL, "orders", orders)],
        ),
        (
            "eks-service.json",
            door(json!({"Authorizers": pool})),
            vec![route(CENTRAL, "shop", service), route(CENTRAL, "admin", admin)],
        ),
        (
            "federation.json",
            door(json!({})),
            vec![
                route(CATS, "cats-read", consumed("/cats/{id}", json!("GET"))),
                route(CATS, "cats-write", consumed("/cats/{cat}", json!(["PUT", "DELETE"]))),
                route(DOGS, "dogs", consumed("/dogs/{proxy+}", json!("ANY"))),
            ],
        ),
        (
            "callers.json",
            callers,
            vec![route(CENTRAL, "signed", signed), route(CENTRAL, "scoped", scoped), route(CENTRAL, "token", token)],
        ),
        ("empty.json", door(json!({})), Vec::new()),
    ]
}

#[test]
fn documents_are_as_they_were_read_and_approved() {
    for (name, door, routes) in scenarios() {
        let reading = reading(door, routes);
        let selection = select(&reading);
        assert_eq!(selection.goes.len(), reading.routes.len(), "{name}: {:?}", selection.verdicts);
        let document = render(&reading.door, &api(), &selection.goes, "eu-west-1");
        golden(name, &format!("{}\n", serde_json::to_string_pretty(&document).unwrap()));
    }
}

#[test]
fn what_nobody_says_anything_about_is_carried_over() {
    let mut had = api();
    had.description = Some("The company's".into());
    let responses = json!({"DEFAULT_4XX": {"statusCode": "418"}, "UNAUTHORIZED": {"statusCode": "401"}});
    had.extensions.insert("x-amazon-apigateway-binary-media-types".into(), json!(["image/png"]));
    had.extensions.insert(GATEWAY_RESPONSES.into(), responses);
    had.policy = Some(json!({"Statement": [{"Sid": "Theirs"}]}));
    let document = render(&door(json!({})), &had, &[], "eu-west-1");
    assert_eq!(document["info"]["description"], "The company's");
    assert_eq!(document["x-amazon-apigateway-binary-media-types"], json!(["image/png"]));
    assert_eq!(document["x-amazon-apigateway-policy"]["Statement"][0]["Sid"], "Theirs");
    assert_eq!(document[GATEWAY_RESPONSES]["UNAUTHORIZED"]["statusCode"], "401");
    // What the base definition names is as it says there, whole.
    let base = json!({GATEWAY_RESPONSES: {"DEFAULT_4XX": {"responseTemplates": {"application/json": "{}"}}}});
    let own = door(json!({"BaseDefinition": base}));
    let document = render(&own, &had, &[], "eu-west-1");
    assert_eq!(document[GATEWAY_RESPONSES]["DEFAULT_4XX"], json!({"responseTemplates": {"application/json": "{}"}}));
    assert_eq!(document[GATEWAY_RESPONSES]["UNAUTHORIZED"], json!({"statusCode": "401"}));
    assert_eq!(settings(&own.base_definition), BTreeSet::from([format!("{GATEWAY_RESPONSES}/DEFAULT_4XX")]));
    // What Foregate had put there goes with the setting that it came from.
    let ours = render(&door(json!({"AllowedCidrs": ["192.0.2.0/24"]})), &had, &[], "eu-west-1");
    assert_eq!(ours["x-amazon-apigateway-policy"]["Statement"].as_array().map(Vec::len), Some(2));
    let theirs = had.policy.replace(ours["x-amazon-apigateway-policy"].clone());
    let document = render(&door(json!({})), &had, &[], "eu-west-1");
    assert_eq!(document["x-amazon-apigateway-policy"]["Statement"], theirs.unwrap()["Statement"]);
    // An endpoint that was shut stays shut.
    let shut = json!([{"url": "/", "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": true}}]);
    had.settings.disable_execute_api_endpoint = true;
    assert_eq!(render(&door(json!({})), &had, &[], "eu-west-1")["servers"], shut);
}

#[test]
fn an_empty_front_door_answers_404_everywhere_and_leaves_no_trace_of_that() {
    let answer = "MISSING_AUTHENTICATION_TOKEN";
    let empty = render(&door(json!({})), &api(), &[], "eu-west-1");
    assert_eq!(empty[GATEWAY_RESPONSES][answer]["statusCode"], "404");
    // What API Gateway says of it afterwards is not taken for the platform team's.
    let mut had = api();
    let mut there = empty[GATEWAY_RESPONSES].clone();
    there[answer]["responseParameters"] = json!({});
    had.extensions.insert(GATEWAY_RESPONSES.into(), there);
    let (_, door_of_one, routes) = scenarios().remove(0);
    let goes = select(&reading(door_of_one, routes)).goes;
    assert!(render(&door(json!({})), &had, &goes, "eu-west-1")[GATEWAY_RESPONSES].get(answer).is_none());
    // The platform team's own answer stays.
    had.extensions.insert(GATEWAY_RESPONSES.into(), json!({answer: {"statusCode": "418"}}));
    assert_eq!(render(&door(json!({})), &had, &[], "eu-west-1")[GATEWAY_RESPONSES][answer]["statusCode"], "418");
}

#[test]
fn siblings_share_a_variable_whatever_their_teams_call_it() {
    let mut complaint = spec("/user/{bizId}/complaint", json!("POST"));
    complaint["Backend"] = http("gate", "http://nlb.example.com:8080/c/{bizId}");
    let routes =
        vec![route(CENTRAL, "fans", spec("/user/{userId}/fans", json!("GET"))), route(CENTRAL, "complaint", complaint)];
    let goes = select(&reading(door(json!({})), routes.clone())).goes;
    let document = render(&door(json!({})), &api(), &goes, "eu-west-1");
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/user/{p2}/complaint", "/user/{p2}/fans"]);
    let integration = &document["paths"]["/user/{p2}/complaint"]["post"]["x-amazon-apigateway-integration"];
    assert_eq!(integration["uri"], "http://nlb.example.com:8080/c/{bizId}");
    assert_eq!(integration["requestParameters"]["integration.request.path.bizId"], "method.request.path.p2");
    let mut greedy = routes;
    greedy.push(route(CENTRAL, "greedy", spec("/user/{proxy+}", json!("ANY"))));
    let selection = select(&reading(door(json!({})), greedy));
    let Verdict::Rejected(refusal) = &selection.verdicts["route-123456789012-greedy"] else { panic!("{selection:?}") };
    assert_eq!(refusal.error_type, "Conflict");
    assert!(refusal.message.contains("no {proxy+} beside another variable"), "{}", refusal.message);
}

/// Every operation of every golden document, as `FILE: GET /cats`.
fn golden_operations() -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/plan/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut operations = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|kind| kind == "json")) {
        let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let item = item.as_object().unwrap().iter().filter(|(key, _)| Method::of_key(key).is_some());
            operations.extend(item.map(|(key, one)| (format!("{}: {key} {path}", file.display()), one.clone())));
        }
    }
    assert!(operations.len() > 10);
    operations
}

/// "API Gateway does not support Swagger's 'default' method response": a warning of PutRestApi's.
#[test]
fn every_method_response_of_every_document_has_a_number() {
    for (name, operation) in golden_operations() {
        let codes: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| code.parse::<u16>().is_ok()), "{name}: {codes:?}");
    }
}

#[test]
fn a_link_that_is_replaced_changes_no_document() {
    let (_, door, routes) = scenarios().remove(3);
    let document = |id: &str| {
        let mut reading = reading(door.clone(), routes.clone());
        reading.links.get_mut(&"gate".parse().unwrap()).unwrap().id = id.to_owned();
        let goes = select(&reading).goes;
        (render(&door, &api(), &goes, "eu-west-1"), stage_variables(&links(&goes)))
    };
    let (first, second) = (document("abc123"), document("def456"));
    assert_eq!(first.0, second.0);
    assert_eq!(first.1, BTreeMap::from([("link_gate".to_owned(), "abc123".to_owned())]));
    assert_eq!(second.1["link_gate"], "def456");
    assert!(first.0.to_string().contains("\"connectionId\":\"${stageVariables.link_gate}\""));
}

fn present(resources: &[(&str, &[&str])]) -> Present {
    let resource = |(path, methods): &(&str, &[&str])| {
        let shown = |method: &&str| ((*method).to_owned(), Shown { authorization: "NONE".into(), ..Shown::default() });
        let methods = methods.iter().map(shown).collect();
        ((*path).to_owned(), Resource { id: format!("id of {path}"), methods })
    };
    resources.iter().map(resource).collect()
}

fn owned(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn in_merge_mode_a_foreign_path_is_nobodys_to_take_and_its_variables_keep_their_names() {
    let there = present(&[
        ("/", &[]),
        ("/{proxy+}", &["ANY"]),
        ("/cats", &[]),
        ("/cats/{catId}", &["GET"]),
        ("/cats/{catId}/toys", &["POST"]),
        ("/ping", &["GET"]),
    ]);
    let door = || door(json!({"Mode": "Merge"}));
    for (path, methods, published) in [
        ("/cats/{id}", "PUT", Some("/cats/{catId}")),
        ("/cats/{id}", "GET", None),
        ("/cats/{id}", "ANY", None),
        ("/cats/me", "GET", None),
        ("/cats/{proxy+}", "GET", None),
        ("/cats/{id}/owners/{owner}", "GET", Some("/cats/{catId}/owners/{p4}")),
        ("/owners/{id}", "GET", Some("/owners/{p2}")),
    ] {
        let asked = route(CATS, "x", spec(path, json!(methods)));
        let foreign = Foreign::of(&there, &Owned::default());
        let selection = select(&Reading { foreign, ..reading(door(), vec![asked.clone()]) });
        let goes = selection.goes.first().map(|one| one.path.to_string());
        assert_eq!(goes.as_deref(), published, "{methods} {path}: {:?}", selection.verdicts);
        if published.is_none() {
            let Verdict::Rejected(refusal) = &selection.verdicts[&asked.id] else { panic!("{selection:?}") };
            assert_eq!(refusal.error_type, "Conflict");
        }
    }
    // The same paths are ours once they are in the ledger, and stand in nobody's way.
    let ours = owned(&["/cats", "/cats/{catId}", "GET /cats/{catId}", "/cats/{catId}/toys", "POST /cats/{catId}/toys"]);
    let foreign = Foreign::of(&there, &ours.iter().collect());
    assert_eq!(foreign.names, owned(&["/{proxy+}", "ANY /{proxy+}", "/ping", "GET /ping"]));
    assert!(foreign.variables.is_empty());
    let routes = vec![route(CATS, "cats", spec("/cats/{id}", json!("GET")))];
    let reading = Reading { foreign, ..reading(door(), routes) };
    let had = Carried { has_foreign_methods: true, ..api() };
    let document = render(&reading.door, &had, &select(&reading).goes, "eu-west-1");
    golden("merge.json", &format!("{}\n", serde_json::to_string_pretty(&document).unwrap()));
}

#[test]
fn in_merge_mode_what_is_ours_goes_in_few_steps_and_what_is_foreign_stays() {
    let there = present(&[
        ("/", &["GET"]),
        ("/cats", &[]),
        ("/cats/{p2}", &["GET", "PUT"]),
        ("/cats/{p2}/toys", &["ANY"]),
        ("/catsup", &["GET"]),
        ("/dogs", &[]),
        ("/dogs/{p2}", &["GET", "PUT"]),
        ("/owners", &["GET", "POST"]),
    ]);
    let ours = owned(&[
        "GET /",
        "/cats",
        "/cats/{p2}",
        "GET /cats/{p2}",
        "PUT /cats/{p2}",
        "/cats/{p2}/toys",
        "ANY /cats/{p2}/toys",
        "/dogs/{p2}",
        "GET /dogs/{p2}",
        "GET /owners",
        "/gone",
        "GET /gone",
    ]);
    let steps = |wanted: &[&str]| -> Vec<String> {
        let step = |removal| match removal {
            Removal::Resource { path, .. } => path,
            Removal::Method { path, method, .. } => format!("{method} {path}"),
        };
        removals(&there, &ours.iter().collect(), &owned(wanted)).into_iter().map(step).collect()
    };
    assert_eq!(steps(&[]), ["GET /", "/cats", "GET /dogs/{p2}", "GET /owners"]);
    assert_eq!(
        steps(&["GET /", "/cats", "/cats/{p2}", "PUT /cats/{p2}", "GET /owners"]),
        ["GET /cats/{p2}", "/cats/{p2}/toys", "GET /dogs/{p2}"]
    );
    assert!(steps(&ours.iter().map(String::as_str).collect::<Vec<_>>()).is_empty());
}

#[test]
fn an_edit_by_hand_is_a_line_each() {
    let (_, door, routes) = scenarios().remove(0);
    let reading = reading(door, routes);
    let document = render(&reading.door, &api(), &select(&reading).goes, "eu-west-1");
    let shown = |id: &str, path: &str| Shown {
        authorization: "AWS_IAM".into(),
        api_key_required: false,
        integration_type: Some("HTTP_PROXY".into()),
        uri: Some(format!("https://{id}.execute-api.eu-west-1.amazonaws.com/live{path}")),
        connection_id: Some("${stageVariables.link_private_dapis}".into()),
        ..Shown::default()
    };
    let resource = |methods: &[(&str, Shown)]| {
        let methods = methods.iter().map(|(name, shown)| ((*name).to_owned(), shown.clone())).collect();
        Resource { id: String::new(), methods }
    };
    let (cats, dogs) = (shown("a1b2c3d4e5", "/cats/{proxy}"), shown("a1b2c3d4e5", "/dogs/{id}"));
    let mut there = Present::from([
        ("/cats/{proxy+}".to_owned(), resource(&[("ANY", cats)])),
        ("/dogs/{p2}".to_owned(), resource(&[("GET", dogs.clone()), ("DELETE", dogs.clone())])),
    ]);
    assert_eq!(drift(&document, &there, &BTreeSet::new()), Vec::<String>::new());
    let open = Shown { authorization: "NONE".into(), ..dogs };
    there.insert("/dogs/{p2}".to_owned(), resource(&[("GET", open), ("PUT", Shown::default())]));
    let lines = drift(&document, &there, &BTreeSet::new());
    assert_eq!(lines[..2], ["- DELETE /dogs/{p2}", "+ PUT /dogs/{p2}"]);
    assert!(lines[2].starts_with("~ GET /dogs/{p2} is NONE to https://"), "{lines:?}");
    assert!(drift(&document, &there, &owned(&["PUT /dogs/{p2}"])).iter().all(|line| !line.starts_with('+')));
}

#[test]
fn a_route_goes_live_waits_or_is_rejected() {
    let with = |backend: Value| {
        let mut written = spec("/cats/x", json!("GET"));
        written["Backend"] = backend;
        route(CATS, "x", written)
    };
    let url = "http://nlb.example.com/";
    let rejected = |mut route: Route| {
        route.status = Status::Rejected;
        route.refusal = Some(Refusal { error_type: "InvalidInput".into(), message: "API Gateway said no".into() });
        route
    };
    let suspended = |route: Route| {
        let live = live(route);
        Route { suspended: live.live.clone(), live: None, status: Status::Waiting, ..live }
    };
    let guarded = || {
        let mut written = spec("/cats/x", json!("GET"));
        written["Auth"] = json!({"Authorizer": "pets"});
        written
    };
    let other = || spec("/dogs/x", json!("GET"));
    for (name, route, goes, verdict) in [
        ("granted", with(private_api()), true, "Live"),
        ("link pending", with(http("new", url)), false, "Waits: the VPC link new is PENDING"),
        ("no such link", with(http("none", url)), false, "Rejected: Backend: there is no VPC link called none"),
        ("link gone", live(with(http("none", url))), false, "Waits: Backend: there is no VPC link called none"),
        ("no grant", route(CATS, "x", other()), false, "Rejected: Path: account 111111111111 may register"),
        ("grant taken back", live(route(CATS, "x", other())), false, "Waits: Path: account 111111111111 may register"),
        ("no tenant", live(route("333333333333", "x", other())), false, "Waits: account 333333333333 is no tenant"),
        ("refused before", rejected(with(private_api())), false, "Rejected: API Gateway said no"),
        (
            "off for a while",
            suspended(with(http("none", url))),
            false,
            "Waits: Backend: there is no VPC link called none",
        ),
        ("back", suspended(with(private_api())), true, "Live"),
        (
            "no authorizer",
            route(CATS, "x", guarded()),
            false,
            "Rejected: Auth: the front door default has no authorizer",
        ),
        ("authorizer gone", live(route(CATS, "x", guarded())), false, "Waits: Auth: the front door default has no"),
    ] {
        let selection = select(&reading(door(json!({})), vec![route.clone()]));
        let said = match &selection.verdicts[&route.id] {
            Verdict::Live => "Live".to_owned(),
            Verdict::Waits(refusal) => format!("Waits: {}", refusal.message),
            Verdict::Rejected(refusal) => format!("Rejected: {}", refusal.message),
            Verdict::Undecided(refusal) => format!("Undecided: {}", refusal.message),
            Verdict::Deleted => "Deleted".to_owned(),
        };
        assert!(said.starts_with(verdict), "{name}: {said}");
        assert_eq!(!selection.goes.is_empty(), goes, "{name}");
    }
}

#[test]
fn a_change_that_is_rejected_leaves_live_what_was() {
    let mut changed = live(route(CATS, "x", spec("/cats/x", json!("GET"))));
    changed.generation = 2;
    changed.status = Status::Pending;
    let mut wanted = spec("/cats/x", json!("GET"));
    wanted["Backend"] = http("none", "http://nlb.example.com/");
    changed.spec = RouteSpec::parse(wanted).unwrap();
    let reading = reading(door(json!({})), vec![changed.clone()]);
    let selection = select(&reading);
    assert!(matches!(selection.verdicts[&changed.id], Verdict::Rejected(_)));
    assert_eq!(selection.goes[0].spec, changed.live.unwrap().spec);
    assert!(!selection.goes[0].is_new);
}

#[test]
fn a_newcomer_finds_no_room_and_those_that_are_live_stay() {
    let first = live(route(CATS, "a", spec("/cats/a/b", json!("GET"))));
    let second = route(DOGS, "b", spec("/dogs/a", json!("GET")));
    let reading = reading(door(json!({"ResourceLimit": 4})), vec![second.clone(), first.clone()]);
    let selection = select(&reading);
    assert_eq!(selection.verdicts[&first.id], Verdict::Live);
    let Verdict::Rejected(refusal) = &selection.verdicts[&second.id] else { panic!("{selection:?}") };
    assert_eq!(refusal.error_type, "LimitExceeded");
}

#[test]
fn the_lines_of_a_revision_are_bounded_by_bytes_and_say_how_many_were_left_out() {
    // As long as a route's path, name and refusal make it; a control character takes six bytes.
    for line in ["!".repeat(5_000), "\u{1}".repeat(5_000), "é\"".repeat(500), "+".to_owned()] {
        let kept = bounded(vec![line.clone(); 100_000], LINES_BYTES_MAX);
        assert!(serde_json::to_string(&kept).unwrap().len() <= LINES_BYTES_MAX, "{line:.9}");
        let (more, lines) = kept.split_last().unwrap();
        assert_eq!(*more, format!("… and {} more are left out", 100_000 - lines.len()));
        assert!(lines.iter().all(|one| *one == line));
        assert!(
            serde_json::to_string(&kept).unwrap().len() + 6 * line.len() + 100 > LINES_BYTES_MAX,
            "no less than fits"
        );
    }
    let few = vec!["+ GET /cats".to_owned()];
    assert_eq!(bounded(few.clone(), LINES_BYTES_MAX), few);
}

#[test]
fn changes_are_a_line_each() {
    let stays = live(route(CATS, "stays", spec("/cats/stays", json!("GET"))));
    let mut goes = live(route(CATS, "goes", spec("/cats/goes", json!("GET"))));
    goes.status = Status::Deleting;
    let comes = route(DOGS, "comes", spec("/dogs/{id}", json!("ANY")));
    let mut changes_methods = live(route(CATS, "changes", spec("/cats/changes", json!("GET"))));
    changes_methods.spec = RouteSpec::parse(spec("/cats/changes", json!(["GET", "PUT"]))).unwrap();
    let refused = route(CATS, "refused", spec("/dogs/x", json!("GET")));
    let reading = reading(door(json!({})), vec![stays, goes, comes, changes_methods, refused]);
    let lines = changes(&reading.routes, &select(&reading)).join("\n");
    golden("changes.txt", &format!("{lines}\n"));
}

proptest! {
    /// Whatever routes there are, in whatever order they were read: the same document; nothing of API Gateway's own rules is
    /// broken in it; and once it is live, nothing is left to change.
    #[test]
    fn the_same_routes_give_the_same_document(
        paths in proptest::collection::vec(("[ab]", "([ab]|\\{x\\}|\\{y\\}|\\{z\\+\\})", 0..3_u8), 1..12),
        seed in any::<u64>(),
    ) {
        let mut routes: Vec<Route> = paths.iter().enumerate().map(|(n, (first, second, method))| {
            let methods = [json!("ANY"), json!("GET"), json!(["GET", "POST"])][usize::from(*method)].clone();
            route(CENTRAL, &format!("r{n}"), spec(&format!("/{first}/{second}"), methods))
        }).collect();
        let select_and_render = |routes: &[Route]| {
            let reading = reading(door(json!({})), routes.to_vec());
            let selection = select(&reading);
            let document = render(&reading.door, &api(), &selection.goes, "eu-west-1");
            (selection, document)
        };
        let (selection, document) = select_and_render(&routes);
        let middle = usize::try_from(seed).unwrap_or_default() % routes.len();
        routes.rotate_left(middle);
        let (again, same) = select_and_render(&routes);
        prop_assert_eq!(document.to_string(), same.to_string());
        prop_assert_eq!(&selection, &again);
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for path in document["paths"].as_object().unwrap().keys() {
            let (parent, part) = path.rsplit_once('/').unwrap();
            if part.starts_with('{') {
                prop_assert_eq!(variables.entry(parent.to_owned()).or_insert(part.to_owned()), part);
            }
        }
        let published: Vec<Route> = routes.into_iter().map(|one| match selection.verdicts[&one.id] {
            Verdict::Live => live(one),
            _ => one,
        }).collect();
        let (after, _) = select_and_render(&published);
        let lines = changes(&published, &after);
        prop_assert!(lines.iter().all(|line| line.starts_with('!')), "{lines:?}");
    }
}
