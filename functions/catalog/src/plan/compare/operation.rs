//! A method and what it was: in come both sides, out come whether a client meets a difference and the reasons why it may
//! break. Who is let in, parameters, request body and answers are looked at in this order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::schema::{Walk, Way};
use super::variable;
use crate::record::Auth;
use shared::openapi::{self, Operation, entries, items, resolve, text};

/// A method in the document that it stands in.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What references lead into.
    pub document: &'a Value,
    /// The method.
    pub operation: Operation<'a>,
}

/// What a client meets.
#[derive(Debug, Default)]
pub struct Difference {
    /// Whether anything is different.
    pub differs: bool,
    /// Why a client may break, without the method's name.
    // Invariant: not empty only if `differs`.
    pub reasons: BTreeSet<String>,
}

impl Difference {
    /// Something is different if `differs`.
    pub fn note_if(&mut self, differs: bool) {
        self.differs |= differs;
    }

    /// Something is different if `breaks`, and breaks clients.
    pub fn break_if(&mut self, breaks: bool, reason: impl FnOnce() -> String) {
        if breaks {
            self.differs = true;
            self.reasons.insert(reason());
        }
    }
}

/// What a client of `old` meets in `new`.
pub fn compare(old: Side<'_>, new: Side<'_>) -> Difference {
    let mut found = Difference::default();
    access(old, new, &mut found);
    parameters(old, new, &mut found);
    body(old, new, &mut found);
    answers(old, new, &mut found);
    found
}

impl<'a> Side<'a> {
    /// The operation of the document.
    pub fn of(document: &'a Value, operation: Operation<'a>) -> Self {
        Self { document, operation }
    }

    /// What stands under a key of the operation.
    fn part(&self, key: &str) -> Option<&'a Value> {
        self.operation.says.get(key).map(|part| resolve(self.document, part))
    }
}

fn access(old: Side<'_>, new: Side<'_>, found: &mut Difference) {
    let (was, is) = (openapi::access(old.document, old.operation), openapi::access(new.document, new.operation));
    found.note_if(was != is);
    found.break_if(is.api_key && !was.api_key, || "now asks for an API key".into());
    let asked = match is.auth {
        Auth::None => return,
        Auth::Iam => "AWS_IAM",
        Auth::Authorizer => "what an authorizer lets in",
    };
    found.break_if(was.auth != is.auth, || format!("now asks for {asked}"));
    found.break_if(was.auth == is.auth && was.tokens != is.tokens, || {
        "its authorizer asks for another token now".into()
    });
}

/// Where a parameter stands and what it is called there, as far as clients can tell: of a path's variable that is how many
/// come before it, and headers are the same in capitals.
type Place = (String, String);

fn parameters(old: Side<'_>, new: Side<'_>, found: &mut Difference) {
    let (before, now) = (parameters_of(old), parameters_of(new));
    let places: BTreeSet<&Place> = before.keys().chain(now.keys()).collect();
    for place in places {
        parameter((old, before.get(place).copied()), (new, now.get(place).copied()), found);
    }
}

fn parameter(old: (Side<'_>, Option<&Value>), new: (Side<'_>, Option<&Value>), found: &mut Difference) {
    let Some(either) = new.1.or(old.1) else { return };
    let (kind, name) = (text(either, "in").unwrap_or_default(), text(either, "name").unwrap_or_default());
    let (subject, is_variable) = match kind {
        "path" => (format!("the path's variable '{name}'"), true),
        _ => (format!("the {kind} parameter '{name}'"), false),
    };
    if !is_variable {
        let (was, is) = (old.1.is_some_and(is_required), new.1.is_some_and(is_required));
        found.note_if(was != is || old.1.is_some() != new.1.is_some());
        found.break_if(is && !was, || format!("{subject} is required now"));
    }
    // A variable that one side does not describe is there all the same: it stands in the path.
    if let (Some(was), Some(is)) = (old.1, new.1) {
        Walk::new(old.0, new.0, Way::Asked, &subject, found).schemas(schema_of(was), schema_of(is));
    }
}

fn parameters_of(side: Side<'_>) -> BTreeMap<Place, &Value> {
    let variables: Vec<&str> = side.operation.path.split('/').filter_map(variable).map(nameable).collect();
    // The method's own come after what the path's methods share, and take their place.
    let all = items(side.operation.item.get("parameters")).chain(items(side.operation.says.get("parameters")));
    all.map(|parameter| resolve(side.document, parameter))
        .filter_map(|parameter| Some((place(parameter, &variables)?, parameter)))
        .collect()
}

fn place(parameter: &Value, variables: &[&str]) -> Option<Place> {
    let (kind, name) = (text(parameter, "in")?, text(parameter, "name")?);
    let name = match kind {
        "path" => variables.iter().position(|variable| *variable == nameable(name))?.to_string(),
        "header" => name.to_ascii_lowercase(),
        _ => name.to_owned(),
    };
    Some((kind.to_owned(), name))
}

/// Exports call a greedy variable `proxy` in parameters and `proxy+` in the path.
fn nameable(variable: &str) -> &str {
    variable.trim_end_matches('+')
}

fn is_required(value: &Value) -> bool {
    value.get("required").and_then(Value::as_bool).unwrap_or(false)
}

fn schema_of(value: &Value) -> &Value {
    value.get("schema").unwrap_or(&Value::Null)
}

fn body(old: Side<'_>, new: Side<'_>, found: &mut Difference) {
    let (was, is) = (old.part("requestBody"), new.part("requestBody"));
    let (was_required, is_required) = (was.is_some_and(is_required), is.is_some_and(is_required));
    found.note_if(was.is_some() != is.is_some() || was_required != is_required);
    found.break_if(is_required && !was_required, || "the request body is required now".into());
    let (Some(was), Some(is)) = (was, is) else { return };
    let (was, is) = (content(was), content(is));
    found.note_if(!was.keys().eq(is.keys()));
    // A request with a content type that has no model is not checked: a model that came or went asks nothing of clients
    // that sent another type, and so only those types are compared that both sides have.
    for (media, was) in was {
        if let Some(is) = is.get(media) {
            Walk::new(old, new, Way::Asked, "the request body", found).schemas(was, is);
        }
    }
}

fn answers(old: Side<'_>, new: Side<'_>, found: &mut Difference) {
    let (before, now) = (answers_of(old), answers_of(new));
    found.note_if(!before.keys().eq(now.keys()));
    for (status, was) in before {
        match now.get(status) {
            Some(is) => answer((old, was), (new, is), &format!("the answer {status}"), found),
            // No client waits for an error.
            None => found.break_if(!status.starts_with(['4', '5']), || format!("does not answer {status} any more")),
        }
    }
}

fn answer(old: (Side<'_>, &Value), new: (Side<'_>, &Value), subject: &str, found: &mut Difference) {
    found.note_if(headers(old.1) != headers(new.1));
    let (was, is) = (content(old.1), content(new.1));
    found.note_if(!was.keys().eq(is.keys()));
    for (media, was) in was {
        // An answer that is described no more promises nothing of what it promised.
        let is = is.get(media).copied().unwrap_or(&Value::Null);
        Walk::new(old.0, new.0, Way::Answered, subject, found).schemas(was, is);
    }
}

fn answers_of(side: Side<'_>) -> BTreeMap<&str, &Value> {
    let answers = entries(side.operation.says.get("responses"));
    answers.map(|(status, answer)| (status, resolve(side.document, answer))).collect()
}

fn headers(answer: &Value) -> BTreeSet<String> {
    entries(answer.get("headers")).map(|(name, _)| name.to_ascii_lowercase()).collect()
}

/// The schemas of a body or an answer, by content type.
fn content(value: &Value) -> BTreeMap<&str, &Value> {
    entries(value.get("content")).map(|(media, says)| (media, schema_of(says))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::*;

    const SCHEMES: &str = r#"{
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
        "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
        "users": {"type": "apiKey", "name": "Authorization", "in": "header",
            "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn:users"]}},
        "staff": {"type": "apiKey", "name": "Authorization", "in": "header",
            "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn:staff"]}}
    }"#;

    fn document(path: &str, operation: &Value) -> Value {
        let schemes: Value = serde_json::from_str(SCHEMES).unwrap();
        json!({"paths": {path: {"get": operation}}, "components": {"securitySchemes": schemes}})
    }

    /// Holds a table of (old operation, new operation, what is printed, without the name that every line has).
    fn check(cases: &[(Value, Value, &str)]) {
        for (old, new, expected) in cases {
            let change = compare(&document("/a", old), &document("/a", new));
            assert_eq!(
                change.to_string().replace(" GET /a: ", " ").replace(" GET /a", ""),
                *expected,
                "{old} to {new}"
            );
        }
    }

    fn security(schemes: &[&str]) -> Value {
        json!({"security": schemes.iter().map(|name| json!({*name: []})).collect::<Vec<Value>>()})
    }

    #[test]
    fn who_is_let_in_breaks_those_who_are_let_in_no_more() {
        let scoped = |scopes: Value| json!({"security": [{"users": scopes}]});
        check(&[
            (security(&[]), security(&["api_key"]), "~\n! now asks for an API key"),
            (security(&["api_key"]), security(&[]), "~"),
            (security(&[]), security(&["sigv4"]), "~\n! now asks for AWS_IAM"),
            (security(&["sigv4"]), security(&[]), "~"),
            (security(&[]), security(&["users"]), "~\n! now asks for what an authorizer lets in"),
            (security(&["sigv4"]), security(&["users"]), "~\n! now asks for what an authorizer lets in"),
            (security(&["users"]), security(&["sigv4"]), "~\n! now asks for AWS_IAM"),
            (security(&["users"]), security(&["staff"]), "~\n! its authorizer asks for another token now"),
            (security(&["users"]), security(&["users"]), ""),
            (security(&["sigv4", "api_key"]), json!({"security": [{"sigv4": [], "api_key": []}]}), ""),
            (scoped(json!(["cats/read"])), scoped(json!(["cats/read", "cats/write"])), "~"),
        ]);
    }

    fn parameter(kind: &str, name: &str, required: bool, schema: Value) -> Value {
        json!({"parameters": [{"name": name, "in": kind, "required": required, "schema": schema}]})
    }

    #[test]
    fn a_parameter_breaks_clients_by_what_it_asks_for() {
        let limit = |required, kind: &str| parameter("query", "limit", required, json!({"type": kind}));
        let sort = |values: Value| parameter("query", "sort", false, json!({"type": "string", "enum": values}));
        let tenant = |name: &str| parameter("header", name, true, json!({"type": "string"}));
        check(&[
            (json!({}), limit(false, "string"), "~"),
            (json!({}), limit(true, "string"), "~\n! the query parameter 'limit' is required now"),
            (limit(false, "string"), limit(true, "string"), "~\n! the query parameter 'limit' is required now"),
            (limit(true, "string"), limit(false, "string"), "~"),
            (limit(true, "string"), json!({}), "~"),
            (
                limit(false, "string"),
                limit(false, "integer"),
                "~\n! the query parameter 'limit' is of type integer now, was string",
            ),
            (limit(false, "integer"), limit(false, "number"), "~"),
            (sort(json!(["a", "b"])), sort(json!(["b", "a"])), ""),
            (sort(json!(["a"])), sort(json!(["b", "a"])), "~"),
            (
                sort(json!(["a", "b"])),
                sort(json!(["a"])),
                "~\n! the query parameter 'sort' does not take \"b\" any more",
            ),
            (tenant("X-Tenant"), tenant("x-tenant"), ""),
        ]);
    }

    #[test]
    fn a_variable_is_known_by_where_it_stands() {
        let typed = |name: &str, kind: &str| parameter("path", name, true, json!({"type": kind}));
        let changed = "~ GET /a/{key}\n! GET /a/{key}: the path's variable 'key' is of type integer now, was string";
        let cases = [
            (("/a/{id}", typed("id", "string")), ("/a/{key}", typed("key", "string")), ""),
            (("/a/{id}", typed("id", "string")), ("/a/{key}", typed("key", "integer")), changed),
            (("/a/{id}", json!({})), ("/a/{key}", typed("key", "string")), ""),
            (("/a/{id}", typed("id", "string")), ("/a/{id}", json!({})), ""),
            (("/a/{proxy+}", typed("proxy", "string")), ("/a/{rest+}", typed("rest+", "string")), ""),
        ];
        for ((old_path, old), (new_path, new), expected) in cases {
            let change = compare(&document(old_path, &old), &document(new_path, &new));
            assert_eq!(change.to_string(), expected, "{old_path} {old} to {new_path} {new}");
        }
    }

    #[test]
    fn what_a_path_says_for_all_of_its_methods_is_said_of_each() {
        let limit = parameter("query", "limit", true, json!({"type": "string"}));
        let (own, mut shared) = (document("/a", &limit), document("/a", &json!({})));
        shared["paths"]["/a"]["parameters"] = limit["parameters"].clone();
        assert_eq!(compare(&own, &shared).to_string(), "");
    }

    fn body(required: bool, content: Value) -> Value {
        json!({"requestBody": {"required": required, "content": content}})
    }

    #[test]
    fn a_request_body_breaks_clients_that_send_none_or_another() {
        let asks = |names: Value| json!({"application/json": {"schema": {"type": "object", "required": names}}});
        let xml = json!({"application/xml": {"schema": {"type": "object", "required": ["name"]}}});
        check(&[
            (json!({}), body(true, asks(json!(["name"]))), "~\n! the request body is required now"),
            (json!({}), body(false, asks(json!(["name"]))), "~"),
            (body(true, asks(json!([]))), json!({}), "~"),
            (body(false, asks(json!([]))), body(true, asks(json!([]))), "~\n! the request body is required now"),
            (
                body(true, asks(json!([]))),
                body(true, asks(json!(["name"]))),
                "~\n! 'name' is required in the request body now",
            ),
            (body(true, asks(json!(["name"]))), body(true, asks(json!([]))), "~"),
            (body(true, asks(json!([]))), body(true, xml), "~"),
        ]);
    }

    #[test]
    fn an_answer_breaks_clients_when_it_says_less() {
        let answers = |answers: Value| json!({"responses": answers});
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}}});
        let json = json!({"description": "200 response", "content": {"application/json": {"schema": schema}}});
        let empty =
            json!({"description": "200 response", "content": {"application/json": {"schema": {"type": "object"}}}});
        let none = json!({"description": "200 response", "content": {}});
        let headers = json!({"description": "200 response", "content": {}, "headers": {"ETag": {}}});
        check(&[
            (answers(json!({"200": none})), answers(json!({"200": none, "404": none})), "~"),
            (answers(json!({"200": none, "404": none})), answers(json!({"200": none})), "~"),
            (answers(json!({"200": none})), answers(json!({"202": none})), "~\n! does not answer 200 any more"),
            (answers(json!({"200": json})), answers(json!({"200": none})), "~\n! 'id' is gone from the answer 200"),
            (answers(json!({"200": none})), answers(json!({"200": json})), "~"),
            (answers(json!({"200": empty})), answers(json!({"200": none})), "~"),
            (answers(json!({"200": headers})), answers(json!({"200": none})), "~"),
        ]);
    }
}
