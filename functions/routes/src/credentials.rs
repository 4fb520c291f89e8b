//! Roles that API Gateway is to take on for a front door: who writes one into an import needs `iam:PassRole` for it, which the
//! publisher has for the roles of the template's parameter `PassableRoleArns` alone. Without it AWS refuses the whole import.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html>

use serde_json::Value;
use shared::error::Error;
use shared::front_door::FrontDoorSpec;

/// The fields that name such a role: of an authorizer, and of an integration.
const FIELDS: [&str; 2] = ["authorizerCredentials", "credentials"];
/// An integration that is called as the client: no role is passed.
const CALLERS_OWN: &str = "arn:aws:iam::*:user/*";

/// Refuses a role that the publisher may not pass.
pub fn check(spec: &FrontDoorSpec, passable: &[String]) -> Result<(), Error> {
    let mut found = Vec::new();
    for (name, authorizer) in &spec.authorizers {
        find(authorizer, &format!("Authorizers.{name}"), &mut found);
    }
    for (field, value) in &spec.base_definition {
        find(value, &format!("BaseDefinition.{field}"), &mut found);
    }
    let refused = found.into_iter().find(|(_, role)| !passable.iter().any(|pattern| fits(pattern, role)));
    refused.map_or(Ok(()), |(field, role)| {
        Err(Error::invalid(format!(
            "{field}: Foregate may not pass the role {role} to API Gateway: name it in the parameter PassableRoleArns of \
             Foregate's stack, or leave the field out and let the resource's own policy admit API Gateway"
        )))
    })
}

/// Every role below `value`, with its place.
fn find<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let place = format!("{place}.{key}");
                match value.as_str() {
                    Some(role) if FIELDS.contains(&key.as_str()) && role != CALLERS_OWN => found.push((place, role)),
                    _ => find(value, &place, found),
                }
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, one)| find(one, &format!("{place}[{n}]"), found))
        }
        _ => {}
    }
}

/// Whether the role is the pattern's: `*` stands for any characters, as in a policy.
fn fits(pattern: &str, role: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == role,
        Some((start, rest)) => role.strip_prefix(start).is_some_and(|end| {
            let ends = end.char_indices().map(|(at, _)| &end[at..]).chain([""]);
            ends.into_iter().any(|end| fits(rest, end))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn door(field: &str, value: Value) -> FrontDoorSpec {
        let mut spec = json!({"RestApiId": "a1b2c3d4e5", "StageName": "live"});
        spec[field] = value;
        FrontDoorSpec::parse(spec).unwrap()
    }

    #[test]
    fn a_role_that_may_not_be_passed_is_refused_with_its_field_and_the_parameter() {
        let role = "arn:aws:iam::444455556666:role/invoke-authorizer";
        let authorizer =
            json!({"gate": {"type": "token", "authorizerUri": "arn:x/invocations", "authorizerCredentials": role}});
        let with = |role: &str| {
            let get = json!({"security": [], "x-amazon-apigateway-integration": {"credentials": role}});
            json!({"paths": {"/a": {"get": get}}})
        };
        let (integration, own) = (with(role), with(CALLERS_OWN));
        for (door, passable, refused) in [
            (door("Authorizers", authorizer.clone()), "", Some("Authorizers.gate.authorizerCredentials: ")),
            (door("Authorizers", authorizer.clone()), role, None),
            (door("Authorizers", authorizer.clone()), "arn:aws:iam::444455556666:role/invoke-*", None),
            (door("Authorizers", authorizer), "arn:aws:iam::444455556666:role/other-*", Some("Authorizers.gate")),
            (
                door("BaseDefinition", integration),
                "",
                Some("BaseDefinition.paths./a.get.x-amazon-apigateway-integration.credentials: "),
            ),
            (door("BaseDefinition", own), "", None),
        ] {
            let answer = check(&door, &[passable.to_owned()]);
            match refused {
                None => assert_eq!(answer, Ok(()), "{passable}"),
                Some(field) => {
                    let error = answer.unwrap_err();
                    assert!(error.message.starts_with(field) && error.message.contains("PassableRoleArns"), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, role, expected) in [
            ("*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("", "", true),
            ("a*", "a", true),
            ("b*", "a", false),
        ] {
            assert_eq!(fits(pattern, role), expected, "{pattern} {role}");
        }
    }
}
