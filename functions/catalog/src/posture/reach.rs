//! Who comes past an API's resource policy, method by method: strangers, endpoints besides the front door's, the front door
//! itself. An API's policy and methods go in, a [`Door`] for each method comes out.
//!
//! A policy tells two methods apart only by the patterns under its `Resource`s. Methods that fit the same patterns have one
//! [`Answer`], worked out once: what is spent grows with the policy, which AWS keeps to 8 KB, and hardly with the methods.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value, json};
use shared::front_door::Method as Verb;
use shared::openapi::ANY;
use shared::policy::{self, Principal, Request, STRANGER, STRANGERS_VPC, Verdict};

use crate::record::{Api, ApiKey, Method, Stage};

/// Whether somebody whom the policy does not know comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Openness {
    /// No.
    Closed,
    /// That depends on what is not known.
    Perhaps,
    /// Yes.
    Open,
}

/// What a policy says about a method.
#[derive(Debug)]
pub struct Answer {
    /// To strangers: from anywhere, or through any VPC endpoint where the API is private.
    pub openness: Openness,
    /// To endpoints that it names besides ours.
    pub further: BTreeSet<String>,
    /// To ours: why one of them is not clearly let in, where that is so.
    pub kept_out: Option<String>,
}

/// A method that something is behind, and what the policy says about it.
pub struct Door<'a> {
    /// Its stage.
    pub stage: &'a str,
    /// The method.
    pub method: &'a Method,
    // One for each verb that a request to it may have.
    answers: Vec<Rc<Answer>>,
}

impl Door<'_> {
    /// How open it is to strangers, by the verb by which it is most.
    pub fn openness(&self) -> Openness {
        self.answers.iter().map(|answer| answer.openness).max().unwrap_or(Openness::Closed)
    }

    /// Whether endpoints come in that are not ours.
    pub fn has_further(&self) -> bool {
        self.answers.iter().any(|answer| !answer.further.is_empty())
    }

    /// Why one of ours is not clearly let in, where that is so.
    pub fn kept_out(&self) -> Option<&str> {
        self.answers.iter().find_map(|answer| answer.kept_out.as_deref())
    }
}

/// Who reaches an API.
pub struct Reach<'a> {
    /// Its methods. A mock has nothing behind it and is none. None either where nobody can call the API.
    pub doors: Vec<Door<'a>>,
    /// What the policy says.
    pub answers: Vec<Rc<Answer>>,
}

impl<'a> Reach<'a> {
    /// Who reaches the API, and whether `ours` do.
    pub fn of(api: &'a Api, ours: &BTreeSet<String>) -> Self {
        let Some(mut asked) = Asked::of(api, ours) else { return Self { doors: vec![], answers: vec![] } };
        let doors = api.stages.iter().flat_map(|(name, stage)| asked.about_stage(&api.key, name, stage)).collect();
        if api.stages.is_empty() {
            // What is not deployed has a policy all the same.
            asked.about(resource(&api.key, "x", "GET", "/x"));
        }
        Self { doors, answers: asked.answers.into_values().collect() }
    }

    /// All endpoints besides ours that come in somewhere.
    pub fn further(&self) -> BTreeSet<&str> {
        self.answers.iter().flat_map(|answer| &answer.further).map(String::as_str).collect()
    }
}

/// Whether the API has no public endpoint.
pub fn is_private(api: &Api) -> bool {
    api.endpoint_types.iter().any(|kind| kind == "PRIVATE")
}

/// A policy that is asked about one method after another.
struct Asked<'a> {
    policy: Option<Value>,
    is_private: bool,
    ours: &'a BTreeSet<String>,
    /// One policy for each pattern, which lets in what fits it.
    patterns: Vec<Value>,
    answers: BTreeMap<Vec<bool>, Rc<Answer>>,
}

impl<'a> Asked<'a> {
    /// Nothing for a private API without a policy: nobody can call it.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-apis.html>
    fn of(api: &Api, ours: &'a BTreeSet<String>) -> Option<Self> {
        let is_private = is_private(api);
        let policy = match (&api.policy, is_private) {
            (None, true) => return None,
            (Some(policy), false) => Some(from_anywhere(policy)),
            (policy, _) => policy.clone(),
        };
        let allow = |pattern: String| json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": pattern}});
        let patterns = policy.iter().flat_map(patterns).map(allow).collect();
        Some(Self { policy, is_private, ours, patterns, answers: BTreeMap::new() })
    }

    fn about_stage<'b>(&mut self, key: &ApiKey, name: &'b str, stage: &'b Stage) -> Vec<Door<'b>> {
        if stage.methods.is_empty() {
            // It could not be exported: some method is there, and open where any is.
            self.about(resource(key, name, "GET", "/x"));
        }
        let taken = stage.methods.iter().map(|one| (one.path.as_str(), one.method.as_str())).collect();
        let door = |method: &'b Method| {
            let resources = verbs(method, &taken).into_iter().map(|verb| resource(key, name, verb, &method.path));
            Door { stage: name, method, answers: resources.map(|one| self.about(one)).collect() }
        };
        stage.methods.iter().filter(|method| !method.is_mock).map(door).collect()
    }

    fn about(&mut self, resource: String) -> Rc<Answer> {
        // What comes through a VPC link is not signed, and who signs is no stranger.
        let request = Request {
            principal: Principal::Anonymous,
            resource,
            vpc_endpoint: STRANGER.into(),
            vpc: Some(STRANGERS_VPC.into()),
        };
        let fits = self.patterns.iter().map(|one| policy::evaluate(one, &request) == Verdict::Allow).collect();
        if let Some(answer) = self.answers.get(&fits) {
            return Rc::clone(answer);
        }
        let answer = Rc::new(self.answer(&request));
        self.answers.insert(fits, Rc::clone(&answer));
        answer
    }

    fn answer(&self, request: &Request) -> Answer {
        let Some(policy) = &self.policy else {
            return Answer { openness: Openness::Open, further: BTreeSet::new(), kept_out: None };
        };
        let openness = match policy::evaluate(policy, request) {
            Verdict::Allow => Openness::Open,
            Verdict::Indeterminate(_) => Openness::Perhaps,
            Verdict::Deny(_) => Openness::Closed,
        };
        if !self.is_private || self.ours.is_empty() {
            return Answer { openness, further: BTreeSet::new(), kept_out: None };
        }
        let mut further = policy::others(policy, request, self.ours);
        further.remove("*");
        let kept_out = self.ours.iter().find_map(|endpoint| kept_out(policy, request, endpoint));
        Answer { openness, further, kept_out }
    }
}

/// Why the endpoint is not clearly let in, where that is so.
fn kept_out(policy: &Value, request: &Request, endpoint: &str) -> Option<String> {
    let request = Request { vpc_endpoint: endpoint.to_owned(), vpc: None, ..request.clone() };
    match policy::evaluate(policy, &request) {
        Verdict::Allow => None,
        Verdict::Deny(why) => Some(format!("keeps out the front door's endpoint {endpoint}: {why}")),
        Verdict::Indeterminate(why) => {
            Some(format!("does not say clearly whether the front door's endpoint {endpoint} may come in: {why}"))
        }
    }
}

/// The verbs that a request to the method may have. `ANY` stands for those that have no method of their own on its path, of
/// `taken` paths and verbs.
fn verbs<'a>(method: &'a Method, taken: &BTreeSet<(&str, &str)>) -> Vec<&'a str> {
    match method.method.as_str() {
        ANY => Verb::all_by_name()
            .map(Verb::as_str)
            .filter(|verb| !taken.contains(&(method.path.as_str(), *verb)))
            .collect(),
        one => vec![one],
    }
}

/// The ARN that a request to the method is about.
fn resource(ApiKey { place, id }: &ApiKey, stage: &str, verb: &str, path: &str) -> String {
    policy::method_arn(&place.account, place.region.as_str(), id, stage, verb, path)
}

/// The patterns of resources in a policy.
fn patterns(policy: &Value) -> BTreeSet<String> {
    let fields = many(&policy["Statement"]).flat_map(|one| [&one["Resource"], &one["NotResource"]]);
    fields.flat_map(many).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// One or many, as policies have it.
fn many(value: &Value) -> impl Iterator<Item = &Value> {
    let one = if value.is_array() { None } else { Some(value) };
    one.into_iter().chain(value.as_array().into_iter().flatten())
}

/// The policy as it reads to somebody who asks from an unknown address, not through a VPC endpoint. [`policy`] knows
/// requests through endpoints only, which have no address of the world's; so each key that such a request has and this
/// one hasn't, takes the name of a key that neither has.
fn from_anywhere(policy: &Value) -> Value {
    let statements = many(&policy["Statement"]).map(|statement| {
        let mut statement = statement.clone();
        if let Some(conditions) = statement.get_mut("Condition").and_then(Value::as_object_mut) {
            *conditions = conditions_from_anywhere(conditions);
        }
        statement
    });
    match policy["Statement"].is_null() {
        true => policy.clone(),
        false => json!({"Statement": statements.collect::<Vec<_>>()}),
    }
}

fn conditions_from_anywhere(conditions: &Map<String, Value>) -> Map<String, Value> {
    let mut read = Map::new();
    for (operator, keys) in conditions {
        let Some(keys) = keys.as_object() else {
            // Nothing that can be read, and so nothing that is known.
            read.insert(operator.clone(), keys.clone());
            continue;
        };
        for (key, values) in keys {
            let (operator, key, values) = condition_from_anywhere(operator, key, values);
            let keys = read.entry(operator).or_insert_with(|| json!({}));
            if let Some(keys) = keys.as_object_mut() {
                keys.insert(key, values);
            }
        }
    }
    read
}

fn condition_from_anywhere(operator: &str, key: &str, values: &Value) -> (String, String, Value) {
    let is_everybody = || many(values).any(|range| range.as_str().is_some_and(|range| range.ends_with("/0")));
    match key.to_ascii_lowercase().as_str() {
        "aws:sourcevpce" | "aws:sourcevpc" | "aws:vpcsourceip" => {
            (operator.to_owned(), format!("aws:PrincipalTag/{key}"), values.clone())
        }
        // 0.0.0.0/0 is every address: true where it is asked for, never where it is excluded. TLS is what every request has.
        "aws:sourceip" if is_everybody() => {
            ("StringEquals".into(), "aws:SecureTransport".into(), json!((!operator.starts_with("Not")).to_string()))
        }
        _ => (operator.to_owned(), key.to_owned(), values.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_apis_policy_keeps_strangers_out_or_not() {
        let allow = |condition: Value| json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": condition});
        let deny = |condition: Value| {
            let mut statement = allow(condition);
            statement["Effect"] = json!("Deny");
            statement
        };
        let office = json!({"aws:SourceIp": ["192.0.2.0/24"]});
        let world = json!({"aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/0"]});
        for (name, statements, expected) in [
            ("everybody", json!([allow(json!({}))]), Openness::Open),
            ("one statement, not a list", allow(json!({})), Openness::Open),
            ("an office", json!([allow(json!({"IpAddress": office}))]), Openness::Closed),
            (
                "all but an office denied",
                json!([allow(json!({})), deny(json!({"NotIpAddress": office}))]),
                Openness::Closed,
            ),
            ("an office denied", json!([allow(json!({})), deny(json!({"IpAddress": office}))]), Openness::Open),
            ("every address", json!([allow(json!({"IpAddress": world}))]), Openness::Open),
            (
                "all but every address denied",
                json!([allow(json!({})), deny(json!({"NotIpAddress": world}))]),
                Openness::Open,
            ),
            (
                "an endpoint",
                json!([allow(json!({"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}))]),
                Openness::Closed,
            ),
            ("a VPC", json!([allow(json!({"StringEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}))]), Openness::Closed),
            (
                "an endpoint, if there is one",
                json!([allow(json!({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1a2b3c4d"}}))]),
                Openness::Open,
            ),
            ("no endpoint", json!([allow(json!({"Null": {"aws:SourceVpce": "true"}}))]), Openness::Open),
            ("any endpoint", json!([allow(json!({"StringLike": {"aws:SourceVpce": "*"}}))]), Openness::Closed),
            (
                "a header that anybody can send",
                json!([allow(json!({"StringEquals": {"aws:Referer": "x"}}))]),
                Openness::Perhaps,
            ),
            ("a condition that is none", json!([allow(json!({"StringEquals": "x"}))]), Openness::Perhaps),
            ("nothing", json!(null), Openness::Perhaps),
        ] {
            let request = Request {
                principal: Principal::Anonymous,
                resource: "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/x".into(),
                vpc_endpoint: STRANGER.into(),
                vpc: None,
            };
            let ours = BTreeSet::new();
            let policy = Some(from_anywhere(&json!({"Statement": statements})));
            let asked = Asked { policy, is_private: false, ours: &ours, patterns: vec![], answers: BTreeMap::new() };
            assert_eq!(asked.answer(&request).openness, expected, "{name}");
        }
    }

    #[test]
    fn a_resource_has_the_verb_and_a_path_without_variables() {
        for (key, path, expected) in [
            (
                "111122223333/eu-west-1/a1b2c3d4e5",
                "/cats/{id}/toys/{proxy+}",
                "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/cats/x/toys/x",
            ),
            (
                "111122223333/cn-north-1/a1b2c3d4e5",
                "/",
                "arn:aws-cn:execute-api:cn-north-1:111122223333:a1b2c3d4e5/prod/GET/",
            ),
        ] {
            assert_eq!(resource(&key.parse().unwrap(), "prod", "GET", path), expected);
        }
    }
}
