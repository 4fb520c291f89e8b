//! The policies of the two documents that private APIs come from, and a table of hard ones.

use serde_json::json;

use super::*;

const OURS: &str = "vpce-1a2b3c4d";
const API: &str = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5";

fn request() -> Request {
    Request {
        principal: Principal::Anonymous,
        resource: format!("{API}/prd/GET/cats"),
        vpc_endpoint: OURS.into(),
        vpc: Some("vpc-1a2b3c4d".into()),
    }
}

fn allow(condition: Value) -> Value {
    let mut statement =
        json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"});
    if !condition.is_null() {
        statement["Condition"] = condition;
    }
    statement
}

fn deny(condition: Value) -> Value {
    let mut statement = allow(condition);
    statement["Effect"] = json!("Deny");
    statement
}

fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The policy of seed 2, and of seed 1: everybody is let in, and whoever comes another way is denied.
fn of_the_article(endpoint: &str) -> Value {
    policy(json!([allow(json!(null)), deny(json!({"StringNotEquals": {"aws:SourceVpce": endpoint}}))]))
}

#[test]
fn can_our_endpoint_reach_it() {
    let with = |field: &str, value: Value| {
        let mut statement = allow(json!(null));
        let fields = statement.as_object_mut().unwrap();
        let opposite = if let Some(rest) = field.strip_prefix("Not") { rest.to_owned() } else { format!("Not{field}") };
        fields.remove(&opposite);
        fields.insert(field.into(), value);
        statement
    };
    let equals = |operator: &str, value: Value| json!({operator: {"aws:SourceVpce": value}});
    for (name, policy, expected) in [
        ("the article's", of_the_article(OURS), "Allow"),
        ("the article's, for another endpoint", of_the_article("vpce-other"), "Deny: statement 2 denies it"),
        (
            "nothing allows",
            policy(json!([deny(json!({"StringNotEquals": {"aws:SourceVpce": OURS}}))])),
            "Deny: no statement",
        ),
        ("no statements", json!({}), "Indeterminate"),
        ("one statement, not a list", policy(allow(equals("StringEquals", json!(OURS)))), "Allow"),
        ("one of several endpoints", policy(json!([allow(equals("StringEquals", json!(["vpce-x", OURS])))])), "Allow"),
        (
            "if it exists",
            policy(json!([allow(json!(null)), deny(equals("StringNotEqualsIfExists", json!(OURS)))])),
            "Allow",
        ),
        (
            "if it exists, for another",
            policy(json!([allow(json!(null)), deny(equals("StringNotEqualsIfExists", json!("vpce-x")))])),
            "Deny",
        ),
        ("any value", policy(json!([allow(equals("ForAnyValue:StringEquals", json!([OURS])))])), "Allow"),
        ("any value, another", policy(json!([allow(equals("ForAnyValue:StringEquals", json!(["vpce-x"])))])), "Deny"),
        (
            "all values",
            policy(json!([allow(json!(null)), deny(equals("ForAllValues:StringNotEquals", json!([OURS])))])),
            "Allow",
        ),
        ("a pattern", policy(json!([allow(equals("StringLike", json!("vpce-1a*")))])), "Allow"),
        (
            "a pattern is text to StringEquals",
            policy(json!([allow(equals("StringEquals", json!("vpce-1a*")))])),
            "Deny",
        ),
        ("case", policy(json!([allow(equals("StringEquals", json!(OURS.to_uppercase())))])), "Deny"),
        ("case ignored", policy(json!([allow(equals("StringEqualsIgnoreCase", json!(OURS.to_uppercase())))])), "Allow"),
        ("a key's case", policy(json!([allow(json!({"StringEquals": {"AWS:sourceVPCE": OURS}}))])), "Allow"),
        ("the VPC", policy(json!([allow(json!({"StringEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}))])), "Allow"),
        (
            "the endpoint's id under the VPC's key",
            policy(json!([allow(json!({"StringEquals": {"aws:SourceVpc": OURS}}))])),
            "Deny",
        ),
        (
            "several that only together allow",
            policy(json!([
                deny(json!({"StringNotEquals": {"aws:SourceVpce": [OURS, "vpce-x"]}})),
                deny(json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}})),
                with("Resource", json!(format!("{API}/*/GET/*"))),
            ])),
            "Allow",
        ),
        ("another method", policy(json!([with("Resource", json!("execute-api:/prd/POST/*"))])), "Deny"),
        ("this method", policy(json!([with("Resource", json!("execute-api:/prd/GET/cats"))])), "Allow"),
        ("another stage", policy(json!([with("Resource", json!(format!("{API}/dev/*")))])), "Deny"),
        (
            "another API",
            policy(json!([with("Resource", json!("arn:aws:execute-api:eu-west-1:111122223333:zzz/*"))])),
            "Deny",
        ),
        ("not that resource", policy(json!([with("NotResource", json!("execute-api:/prd/POST/*"))])), "Allow"),
        ("a narrower action", policy(json!([with("Action", json!("execute-api:InvalidateCache"))])), "Deny"),
        ("any action, oddly written", policy(json!([with("Action", json!(["Execute-API:*"]))])), "Allow"),
        ("not another action", policy(json!([with("NotAction", json!("execute-api:ManageConnections"))])), "Allow"),
        ("not this action", policy(json!([with("NotAction", json!("execute-api:Invoke"))])), "Deny"),
        ("everybody, the other way of writing it", policy(json!([with("Principal", json!({"AWS": "*"}))])), "Allow"),
        (
            "an account only",
            policy(json!([with("Principal", json!({"AWS": "arn:aws:iam::444455556666:root"}))])),
            "Deny",
        ),
        (
            "all but somebody are denied",
            policy(json!([allow(json!(null)), {
                "Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "execute-api:*", "Resource": "*",
            }])),
            "Deny",
        ),
        ("a public address", policy(json!([allow(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))])), "Deny"),
        (
            "not an address",
            policy(json!([allow(json!(null)), deny(json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))])),
            "Deny",
        ),
        (
            "a private address",
            policy(json!([allow(json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}))])),
            "Indeterminate",
        ),
        ("an organization", policy(json!([allow(json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))])), "Deny"),
        ("unless unsigned", policy(json!([allow(json!({"Null": {"aws:PrincipalArn": "true"}}))])), "Allow"),
        ("only signed", policy(json!([allow(json!({"Null": {"aws:PrincipalArn": false}}))])), "Deny"),
        (
            "encrypted",
            policy(json!([allow(json!(null)), deny(json!({"Bool": {"aws:SecureTransport": "false"}}))])),
            "Allow",
        ),
        (
            "until a date",
            policy(json!([allow(json!({"DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}))])),
            "Indeterminate",
        ),
        (
            "denied after a date",
            policy(json!([
                allow(json!(null)),
                deny(json!({"DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}))
            ])),
            "Indeterminate: statement 2 may deny it",
        ),
        (
            "a variable",
            policy(json!([allow(equals("StringEquals", json!("${aws:PrincipalTag/endpoint}")))])),
            "Indeterminate",
        ),
        ("a tag", policy(json!([allow(json!({"StringEquals": {"aws:RequestTag/team": "cats"}}))])), "Indeterminate"),
        ("no principal", policy(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])), "Indeterminate"),
        (
            "an effect that there is not",
            policy(json!([allow(json!(null)), {"Effect": "deny", "Principal": "*", "Action": "*", "Resource": "*"}])),
            "Indeterminate",
        ),
    ] {
        let said = match evaluate(&policy, &request()) {
            Verdict::Allow => "Allow".to_owned(),
            Verdict::Deny(why) => format!("Deny: {why}"),
            Verdict::Indeterminate(why) => format!("Indeterminate: {why}"),
        };
        assert!(said.starts_with(expected), "{name}: {said}");
    }
}

#[test]
fn who_signs_may_be_let_in_where_others_are_not() {
    let signed = Request { principal: Principal::Signed("arn:aws:iam::444455556666:role/front".into()), ..request() };
    for (who, expected) in [
        (json!({"AWS": "arn:aws:iam::444455556666:root"}), true),
        (json!({"AWS": ["444455556666"]}), true),
        (json!({"AWS": "arn:aws:iam::444455556666:role/front"}), true),
        (json!({"AWS": "arn:aws:iam::444455556666:role/other"}), false),
        (json!({"Service": "apigateway.amazonaws.com"}), false),
    ] {
        let mut statement = allow(json!(null));
        statement["Principal"] = who.clone();
        assert_eq!(evaluate(&policy(json!([statement])), &signed) == Verdict::Allow, expected, "{who}");
    }
}

#[test]
fn who_else_can() {
    let ours = BTreeSet::from([OURS.to_owned()]);
    let equals = |operator: &str, value: Value| json!({operator: {"aws:SourceVpce": value}});
    for (name, policy, expected) in [
        ("the article's", of_the_article(OURS), &[][..]),
        ("no deny", policy(json!([allow(json!(null))])), &["*"]),
        (
            "two endpoints",
            policy(json!([allow(equals("StringEquals", json!([OURS, "vpce-theirs"])))])),
            &["vpce-theirs"],
        ),
        ("a pattern", policy(json!([allow(equals("StringLike", json!("vpce-1a*")))])), &["vpce-1a*"]),
        ("every pattern", policy(json!([allow(equals("StringLike", json!("vpce-*")))])), &["*"]),
        (
            "a typing error that denies nobody",
            policy(json!([allow(json!(null)), deny(json!({"StringNotEqualsIfExists": {"aws:SourceVpceId": OURS}})),])),
            &["*"],
        ),
        (
            "one that is named and denied",
            policy(json!([
                allow(equals("StringEquals", json!([OURS, "vpce-theirs"]))),
                deny(equals("StringEquals", json!("vpce-theirs"))),
            ])),
            &[],
        ),
        ("somebody's VPC", policy(json!([allow(json!({"StringEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}))])), &[]),
    ] {
        let found = others(&policy, &request(), &ours);
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn a_pattern_is_matched_as_iam_does() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("a*c", "abbbc", true),
        ("a*c", "abbbd", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*/GET/*", "prd/GET/a/b", true),
        ("**x", "aax", true),
        ("", "a", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
