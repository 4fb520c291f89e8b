//! OpenAPI of the platform team's own, checked as far as API Gateway's importer would mind it: what it refuses would stop every
//! team's publication, so its author hears of it at once.
//!
//! Refused is what loses or opens something: an operation without an integration (nothing is deployed any more), without
//! `security` or with a scheme that is nowhere defined (both are open once imported), with a method response that has no number
//! ("API Gateway does not support Swagger's 'default' method response", and drops it), and what the importer ignores where it
//! stands. Words of schemas that it warns about and leaves out (`example`, `nullable`, `discriminator`, …) change nothing of who
//! may call what, and pass.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Method;
use crate::error::Error;

/// The definition stands in an item of DynamoDB's, which has 400 KB, beside the rest.
const BYTES_MAX: usize = 300 << 10;
const INTEGRATION: &str = "x-amazon-apigateway-integration";
/// In OpenAPI 3.0 API Gateway reads it below `servers` alone.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-endpoint-configuration.html>
const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

/// CloudFormation turns every number and flag of an object into a string, and the definition's own would no longer be
/// what OpenAPI asks for: written as one string of JSON, it arrives as it is.
pub(super) fn definition(given: Option<Value>) -> Result<Map<String, Value>, Error> {
    let given = match given {
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|e| Error::invalid(format!("BaseDefinition: the string is not JSON: {e}")))?,
        other => other.unwrap_or_else(|| Value::Object(Map::new())),
    };
    let bytes = given.to_string().len();
    if bytes > BYTES_MAX {
        return Err(Error::invalid(format!("BaseDefinition: {bytes} bytes are more than {BYTES_MAX}")));
    }
    let Value::Object(fields) = given else {
        return Err(Error::invalid("BaseDefinition: it is neither an object nor a string of JSON"));
    };
    for key in fields.keys() {
        if key == "servers" || key == ENDPOINT {
            return Err(Error::invalid(format!(
                "BaseDefinition: '{key}' is not for here: set disableExecuteApiEndpoint, VPC endpoints and the address type on \
                 the REST API itself, and every publication keeps them"
            )));
        }
        if !matches!(key.as_str(), "paths" | "components" | "info" | "tags") && !key.starts_with("x-") {
            return Err(Error::invalid(format!(
                "BaseDefinition: '{key}' is not paths, components, info, tags or an extension (x-…)"
            )));
        }
    }
    Ok(fields)
}

/// Checks every operation. Security may name `schemes` and those that the definition has itself.
pub(super) fn check_operations(definition: &Map<String, Value>, schemes: &BTreeSet<String>) -> Result<(), Error> {
    let own = definition.get("components").and_then(|components| components["securitySchemes"].as_object());
    let is_known = |name: &str| schemes.contains(name) || own.is_some_and(|own| own.contains_key(name));
    for (path, item) in definition.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (key, operation) in item.as_object().into_iter().flatten() {
            let Some(method) = Method::of_key(key) else {
                check_other(path, key)?;
                continue;
            };
            check_operation(operation, is_known)
                .map_err(|what| Error::invalid(format!("BaseDefinition.paths: {} {path} {what}", method.as_str())))?;
        }
    }
    Ok(())
}

fn check_other(path: &str, key: &str) -> Result<(), Error> {
    if matches!(key, "parameters" | "summary" | "description") || key.starts_with("x-") {
        return Ok(());
    }
    Err(Error::invalid(format!("BaseDefinition.paths: {path} has '{key}', which API Gateway does not import")))
}

fn check_operation(operation: &Value, is_known: impl Fn(&str) -> bool) -> Result<(), String> {
    if !operation[INTEGRATION].is_object() {
        return Err(format!("has no {INTEGRATION}: API Gateway deploys no API that has such a method"));
    }
    let Some(security) = operation["security"].as_array() else {
        return Err("has no security: write [] if everybody may call it; openness is a decision, not a default".into());
    };
    let mut names = security.iter().flat_map(|one| one.as_object().into_iter().flatten().map(|(name, _)| name));
    if let Some(name) = names.find(|name| !is_known(name)) {
        return Err(format!(
            "names the security scheme {name}, which nothing defines: it is aws_iam, api_key, authorizer-NAME or one of \
             components.securitySchemes"
        ));
    }
    let codes = operation["responses"].as_object().into_iter().flatten().map(|(code, _)| code);
    match codes.into_iter().find(|code| code.parse::<u16>().is_err()) {
        None => Ok(()),
        Some(code) => Err(format!("has the response '{code}': API Gateway takes numbers, such as 200")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(path: &str, item: Value) -> Result<(), Error> {
        let schemes = BTreeSet::from(["aws_iam".to_owned()]);
        let scheme = json!({"type": "apiKey", "name": "x", "in": "header"});
        let given = json!({"paths": {path: item}, "components": {"securitySchemes": {"own": scheme}}});
        check_operations(&definition(Some(given))?, &schemes)
    }

    #[test]
    fn an_operation_that_would_stop_or_open_the_front_door_is_refused_with_its_name() {
        let mock = json!({"type": "mock"});
        let with = |field: &str, value: Value| {
            let mut operation = json!({"security": [], "responses": {"200": {"description": ""}}, INTEGRATION: mock});
            operation[field] = value;
            json!({"get": operation})
        };
        for (item, why) in [
            (with("summary", json!("fine")), ""),
            (with("security", json!([{"aws_iam": []}, {"own": []}])), ""),
            (with(INTEGRATION, json!(null)), "GET /status has no x-amazon-apigateway-integration"),
            (with("security", json!(null)), "GET /status has no security"),
            (with("security", json!([{"iam": []}])), "names the security scheme iam"),
            (with("responses", json!({"default": {"description": ""}})), "has the response 'default'"),
            (json!({"trace": {}}), "/status has 'trace'"),
            (json!({"$ref": "#/x"}), "/status has '$ref'"),
        ] {
            match check("/status", item) {
                Ok(()) => assert_eq!(why, ""),
                Err(error) => assert!(!why.is_empty() && error.message.contains(why), "{why}: {error}"),
            }
        }
    }

    #[test]
    fn the_endpoints_settings_are_the_rest_apis_own() {
        for key in ["servers", ENDPOINT] {
            let error = definition(Some(json!({key: {}}))).unwrap_err().message;
            assert!(error.contains("on the REST API itself"), "{error}");
        }
    }
}
