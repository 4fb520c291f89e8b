//! A front door's resource policy: Foregate's own statements, added to those that the REST API has from somebody else.

use serde_json::{Value, json};

use super::{FrontDoorSpec, Mode};

/// What the names of our statements begin with, so that a later document can tell them from somebody else's.
const SID_PREFIX: &str = "Foregate";

/// The policy, where there is to be one. `there` is what the REST API has.
///
/// With a policy, API Gateway lets in nobody whom it does not allow. Where there is none but ours, whoever comes without a
/// signature (`aws:PrincipalArn` is missing then) is let in; those of this account who come with one need a permission of their
/// own, as they would without a policy. Callers of other accounts need both: their own, and one here.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html>
pub fn policy(door: &FrontDoorSpec, there: Option<&Value>) -> Option<Value> {
    let others: Vec<Value> =
        there.map(statements).unwrap_or_default().into_iter().filter(|one| !is_ours(one)).collect();
    let own = own_statements(door);
    let had_ours = there.map(statements).unwrap_or_default().iter().any(is_ours);
    let version = there.and_then(|policy| policy.get("Version")).cloned().unwrap_or_else(|| json!("2012-10-17"));
    let whole = |statements: Vec<Value>| Some(json!({"Version": version, "Statement": statements}));
    match (others.is_empty(), own.is_empty()) {
        // Nothing of ours comes or goes: it stays as it is, to the letter.
        (false, true) if !had_ours => there.cloned(),
        (false, _) => whole([others, own].concat()),
        (true, false) => whole([vec![anonymous()], own].concat()),
        // A merge leaves what the document does not name: this says the same as no policy.
        (true, true) if had_ours && door.mode == Mode::Merge => whole(vec![anonymous()]),
        (true, true) => None,
    }
}

fn own_statements(door: &FrontDoorSpec) -> Vec<Value> {
    let mut own = Vec::new();
    if !door.allowed_principals.is_empty() {
        let mut one = statement("AllowedPrincipals", "Allow");
        one["Principal"] = json!({"AWS": door.allowed_principals});
        own.push(one);
    }
    if let Some(id) = &door.organization_id {
        let mut one = statement("Organization", "Allow");
        one["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": id}});
        own.push(one);
    }
    if !door.allowed_cidrs.is_empty() {
        let mut one = statement("AllowedCidrs", "Deny");
        one["Condition"] = json!({"NotIpAddress": {"aws:SourceIp": door.allowed_cidrs}});
        own.push(one);
    }
    own
}

fn anonymous() -> Value {
    let mut one = statement("Anonymous", "Allow");
    one["Condition"] = json!({"Null": {"aws:PrincipalArn": "true"}});
    one
}

fn statement(name: &str, effect: &str) -> Value {
    json!({"Sid": format!("{SID_PREFIX}{name}"), "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke",
           "Resource": "execute-api:/*"})
}

/// IAM takes one statement for a list of one.
fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn is_ours(statement: &Value) -> bool {
    statement["Sid"].as_str().is_some_and(|sid| sid.starts_with(SID_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(fields: Value) -> FrontDoorSpec {
        let mut spec = json!({"RestApiId": "f1e2d3c4b5", "StageName": "live"});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        FrontDoorSpec::parse(spec).unwrap()
    }

    /// `Allow ForegateAnonymous` and the like, in order.
    fn said(policy: Option<Value>) -> Vec<String> {
        let all = policy.as_ref().map(statements).unwrap_or_default();
        all.iter().map(|one| format!("{} {}", one["Effect"], one["Sid"]).replace('"', "")).collect()
    }

    #[test]
    fn a_policy_that_was_there_keeps_its_statements_and_ours_come_and_go() {
        let cidrs = json!({"AllowedCidrs": ["192.0.2.0/24"]});
        let callers = json!({"AllowedPrincipals": ["111122223333"], "OrganizationId": "o-a1b2c3d4e5"});
        let theirs = json!({"Version": "2012-10-17", "Statement": {"Sid": "Theirs", "Effect": "Allow"}});
        let (anonymous, deny) = ("Allow ForegateAnonymous", "Deny ForegateAllowedCidrs");
        let allows = ["Allow ForegateAllowedPrincipals", "Allow ForegateOrganization"];
        for (fields, there, expected) in [
            (json!({}), None, &[][..]),
            (json!({}), Some(&theirs), &["Allow Theirs"]),
            (cidrs.clone(), None, &[anonymous, deny]),
            (cidrs.clone(), Some(&theirs), &["Allow Theirs", deny]),
            (callers.clone(), None, &[anonymous, allows[0], allows[1]]),
            (callers.clone(), Some(&theirs), &["Allow Theirs", allows[0], allows[1]]),
        ] {
            let policy = policy(&door(fields.clone()), there);
            assert_eq!(said(policy.clone()), expected, "{fields} over {there:?}");
            // A second time the same, though ours are there by now; and without our settings what was there before.
            assert_eq!(super::policy(&door(fields), policy.as_ref()), policy);
            assert_eq!(said(super::policy(&door(json!({})), policy.as_ref())), said(there.cloned()));
        }
        assert_eq!(policy(&door(json!({})), Some(&theirs)), Some(theirs), "untouched, to the letter");
        let ours = policy(&door(cidrs), None);
        assert_eq!(said(policy(&door(json!({"Mode": "Merge"})), ours.as_ref())), [anonymous]);
    }
}
