//! What of a tenant's access is missing, and what the bus' policy has to become. Nothing here reads or writes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::error::{Error, ErrorType};
use shared::types::AccountId;

/// Our one statement of the bus' policy.
pub const STATEMENT_ID: &str = "tenants";
/// EventBridge's limit of a bus' policy.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>
const POLICY_CHARACTERS_MAX: usize = 10_240;
/// What tenants may send: their requests, and what CloudTrail says of their API Gateway. The rules `RouteRequestRule` and
/// `MemberApiRule` of the template take these, the second from the source `aws.apigateway`, as which nobody but AWS can send.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const DETAIL_TYPES: [&str; 3] = ["Foregate Route Apply", "Foregate Route Delete", "AWS API Call via CloudTrail"];

/// Whether an alias' policy lets the account invoke it.
pub fn admits(policy: &Value, account: &AccountId) -> bool {
    statements(policy).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && statement["Action"] == "lambda:InvokeFunction"
            && statement.get("Condition").is_none_or(|condition| *condition == json!({}))
            && accounts(&statement["Principal"]).contains(account.as_str())
    })
}

/// A change of the bus' policy.
#[derive(Clone, Debug, PartialEq)]
pub enum BusChange {
    /// The whole policy.
    Put(Value),
    /// Our statement goes; there may be others.
    Remove,
}

/// What makes the bus' policy let `senders` send their requests, and nobody else by our statement; `None` where it does. With
/// an organization, one statement lets all its accounts send: whose an event is, its envelope says.
pub fn bus_change(
    bus_arn: &str,
    organization_id: Option<&str>,
    senders: &BTreeSet<AccountId>,
    current: Option<&Value>,
) -> Result<Option<BusChange>, Error> {
    let there = current.map(statements).unwrap_or_default();
    let (ours, others): (Vec<&Value>, Vec<&Value>) = there.iter().partition(|statement| is_ours(statement));
    if senders.is_empty() {
        return Ok((!ours.is_empty()).then_some(BusChange::Remove));
    }
    let wanted = statement(bus_arn, organization_id, senders);
    if let [only] = ours[..]
        && normalized(only) == normalized(&wanted)
    {
        return Ok(None);
    }
    let mut statements: Vec<Value> = others.into_iter().cloned().collect();
    statements.push(wanted);
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    let characters = policy.to_string().len();
    if characters > POLICY_CHARACTERS_MAX {
        return Err(Error::new(
            ErrorType::LimitExceeded,
            format!(
                "Events: the event bus' policy holds {POLICY_CHARACTERS_MAX} characters, and {} accounts need {characters}: \
                 deploy Foregate with OrganizationId, whose one statement is for all, or leave Events out",
                senders.len()
            ),
        ));
    }
    Ok(Some(BusChange::Put(policy)))
}

/// `events:source` may have several values, so that its conditions say what holds for all of them, and that there is one.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-example-policy-cross-account-custom-bus-source.html>
fn statement(bus_arn: &str, organization_id: Option<&str>, senders: &BTreeSet<AccountId>) -> Value {
    let partition = bus_arn.split(':').nth(1).unwrap_or("aws");
    let arns: Vec<String> = senders.iter().map(|account| format!("arn:{partition}:iam::{account}:root")).collect();
    let mut equals = json!({"events:detail-type": DETAIL_TYPES});
    let principal = match organization_id {
        Some(id) => {
            equals["aws:PrincipalOrgID"] = json!(id);
            json!("*")
        }
        None => json!({"AWS": arns}),
    };
    json!({
        "Sid": STATEMENT_ID, "Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Resource": bus_arn,
        "Condition": {
            "StringEquals": equals,
            // `foregate` is Foregate's own voice.
            "ForAllValues:StringNotEquals": {"events:source": "foregate"},
            "Null": {"events:source": "false"},
        },
    })
}

/// Ours, or one of those per account that Foregate made before.
fn is_ours(statement: &Value) -> bool {
    let id = statement["Sid"].as_str().unwrap_or_default();
    id == STATEMENT_ID || id.strip_prefix("account-").is_some_and(|account| account.parse::<AccountId>().is_ok())
}

fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        Value::Null => Vec::new(),
        only => vec![only.clone()],
    }
}

/// The accounts of a principal, which AWS writes as an id or as the ARN of the account's root.
fn accounts(principal: &Value) -> BTreeSet<String> {
    let of = |text: &str| text.split(':').nth(4).unwrap_or(text).to_owned();
    match &principal["AWS"] {
        Value::String(only) => BTreeSet::from([of(only)]),
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(of).collect(),
        _ => BTreeSet::new(),
    }
}

/// Equal for policies that mean the same: AWS may answer one value for a list of one, another order, `"*"` as
/// `{"AWS": "*"}`, and keys in another case.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.len() == 1 && fields.get("AWS") == Some(&json!("*")) => json!("*"),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.to_lowercase(), normalized(value))).collect(),
        Value::Array(values) => match values.as_slice() {
            [only] => normalized(only),
            _ => {
                let mut values: Vec<Value> = values.iter().map(normalized).collect();
                values.sort_by_key(Value::to_string);
                Value::Array(values)
            }
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUS: &str = "arn:aws:events:eu-west-1:444455556666:event-bus/foregate";

    fn account(n: usize) -> AccountId {
        format!("{n:012}").parse().unwrap()
    }

    fn policy_for(count: usize, organization_id: Option<&str>, current: Option<&Value>) -> Result<Value, Error> {
        let senders = (0..count).map(account).collect();
        match bus_change(BUS, organization_id, &senders, current)? {
            Some(BusChange::Put(policy)) => Ok(policy),
            other => panic!("{other:?}"),
        }
    }

    fn organizations_statement() -> Value {
        json!({"Sid": "organization", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": BUS})
    }

    #[test]
    fn one_statement_lets_all_tenants_send_what_foregate_takes_and_not_as_foregate() {
        let policy = policy_for(2, None, None).unwrap();
        let expected = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "tenants", "Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS,
            "Principal": {"AWS": ["arn:aws:iam::000000000000:root", "arn:aws:iam::000000000001:root"]},
            "Condition": {
                "StringEquals": {"events:detail-type": DETAIL_TYPES},
                "ForAllValues:StringNotEquals": {"events:source": "foregate"},
                "Null": {"events:source": "false"},
            },
        }]});
        assert_eq!(policy, expected);
    }

    #[test]
    fn nobody_may_send_until_a_tenant_asks_and_others_statements_stay() {
        let nobody = BTreeSet::new();
        let others = json!({"Statement": [organizations_statement()]});
        assert_eq!(bus_change(BUS, None, &nobody, None).unwrap(), None);
        assert_eq!(bus_change(BUS, None, &nobody, Some(&others)).unwrap(), None);
        let policy = policy_for(1, None, Some(&others)).unwrap();
        assert_eq!(policy["Statement"][0], organizations_statement());
        assert_eq!(policy["Statement"][1]["Sid"], "tenants");
        assert_eq!(bus_change(BUS, None, &nobody, Some(&policy)).unwrap(), Some(BusChange::Remove));
    }

    #[test]
    fn a_policy_that_says_the_same_in_awss_words_is_left_alone() {
        for organization_id in [None, Some("o-a1b2c3d4e5")] {
            let mut answered = policy_for(1, organization_id, None).unwrap();
            let statement = &mut answered["Statement"][0];
            statement["Action"] = json!(["events:PutEvents"]);
            statement["Condition"]["StringEquals"]["events:detail-type"].as_array_mut().unwrap().reverse();
            statement["Principal"] = match organization_id {
                None => json!({"AWS": "arn:aws:iam::000000000000:root"}),
                Some(_) => json!({"AWS": "*"}),
            };
            let senders = BTreeSet::from([account(0)]);
            assert_eq!(bus_change(BUS, organization_id, &senders, Some(&answered)).unwrap(), None);
            answered["Statement"][0]["Condition"]["Null"] = json!({});
            assert!(bus_change(BUS, organization_id, &senders, Some(&answered)).unwrap().is_some());
        }
    }

    #[test]
    fn statements_of_single_accounts_that_were_made_before_become_the_one() {
        let before = json!({"Statement": [{"Sid": "account-000000000000"}, {"Sid": "account-teams"}]});
        let policy = policy_for(1, None, Some(&before)).unwrap();
        let ids: Vec<&str> =
            policy["Statement"].as_array().unwrap().iter().filter_map(|one| one["Sid"].as_str()).collect();
        assert_eq!(ids, ["account-teams", "tenants"]);
    }

    #[test]
    fn five_hundred_tenants_fit_by_their_organization_and_as_many_as_the_policy_holds_without() {
        for (count, organization_id, fits) in
            [(280, None, true), (300, None, false), (500, None, false), (500, Some("o-a1b2c3d4e5"), true)]
        {
            let current = json!({"Statement": [organizations_statement()]});
            match policy_for(count, organization_id, Some(&current)) {
                Ok(policy) => assert!(fits && policy.to_string().len() <= POLICY_CHARACTERS_MAX, "{count}"),
                Err(error) => {
                    assert!(!fits, "{count}");
                    assert_eq!(error.error_type, ErrorType::LimitExceeded);
                    assert!(error.message.contains("OrganizationId"), "{error}");
                }
            }
        }
    }

    #[test]
    fn only_a_statement_that_lets_this_account_invoke_counts() {
        let statement = |principal: Value, effect: &str, condition: Value| json!({"Statement": [{"Effect": effect, "Action": "lambda:InvokeFunction", "Principal": principal, "Condition": condition}]});
        for (policy, expected) in [
            (statement(json!({"AWS": "arn:aws:iam::000000000007:root"}), "Allow", json!({})), true),
            (statement(json!({"AWS": ["000000000007"]}), "Allow", json!({})), true),
            (statement(json!({"AWS": "arn:aws:iam::000000000008:root"}), "Allow", json!({})), false),
            (statement(json!({"Service": "events.amazonaws.com"}), "Allow", json!({})), false),
            (statement(json!({"AWS": "000000000007"}), "Deny", json!({})), false),
            (statement(json!({"AWS": "000000000007"}), "Allow", json!({"StringEquals": {"aws:x": "y"}})), false),
            (json!({}), false),
        ] {
            assert_eq!(admits(&policy, &account(7)), expected, "{policy}");
        }
    }
}
