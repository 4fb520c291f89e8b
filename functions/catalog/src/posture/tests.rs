//! A table of APIs and what is found in them, and what is so of every rule.

use serde_json::{Value, json};

use super::*;
use crate::record::{Auth, Method, Notes, PlanOnStage, Stage, Status};

const OURS: &str = "vpce-1a2b3c4d";

/// An API with one stage, in which nothing is wrong but for its policy, which it has none of.
pub fn api(endpoint_type: &str) -> Api {
    Api {
        key: "111122223333/eu-west-1/a1b2c3d4e5".parse().unwrap(),
        name: "cats".into(),
        description: None,
        endpoint_types: vec![endpoint_type.into()],
        policy: None,
        security_policy: None,
        tags: Default::default(),
        stages: [("prod".to_owned(), stage(vec![method("GET", "/cats/{id}", Auth::Iam)]))].into(),
        plans: Default::default(),
        status: Status::Active,
        missed_scans: 0,
        findings: vec![],
        notes: Notes::default(),
        since_seconds: 0,
        changed_seconds: 0,
    }
}

fn stage(methods: Vec<Method>) -> Stage {
    Stage { methods, has_access_log: true, has_execution_log: true, has_throttle: true, ..Stage::default() }
}

fn method(method: &str, path: &str, auth: Auth) -> Method {
    Method { method: method.into(), path: path.into(), auth, ..Method::default() }
}

fn allow(resource: &str, condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource, "Condition": condition})
}

/// Lets in whoever comes through these endpoints.
fn only(endpoints: &[&str]) -> Value {
    json!({"Statement": [allow("execute-api:/*", json!({"StringEquals": {"aws:SourceVpce": endpoints}}))]})
}

fn everybody() -> Value {
    json!({"Statement": allow("execute-api:/*", json!({}))})
}

fn with(endpoint_type: &str, policy: Value, methods: Vec<Method>) -> Api {
    let mut api = api(endpoint_type);
    api.policy = Some(policy).filter(|policy| !policy.is_null());
    api.stages.insert("prod".into(), stage(methods));
    api
}

fn staged(change: impl Fn(&mut Stage)) -> Api {
    let mut api = api("REGIONAL");
    api.stages.values_mut().for_each(change);
    api
}

fn on(policy: &str, endpoint_type: &str) -> Api {
    Api { security_policy: Some(policy.into()), ..api(endpoint_type) }
}

/// What is found where the front door's endpoint is known: `RULE @ SUBJECT: WHAT`, of which each that is found has the beginning.
type Case = (&'static str, Api, &'static [&'static str]);

fn cases() -> Vec<Case> {
    [reached(), let_in(), public(), staged_and_served()].into_iter().flatten().collect()
}

fn open() -> Vec<Method> {
    vec![
        method("GET", "/cats", Auth::None),
        method("PUT", "/cats", Auth::None),
        method("GET", "/dogs", Auth::Authorizer),
    ]
}

fn signed(methods: &[&str]) -> Vec<Method> {
    methods.iter().filter_map(|one| one.split_once(' ')).map(|(verb, path)| method(verb, path, Auth::Iam)).collect()
}

fn keyed() -> Vec<Method> {
    vec![Method { api_key: true, ..method("GET", "/cats", Auth::None) }]
}

fn mock() -> Method {
    Method { is_mock: true, ..method("OPTIONS", "/cats", Auth::None) }
}

/// A condition that depends on the day.
fn until() -> Value {
    json!({"Statement": [allow("execute-api:/*", json!({"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}))]})
}

/// Private APIs, and whether the front door reaches them.
fn reached() -> Vec<Case> {
    let gets =
        || json!({"Statement": [allow("execute-api:/prod/GET/*", json!({"StringEquals": {"aws:SourceVpce": OURS}}))]});
    let office = json!({"Sid": "Office", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"AWS:sourceIP": "192.0.2.0/24"}}});
    let with_source_ip = json!({"Statement": [only(&[OURS])["Statement"][0], office]});
    vec![
        ("ours", with("PRIVATE", only(&[OURS]), open()), &[]),
        ("no policy", with("PRIVATE", json!(null), open()), &["private-api-without-policy @ : "]),
        (
            "another's",
            with("PRIVATE", only(&["vpce-99999999"]), signed(&["GET /cats"])),
            &[
                "private-api-further-endpoints @ : the resource policy lets in vpce-99999999 besides the front door's",
                "private-api-unreachable @ prod GET /cats: the resource policy keeps out the front door's endpoint vpce-1a2b3c4d: no statement allows it",
            ],
        ),
        (
            "ours by one verb",
            with("PRIVATE", gets(), [signed(&["ANY /cats", "GET /dogs"]), vec![mock()]].concat()),
            &["private-api-unreachable @ prod ANY /cats: the resource policy keeps out the front door's endpoint"],
        ),
        (
            "ours by one verb of several methods",
            with("PRIVATE", gets(), signed(&["PUT /x", "PUT /a", "GET /a"])),
            &["private-api-unreachable @ prod PUT /a and 1 more: the resource policy keeps out"],
        ),
        (
            "not to be told whose",
            with("PRIVATE", until(), signed(&["GET /cats"])),
            &[
                "private-api-open-to-any-endpoint @ : the resource policy may let in every VPC endpoint of every account",
                "private-api-unreachable @ prod GET /cats: the resource policy does not say clearly whether the front door's endpoint vpce-1a2b3c4d may come in: statement 1 may allow it",
            ],
        ),
        (
            "a policy that can't be read",
            with("PRIVATE", json!("x"), signed(&["GET /cats"])),
            &[
                "private-api-open-to-any-endpoint @ : the resource policy may let in",
                "private-api-unreachable @ prod GET /cats: the resource policy does not say clearly",
            ],
        ),
        (
            "aws:SourceIp",
            with("PRIVATE", with_source_ip, signed(&["GET /cats"])),
            &["private-api-source-ip @ : the resource policy asks for aws:SourceIp in statement 2 (Office)"],
        ),
    ]
}

/// Private APIs, and who comes in besides the front door.
fn let_in() -> Vec<Case> {
    let ours = json!({"StringEquals": {"aws:SourceVpce": OURS}});
    let gets = |stage: &str| json!({"Statement": [allow(&format!("execute-api:/{stage}/GET/*"), json!({})), allow("execute-api:/*", ours.clone())]});
    let others =
        [OURS, "vpce-11111111", "vpce-22222222", "vpce-33333333", "vpce-44444444", "vpce-55555555", "vpce-66666666"];
    let mut with_unexported_stage = with("PRIVATE", gets("test"), signed(&["GET /cats"]));
    with_unexported_stage.stages.insert("test".into(), stage(vec![]));
    vec![
        (
            "any endpoint",
            with("PRIVATE", everybody(), open()),
            &[
                "open-method-behind-open-policy @ prod GET /cats and 1 more: ",
                "private-api-open-to-any-endpoint @ : the resource policy lets in every VPC endpoint of every account",
            ],
        ),
        (
            "any endpoint by one verb",
            with("PRIVATE", gets("prod"), signed(&["GET /cats", "PUT /cats"])),
            &[
                "private-api-open-to-any-endpoint @ : the resource policy lets in every VPC endpoint of every account to prod GET /cats",
            ],
        ),
        (
            "any endpoint, nothing deployed",
            Api { stages: Default::default(), ..with("PRIVATE", everybody(), vec![]) },
            &["no-deployment @ : it has no stage", "private-api-open-to-any-endpoint @ : "],
        ),
        (
            "any endpoint, to a stage that could not be exported",
            with_unexported_stage,
            &["private-api-open-to-any-endpoint @ : "],
        ),
        (
            "any endpoint, to mocks by one verb",
            with("PRIVATE", gets("prod"), vec![Method { method: "GET".into(), ..mock() }]),
            &[],
        ),
        (
            "many endpoints",
            with("PRIVATE", only(&others), open()),
            &[
                "open-method-behind-open-policy @ prod GET /cats and 1 more: ",
                "private-api-further-endpoints @ : the resource policy lets in vpce-11111111, vpce-22222222, vpce-33333333, vpce-44444444, vpce-55555555 and 1 more besides",
            ],
        ),
        (
            "any endpoint with a key",
            with("PRIVATE", everybody(), keyed()),
            &["api-key-only @ prod GET /cats: ", "private-api-open-to-any-endpoint @ : "],
        ),
        ("ours with a key", with("PRIVATE", only(&[OURS]), keyed()), &[]),
    ]
}

/// Public APIs, and what protects their methods.
fn public() -> Vec<Case> {
    let office =
        || json!({"Statement": [allow("execute-api:/*", json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))]});
    vec![
        ("who signs", api("REGIONAL"), &[]),
        (
            "everybody",
            with("EDGE", json!(null), open()),
            &[
                "open-method @ prod GET /cats and 1 more: it asks for no authorisation and no API key, and there is no resource policy",
            ],
        ),
        (
            "everybody by the policy",
            with("REGIONAL", everybody(), open()),
            &["open-method @ prod GET /cats and 1 more: "],
        ),
        ("perhaps everybody", with("REGIONAL", until(), open()), &["open-method @ prod GET /cats and 1 more: "]),
        ("an office", with("REGIONAL", office(), open()), &[]),
        ("mocks", with("REGIONAL", json!(null), vec![mock()]), &[]),
        ("everybody with a key", with("REGIONAL", json!(null), keyed()), &["api-key-only @ prod GET /cats: "]),
        (
            "who signs, with a key",
            with("REGIONAL", json!(null), vec![Method { auth: Auth::Iam, ..keyed().remove(0) }]),
            &[],
        ),
        ("an office with a key", with("REGIONAL", office(), keyed()), &[]),
    ]
}

/// How stages are run, and how APIs are served.
fn staged_and_served() -> Vec<Case> {
    let planned = |stage: &str| Api {
        plans: [PlanOnStage { plan_id: "p1".into(), plan_name: "gold".into(), stage: stage.into() }].into(),
        ..staged(|stage| stage.has_throttle = false)
    };
    let mut two = staged(|stage| stage.has_access_log = false);
    two.stages.insert("test".into(), two.stages["prod"].clone());
    vec![
        ("no stage", Api { stages: Default::default(), ..api("REGIONAL") }, &["no-deployment @ : it has no stage"]),
        ("no access log", staged(|stage| stage.has_access_log = false), &["access-log-off @ prod: "]),
        ("no access log of two stages", two, &["access-log-off @ prod: ", "access-log-off @ test: "]),
        ("no execution log", staged(|stage| stage.has_execution_log = false), &["execution-log-off @ prod: "]),
        ("no throttle", staged(|stage| stage.has_throttle = false), &["throttling-off @ prod: "]),
        ("no throttle but a usage plan", planned("prod"), &[]),
        ("no throttle but another stage's usage plan", planned("test"), &["throttling-off @ prod: "]),
        (
            "plain HTTP",
            staged(|stage| stage.methods[0].is_plain_behind_link = true),
            &["plain-http-behind-link @ prod GET /cats/{id}: "],
        ),
        (
            "any certificate",
            staged(|stage| stage.methods[0].trusts_any_certificate = true),
            &["unchecked-certificate @ prod GET /cats/{id}: "],
        ),
        (
            "secrets",
            staged(|stage| stage.secret_variables = ["dbPassword".to_owned(), "apiToken".to_owned()].into()),
            &["secret-in-stage-variable @ prod: its variables apiToken, dbPassword look"],
        ),
        ("TLS 1.0", on("TLS_1_0", "REGIONAL"), &["weak-tls @ : its security policy is TLS_1_0"]),
        ("TLS 1.0 at the edge", on("TLS_1_0", "EDGE"), &["weak-tls @ : "]),
        ("TLS 1.0 of a private API", Api { policy: Some(only(&[OURS])), ..on("TLS_1_0", "PRIVATE") }, &[]),
        ("TLS 1.2", on("TLS_1_2", "REGIONAL"), &[]),
        ("TLS 1.2, enhanced", on("SecurityPolicy_TLS13_1_2_PQ_2025_09", "REGIONAL"), &[]),
        ("TLS 1.2 at the edge, enhanced", on("SecurityPolicy_TLS12_PFS_2025_EDGE", "EDGE"), &[]),
        ("TLS 1.3", on("SecurityPolicy_TLS13_1_3_2025_09", "REGIONAL"), &[]),
    ]
}

#[test]
fn an_api_has_these_findings() {
    for (name, api, expected) in cases() {
        let found = audit(&api, &[OURS.to_owned()].into());
        let lines: Vec<String> =
            found.iter().map(|one| format!("{} @ {}: {}", one.rule, one.subject, one.what)).collect();
        let fits = lines.len() == expected.len()
            && lines.iter().zip(expected).all(|(line, expected)| line.starts_with(expected));
        assert!(fits, "{name}: {lines:#?}");
    }
}

#[test]
fn without_endpoints_of_ours_only_what_they_are_not_needed_for_is_found() {
    for (name, policy, expected) in [
        ("any endpoint", everybody(), &["open-method-behind-open-policy", "private-api-open-to-any-endpoint"][..]),
        ("an endpoint", only(&["vpce-99999999"]), &[]),
        ("none", json!(null), &["private-api-without-policy"]),
    ] {
        let api = with("PRIVATE", policy, vec![method("GET", "/cats", Auth::None)]);
        let found: Vec<String> = audit(&api, &BTreeSet::new()).into_iter().map(|one| one.rule).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_rule_finds_something_and_every_finding_is_of_a_rule() {
    let found: BTreeSet<(String, crate::record::Severity)> = cases()
        .iter()
        .flat_map(|(_, api, _)| audit(api, &[OURS.to_owned()].into()))
        .map(|one| (one.rule, one.severity))
        .collect();
    let rules: BTreeSet<_> = RULES.iter().map(|rule| (rule.id.to_owned(), rule.severity)).collect();
    assert_eq!(found, rules);
    assert_eq!(rules.len(), RULES.len());
    assert!(RULES.iter().all(|one| rule(one.id).is_some_and(|found| found.title == one.title)) && rule("x").is_none());
}

#[test]
fn findings_are_sorted_and_each_has_an_id_of_its_own() {
    for (name, api, _) in cases() {
        let found = audit(&api, &[OURS.to_owned()].into());
        assert!(found.is_sorted(), "{name}");
        let ids: BTreeSet<String> = found.iter().map(|finding| asff::id(&api, finding)).collect();
        assert_eq!(ids.len(), found.len(), "{name}");
    }
}

#[test]
fn a_method_of_its_own_is_not_the_any_methods() {
    let gets = json!({"Statement": [allow("execute-api:/prod/GET/*", json!({}))]});
    let any = method("ANY", "/cats", Auth::None);
    let found = |methods: Vec<Method>| audit(&with("REGIONAL", gets.clone(), methods), &BTreeSet::new()).len();
    assert_eq!(found(vec![any.clone()]), 1);
    assert_eq!(found(vec![any, method("GET", "/cats", Auth::Iam)]), 0);
}

#[test]
fn an_api_of_thousands_of_methods_has_a_few_findings() {
    let endpoints: Vec<String> = (0..250).map(|index| format!("vpce-{index:08x}")).collect();
    let endpoints = json!({"StringEquals": {"aws:SourceVpce": endpoints}});
    let policy = json!({"Statement": [allow("execute-api:/*/GET/*", endpoints.clone()), allow("execute-api:/*/PUT/*", endpoints)]});
    let methods = (0..3000).map(|index| method("ANY", &format!("/cats/{index}/{{id}}"), Auth::None)).collect();
    let found = audit(&with("PRIVATE", policy, methods), &[OURS.to_owned()].into());
    let subjects: Vec<&str> = found.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, ["prod ANY /cats/0/{id} and 2999 more", "", "prod ANY /cats/0/{id} and 2999 more"]);
}

#[test]
fn what_an_owner_has_muted_is_not_told() {
    let mut api = staged(|stage| (stage.has_access_log, stage.has_throttle) = (false, false));
    api.findings = audit(&api, &BTreeSet::new());
    api.notes.mutes.insert("access-log-off".into(), "the front door logs".into());
    assert_eq!(muted(&api, &api.findings[0]), Some("the front door logs"));
    assert_eq!(muted(&api, &api.findings[1]), None);
}
