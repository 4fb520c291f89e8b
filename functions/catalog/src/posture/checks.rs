//! What each rule looks for: a function of the API as it is [`Seen`], which says what it found and where. A function is named
//! as its rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::reach::{Door, Openness, Reach, is_private};
use crate::record::{Api, Auth, Method, Stage};

/// An API as the checks look at it: its record, and who comes past its policy.
pub(super) struct Seen<'a> {
    api: &'a Api,
    reach: Reach<'a>,
    is_private: bool,
}

impl<'a> Seen<'a> {
    /// The API, seen from the front door whose endpoints are `ours`.
    pub(super) fn of(api: &'a Api, ours: &BTreeSet<String>) -> Self {
        Self { api, reach: Reach::of(api, ours), is_private: is_private(api) }
    }
}

/// What a check has found.
pub(super) struct Said {
    /// Where: a stage and, where they are methods, the first of them and how many more; nothing for all of the API.
    pub(super) subject: String,
    /// What is so there.
    pub(super) what: String,
}

pub(super) fn open_to_any_endpoint(seen: &Seen<'_>) -> Vec<Said> {
    if !seen.is_private {
        return vec![];
    }
    let openness = seen.reach.answers.iter().map(|answer| answer.openness).max().unwrap_or(Openness::Closed);
    let lets_in = match openness {
        Openness::Open => "lets in",
        Openness::Perhaps => "may let in",
        Openness::Closed => return vec![],
    };
    let open = doors(seen, |door| door.openness() > Openness::Closed);
    let count: usize = open.values().map(Vec::len).sum();
    let to_what = match open.first_key_value() {
        Some((stage, names)) if count < seen.reach.doors.len() => format!(" to {}", subject(stage, names, count)),
        _ => String::new(),
    };
    whole(format!("the resource policy {lets_in} every VPC endpoint of every account{to_what}"))
}

pub(super) fn further_endpoints(seen: &Seen<'_>) -> Vec<Said> {
    let further: Vec<&str> = seen.reach.further().into_iter().collect();
    match further.is_empty() {
        true => vec![],
        false => whole(format!("the resource policy lets in {} besides the front door's", some_of(&further))),
    }
}

pub(super) fn without_policy(seen: &Seen<'_>) -> Vec<Said> {
    match seen.is_private && seen.api.policy.is_none() {
        true => whole("it is private and has no resource policy: nobody can call it".into()),
        false => vec![],
    }
}

pub(super) fn unreachable(seen: &Seen<'_>) -> Vec<Said> {
    let why = |stage: &str, name: &str| {
        let door = seen.reach.doors.iter().find(|door| door.stage == stage && name_of(door.method) == name);
        door.and_then(Door::kept_out).unwrap_or_default()
    };
    let said = |(stage, names): (&str, Vec<String>)| Said {
        subject: subject(stage, &names, names.len()),
        what: format!("the resource policy {}", names.first().map(|name| why(stage, name)).unwrap_or_default()),
    };
    doors(seen, |door| door.kept_out().is_some()).into_iter().map(said).collect()
}

pub(super) fn source_ip(seen: &Seen<'_>) -> Vec<Said> {
    let Some(policy) = seen.api.policy.as_ref().filter(|_| seen.is_private) else { return vec![] };
    let statements = match &policy["Statement"] {
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    };
    let asks = |statement: &Value| {
        let operators = statement["Condition"].as_object();
        let mut keys =
            operators.into_iter().flat_map(|all| all.values()).filter_map(Value::as_object).flat_map(|all| all.keys());
        keys.any(|key| key.eq_ignore_ascii_case("aws:SourceIp"))
    };
    let named = |(index, statement): (usize, &Value)| match statement["Sid"].as_str() {
        Some(sid) => format!("statement {} ({sid})", index + 1),
        None => format!("statement {}", index + 1),
    };
    let found: Vec<String> = statements.into_iter().enumerate().filter(|(_, one)| asks(one)).map(named).collect();
    match found.is_empty() {
        true => vec![],
        false => whole(format!("the resource policy asks for aws:SourceIp in {}", some_of(&found))),
    }
}

pub(super) fn open_method(seen: &Seen<'_>) -> Vec<Said> {
    let is_open = |door: &Door<'_>| is_unprotected(door.method) && door.openness() > Openness::Closed;
    let what = match &seen.api.policy {
        None => "it asks for no authorisation and no API key, and there is no resource policy",
        Some(_) => "it asks for no authorisation and no API key, and the resource policy does not keep strangers out",
    };
    if seen.is_private { vec![] } else { by_stage(doors(seen, is_open), what) }
}

pub(super) fn open_method_behind_open_policy(seen: &Seen<'_>) -> Vec<Said> {
    let is_open =
        |door: &Door<'_>| is_unprotected(door.method) && (door.openness() > Openness::Closed || door.has_further());
    let what =
        "it asks for no authorisation and no API key, and the resource policy lets in others than the front door";
    if seen.is_private { by_stage(doors(seen, is_open), what) } else { vec![] }
}

pub(super) fn api_key_only(seen: &Seen<'_>) -> Vec<Said> {
    let has_key_only =
        |door: &Door<'_>| door.method.auth == Auth::None && door.method.api_key && door.openness() > Openness::Closed;
    by_stage(
        doors(seen, has_key_only),
        "an API key is all that it asks for, and no resource policy keeps strangers out",
    )
}

pub(super) fn secret_in_stage_variable(seen: &Seen<'_>) -> Vec<Said> {
    let said = |(name, stage): (&String, &Stage)| {
        let names: Vec<&String> = stage.secret_variables.iter().collect();
        let what = || format!("its variables {} look as if they held secrets", some_of(&names));
        (!names.is_empty()).then(|| Said { subject: name.clone(), what: what() })
    };
    seen.api.stages.iter().filter_map(said).collect()
}

pub(super) fn unchecked_certificate(seen: &Seen<'_>) -> Vec<Said> {
    by_stage(methods(seen, |method| method.trusts_any_certificate), "the backend's certificate is not checked")
}

pub(super) fn plain_http_behind_link(seen: &Seen<'_>) -> Vec<Said> {
    by_stage(methods(seen, |method| method.is_plain_behind_link), "it goes to http:// through a VPC link")
}

/// How names of security policies with an older TLS go, `_` left out: legacy ones, enhanced ones, and as load balancers' go.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-security-policies-list.html>
const WEAK: [&str; 4] = ["TLS10", "TLS11", "TLS1310", "TLS1311"];

pub(super) fn weak_tls(seen: &Seen<'_>) -> Vec<Said> {
    let weak = seen.api.security_policy.as_deref().filter(|name| {
        let name = name.replace('_', "");
        WEAK.iter().any(|weak| name.contains(weak))
    });
    match weak.filter(|_| !seen.is_private) {
        Some(name) => whole(format!("its security policy is {name}")),
        None => vec![],
    }
}

pub(super) fn throttling_off(seen: &Seen<'_>) -> Vec<Said> {
    let is_planned = |name: &String| seen.api.plans.iter().any(|plan| plan.stage == *name);
    stages(
        seen,
        |name, stage| !stage.has_throttle && !is_planned(name),
        "it has no throttle of its own and is in no usage plan",
    )
}

pub(super) fn access_log_off(seen: &Seen<'_>) -> Vec<Said> {
    stages(seen, |_, stage| !stage.has_access_log, "requests are not logged")
}

pub(super) fn execution_log_off(seen: &Seen<'_>) -> Vec<Said> {
    stages(seen, |_, stage| !stage.has_execution_log, "errors are not logged for every method")
}

pub(super) fn no_deployment(seen: &Seen<'_>) -> Vec<Said> {
    if seen.api.stages.is_empty() { whole("it has no stage".into()) } else { vec![] }
}

/// Whether the method asks clients for nothing at all.
fn is_unprotected(method: &Method) -> bool {
    method.auth == Auth::None && !method.api_key
}

fn whole(what: String) -> Vec<Said> {
    vec![Said { subject: String::new(), what }]
}

fn stages(seen: &Seen<'_>, is: impl Fn(&String, &Stage) -> bool, what: &str) -> Vec<Said> {
    let found = seen.api.stages.iter().filter(|(name, stage)| is(name, stage));
    found.map(|(name, _)| Said { subject: name.clone(), what: what.to_owned() }).collect()
}

// Invariant of the two that follow: a stage that is there has a name or more, sorted by path.

fn methods<'a>(seen: &Seen<'a>, is: impl Fn(&Method) -> bool) -> BTreeMap<&'a str, Vec<String>> {
    let all =
        seen.api.stages.iter().flat_map(|(name, stage)| stage.methods.iter().map(move |one| (name.as_str(), one)));
    names(all.filter(|(_, method)| is(method)))
}

fn doors<'a>(seen: &Seen<'a>, is: impl Fn(&Door<'_>) -> bool) -> BTreeMap<&'a str, Vec<String>> {
    names(seen.reach.doors.iter().filter(|door| is(door)).map(|door| (door.stage, door.method)))
}

fn names<'a>(methods: impl Iterator<Item = (&'a str, &'a Method)>) -> BTreeMap<&'a str, Vec<String>> {
    let mut found: BTreeMap<&str, Vec<&Method>> = BTreeMap::new();
    methods.for_each(|(stage, method)| found.entry(stage).or_default().push(method));
    found.values_mut().for_each(|methods| methods.sort_by_key(|one| (&one.path, &one.method)));
    found.into_iter().map(|(stage, methods)| (stage, methods.into_iter().map(name_of).collect())).collect()
}

fn name_of(method: &Method) -> String {
    format!("{} {}", method.method, method.path)
}

fn by_stage(found: BTreeMap<&str, Vec<String>>, what: &str) -> Vec<Said> {
    let said = |(stage, names): (&str, Vec<String>)| Said {
        subject: subject(stage, &names, names.len()),
        what: what.to_owned(),
    };
    found.into_iter().map(said).collect()
}

/// `prod GET /cats and 3 more`.
fn subject(stage: &str, names: &[String], count: usize) -> String {
    let first = names.first().map(String::as_str).unwrap_or_default();
    match count {
        0 | 1 => format!("{stage} {first}"),
        _ => format!("{stage} {first} and {} more", count - 1),
    }
}

const NAMES_MAX: usize = 5;

/// The first few of a list, and how many more there are.
fn some_of(names: &[impl AsRef<str>]) -> String {
    let first: Vec<&str> = names.iter().take(NAMES_MAX).map(|name| name.as_ref()).collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
