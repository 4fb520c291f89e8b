//! Resource policies of private APIs: can a request from our VPC endpoint reach a method, and who else can?
//!
//! An evaluator of IAM's policy language as far as API Gateway's resource policies have it. What it can't know (a key that
//! the request may or may not have, an operator or a variable that it does not read) makes its answer
//! [`Indeterminate`](Verdict::Indeterminate), which is never taken for a pass. Pure: plain values in, plain values out.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies.html>
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

mod condition;

use std::collections::BTreeSet;

use condition::Known;
use serde_json::Value;

use crate::types::{AccountId, RestApiId, partition_of};

/// What a policy says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It lets it in.
    Allow,
    /// It keeps it out, and why: a statement, or that none lets it in.
    Deny(String),
    /// That depends on what is not known, and on what.
    Indeterminate(String),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody whose request is not signed.
    Anonymous,
    /// An identity of AWS's, by its ARN.
    Signed(String),
}

/// A request to a private API: it comes through a VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// The method's ARN: `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`.
    pub resource: String,
    /// The VPC endpoint that it comes through.
    pub vpc_endpoint: String,
    /// The endpoint's VPC, where that is known.
    pub vpc: Option<String>,
}

/// True, false, or not to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().fold(Self::Yes, |so_far, next| match (so_far, next) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            _ => Self::Yes,
        })
    }

    fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        !Self::all(truths.into_iter().map(|truth| !truth))
    }
}

impl std::ops::Not for Truth {
    type Output = Self;
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

/// What the policy says to the request. An explicit Deny comes before everything; what no statement allows is denied.
pub fn evaluate(policy: &Value, request: &Request) -> Verdict {
    let Some(statements) = statements(policy) else {
        return Verdict::Indeterminate("the policy has no statements that can be read".into());
    };
    let applies: Vec<(usize, &Value, Truth)> = statements
        .into_iter()
        .enumerate()
        .map(|(index, statement)| (index + 1, statement, applies(statement, request)))
        .collect();
    let of = |effect: &str, truth: Truth| {
        applies.iter().find(|(_, statement, applied)| statement["Effect"] == effect && *applied == truth)
    };
    let odd = applies.iter().find(|(_, one, _)| one["Effect"] != "Allow" && one["Effect"] != "Deny");
    let name = |index: usize, statement: &Value| match statement["Sid"].as_str() {
        Some(sid) => format!("statement {index} ({sid})"),
        None => format!("statement {index}"),
    };
    if let Some((index, statement, _)) = of("Deny", Truth::Yes) {
        return Verdict::Deny(format!("{} denies it", name(*index, statement)));
    }
    if let Some((index, statement, _)) = odd.or(of("Deny", Truth::Unknown)) {
        return Verdict::Indeterminate(format!("{} may deny it", name(*index, statement)));
    }
    if of("Allow", Truth::Yes).is_some() {
        return Verdict::Allow;
    }
    match of("Allow", Truth::Unknown) {
        Some((index, statement, _)) => Verdict::Indeterminate(format!("{} may allow it", name(*index, statement))),
        None => Verdict::Deny("no statement allows it".into()),
    }
}

/// Which other endpoints a policy lets in, besides `ours`: those that it names, patterns, and `*` for every endpoint there is.
/// What may be let in counts as let in.
pub fn others(policy: &Value, request: &Request, ours: &BTreeSet<String>) -> BTreeSet<String> {
    let is_let_in = |vpc_endpoint: String| {
        let request = Request { vpc_endpoint, vpc: Some(STRANGERS_VPC.into()), ..request.clone() };
        !matches!(evaluate(policy, &request), Verdict::Deny(_))
    };
    if is_let_in(STRANGER.into()) {
        return BTreeSet::from(["*".to_owned()]);
    }
    let mut named = BTreeSet::new();
    condition::endpoints(policy, &mut named);
    // Somebody whom a pattern lets in, and nobody names.
    let one_of = |pattern: &str| pattern.replace('*', "0fffffff").replace('?', "f");
    named.into_iter().filter(|one| !ours.contains(one) && is_let_in(one_of(one))).collect()
}

/// An endpoint that nobody has named: a pattern that lets it in lets in everybody's.
pub const STRANGER: &str = "vpce-0123456789abcdef0";
/// A VPC that nobody has named.
pub const STRANGERS_VPC: &str = "vpc-0123456789abcdef0";

/// The ARN that a request to a method is about: `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/VERB/PATH`, with a [`sample_path`].
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html>
pub fn method_arn(account: &AccountId, region: &str, id: &RestApiId, stage: &str, verb: &str, path: &str) -> String {
    let (partition, path) = (partition_of(region), sample_path(path));
    format!("arn:{partition}:execute-api:{region}:{account}:{id}/{stage}/{verb}{path}")
}

/// A path that a request could have whose path has these variables.
pub fn sample_path(path: &str) -> String {
    let part = |segment: &str| if segment.starts_with('{') { "x".to_owned() } else { segment.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A policy's statements, one or many.
fn statements(policy: &Value) -> Option<Vec<&Value>> {
    match &policy["Statement"] {
        Value::Array(all) => Some(all.iter().collect()),
        one @ Value::Object(_) => Some(vec![one]),
        _ => None,
    }
}

fn applies(statement: &Value, request: &Request) -> Truth {
    Truth::all([
        principal(statement, &request.principal),
        listed(statement, "Action", "NotAction", |pattern| {
            matches(&pattern.to_ascii_lowercase(), "execute-api:invoke")
        }),
        listed(statement, "Resource", "NotResource", |pattern| is_resource(pattern, &request.resource)),
        condition::holds(&statement["Condition"], &Known::of(request)),
    ])
}

/// What stands under `is`, or does not under `is_not`. A statement has one of the two.
fn listed(statement: &Value, is: &str, is_not: &str, fits: impl Fn(&str) -> bool) -> Truth {
    let any = |value: &Value| {
        Truth::any(texts(value).map(|text| if text.contains("${") { Truth::Unknown } else { fits(text).into() }))
    };
    match (&statement[is], &statement[is_not]) {
        (Value::Null, Value::Null) => Truth::Unknown,
        (value, Value::Null) => any(value),
        (Value::Null, value) => !any(value),
        _ => Truth::Unknown,
    }
}

fn principal(statement: &Value, who: &Principal) -> Truth {
    match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, Value::Null) => Truth::Unknown,
        (value, Value::Null) => is_principal(value, who),
        (Value::Null, value) => !is_principal(value, who),
        _ => Truth::Unknown,
    }
}

fn is_principal(value: &Value, who: &Principal) -> Truth {
    let is_one = |name: &str| match who {
        _ if name == "*" => Truth::Yes,
        Principal::Anonymous => Truth::No,
        Principal::Signed(arn) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            (name == arn || name == account || name.ends_with(&format!(":iam::{account}:root"))).into()
        }
    };
    match value {
        Value::String(name) => is_one(name),
        // A service, a federated identity or a canonical user is nobody who comes through an endpoint of ours.
        Value::Object(kinds) => Truth::any(kinds.get("AWS").into_iter().flat_map(texts).map(is_one)),
        _ => Truth::Unknown,
    }
}

/// `execute-api:/STAGE/METHOD/PATH` stands for the API that the policy is on.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html>
fn is_resource(pattern: &str, resource: &str) -> bool {
    match pattern.strip_prefix("execute-api:/") {
        Some(rest) => resource.split_once('/').is_some_and(|(_, own)| matches(rest, own)),
        None => matches(pattern, resource),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().into_iter().flatten();
    value.as_str().into_iter().chain(many.filter_map(Value::as_str))
}

/// Whether the text is of the pattern, in which `*` stands for any text and `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Where the last `*` stood, and how much of the text it stands for so far.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some('?') => (p, t) = (p + 1, t + 1),
            Some(one) if *one == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests;
