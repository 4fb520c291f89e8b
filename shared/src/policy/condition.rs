//! A statement's conditions: operators, keys and values, each of which may hold, not hold, or depend on what is not known.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Principal, Request, Truth, matches, texts};

/// What is known of a condition key of a request.
enum Key {
    Has(String),
    Absent,
    Unknown,
}

/// The condition keys of a request.
pub struct Known<'a>(&'a Request);

impl<'a> Known<'a> {
    /// The keys of this request.
    pub fn of(request: &'a Request) -> Self {
        Self(request)
    }

    /// Keys know no case. A request through a VPC endpoint has `aws:VpcSourceIp` in the place of `aws:SourceIp`.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    fn key(&self, name: &str) -> Key {
        let Known(request) = self;
        match (name.to_ascii_lowercase().as_str(), &request.principal) {
            ("aws:sourcevpce", _) => Key::Has(request.vpc_endpoint.clone()),
            ("aws:sourcevpc", _) => request.vpc.clone().map_or(Key::Unknown, Key::Has),
            ("aws:sourceip" | "aws:sourcearn" | "aws:sourceaccount", _) => Key::Absent,
            ("aws:securetransport", _) => Key::Has("true".into()),
            ("aws:principalarn", Principal::Signed(arn)) => Key::Has(arn.clone()),
            ("aws:principalaccount", Principal::Signed(arn)) => {
                Key::Has(arn.split(':').nth(4).unwrap_or_default().to_owned())
            }
            (name, Principal::Anonymous) if name.starts_with("aws:principal") && name != "aws:principaltype" => {
                Key::Absent
            }
            ("aws:userid" | "aws:username", Principal::Anonymous) => Key::Absent,
            ("aws:principaltype", Principal::Anonymous) => Key::Has("Anonymous".into()),
            _ => Key::Unknown,
        }
    }
}

/// Whether all conditions hold; none is no condition.
pub fn holds(conditions: &Value, known: &Known<'_>) -> Truth {
    let Some(operators) = conditions.as_object() else {
        return if conditions.is_null() { Truth::Yes } else { Truth::Unknown };
    };
    Truth::all(operators.iter().map(|(operator, keys)| match keys.as_object() {
        Some(keys) => Truth::all(keys.iter().map(|(key, values)| one(operator, values, &known.key(key)))),
        None => Truth::Unknown,
    }))
}

/// What an operator compares, and whether it is turned round.
enum Compares {
    Equal { ignores_case: bool },
    Like,
    Bool,
    Null,
    Nothing,
}

fn one(operator: &str, values: &Value, key: &Key) -> Truth {
    let (set, operator) = match operator.split_once(':') {
        Some((set, operator)) => (Some(set), operator),
        None => (None, operator),
    };
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let (compares, is_negated) = match operator {
        "StringEquals" => (Compares::Equal { ignores_case: false }, false),
        "StringNotEquals" => (Compares::Equal { ignores_case: false }, true),
        "StringEqualsIgnoreCase" => (Compares::Equal { ignores_case: true }, false),
        "StringNotEqualsIgnoreCase" => (Compares::Equal { ignores_case: true }, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (Compares::Like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (Compares::Like, true),
        "Bool" => (Compares::Bool, false),
        "Null" => (Compares::Null, false),
        // An address is compared only where there is one, and a request through an endpoint has none that is known here.
        "IpAddress" => (Compares::Nothing, false),
        "NotIpAddress" => (Compares::Nothing, true),
        _ => return Truth::Unknown,
    };
    if matches!(compares, Compares::Null) {
        let is_absent = match key {
            Key::Absent => Truth::Yes,
            Key::Has(_) => Truth::No,
            Key::Unknown => Truth::Unknown,
        };
        return Truth::any(texts_and_flags(values).map(|value| if value == "true" { is_absent } else { !is_absent }));
    }
    let text = match key {
        Key::Has(text) => text,
        Key::Unknown => return Truth::Unknown,
        // Without the key a negated operator holds, any other does not; unless the operator says otherwise itself.
        Key::Absent => {
            return match set {
                Some("ForAllValues") => Truth::Yes,
                Some("ForAnyValue") => Truth::No,
                Some(_) => Truth::Unknown,
                None => (if_exists || is_negated).into(),
            };
        }
    };
    if set.is_some_and(|set| set != "ForAllValues" && set != "ForAnyValue") {
        return Truth::Unknown;
    }
    let fits = Truth::any(texts_and_flags(values).map(|value| {
        if value.contains("${") {
            return Truth::Unknown;
        }
        match compares {
            Compares::Equal { ignores_case: true } => value.eq_ignore_ascii_case(text).into(),
            Compares::Equal { ignores_case: false } => (value == *text).into(),
            Compares::Like => matches(&value, text).into(),
            Compares::Bool => value.eq_ignore_ascii_case(text).into(),
            Compares::Null | Compares::Nothing => Truth::Unknown,
        }
    }));
    if is_negated { !fits } else { fits }
}

fn texts_and_flags(values: &Value) -> impl Iterator<Item = String> {
    let many = values.as_array().into_iter().flatten();
    let one = if values.is_array() { None } else { Some(values) };
    one.into_iter().chain(many).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The endpoints that a policy names anywhere under `aws:SourceVpce`, patterns included.
pub fn endpoints(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key.eq_ignore_ascii_case("aws:SourceVpce") {
                    found.extend(texts(value).map(str::to_owned));
                }
                endpoints(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| endpoints(item, found)),
        _ => {}
    }
}
