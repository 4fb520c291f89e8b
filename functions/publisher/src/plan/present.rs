//! What the REST API has now, beside what is to be published: whose it is, what of ours is to go, and what somebody has
//! changed by hand. `Mode: Merge` rests on it; in `Mode: Overwrite` it only tells of edits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::front_door::{Method, Methods, Owned, RoutePath, RouteSpec, VariableNames, claims};
use shared::rest_api::{ApiSummary, MethodSnapshot};

/// The REST API's resources, by path.
pub type Present = BTreeMap<String, Resource>;

/// A resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its id.
    pub id: String,
    /// Its methods, by name.
    pub methods: BTreeMap<String, Shown>,
}

/// What of a method users would notice if it were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// `NONE`, `AWS_IAM`, …
    pub authorization: String,
    /// Whether an API key is asked for.
    pub api_key_required: bool,
    /// The authorizer's name, where API Gateway tells.
    pub authorizer: Option<String>,
    /// The scopes that a user pool's authorizer asks for.
    pub scopes: BTreeSet<String>,
    /// `HTTP_PROXY`, `MOCK`, …
    pub integration_type: Option<String>,
    /// Where requests go.
    pub uri: Option<String>,
    /// The VPC link that they take, or the stage variable that has its id.
    pub connection_id: Option<String>,
}

/// What of the REST API is not Foregate's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Paths and their methods.
    pub paths: Vec<(RoutePath, Methods)>,
    /// `GET /cats/{id}`, and `/cats` for a resource, as they are called there.
    pub names: BTreeSet<String>,
    /// What its variables are called: ours have to be called the same.
    pub variables: VariableNames,
    /// How many resources it takes, besides the root.
    pub resources: usize,
}

impl Foreign {
    /// All that is not in `owned`.
    pub fn of(present: &Present, owned: &Owned) -> Self {
        let mut foreign = Self::default();
        for (path, resource) in present {
            let methods: Vec<&String> =
                resource.methods.keys().filter(|method| !owned.contains(&format!("{method} {path}"))).collect();
            foreign.names.extend(methods.iter().map(|method| format!("{method} {path}")));
            let is_own = owned.contains(path);
            if !is_own && path != "/" {
                foreign.names.insert(path.clone());
                foreign.resources += 1;
            }
            // What our own grammar doesn't know (`/ping`) no route can be in the way of.
            let Ok(parsed) = path.parse::<RoutePath>() else { continue };
            if !is_own || !methods.is_empty() {
                parsed.note_variables(&mut foreign.variables);
            }
            let names: Vec<&str> = if methods.iter().any(|one| *one == Method::Any.as_str()) {
                vec![Method::Any.as_str()]
            } else {
                methods.iter().map(|one| one.as_str()).collect()
            };
            if let Ok(methods) = serde_json::from_value(serde_json::json!(names)) {
                foreign.paths.push((parsed, methods));
            }
        }
        foreign
    }

    /// What keeps the route off the REST API, if anything does.
    pub fn in_the_way_of(&self, spec: &RouteSpec) -> Option<&(RoutePath, Methods)> {
        self.paths.iter().find(|(path, methods)| claims::is_platforms(path, methods, spec))
    }

    /// The methods, as `GET /cats/{id}`.
    pub fn methods(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| !name.starts_with('/'))
    }
}

/// All that a document makes of a REST API: `GET /cats/{p2}` for each method, `/cats` for each resource.
pub fn names(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let ends = path.match_indices('/').skip(1).map(|(index, _)| index).chain([path.len()]);
        names.extend(ends.map(|end| path[..end].to_owned()).filter(|name| name != "/"));
        let methods = item.as_object().into_iter().flatten().filter_map(|(key, _)| Method::of_key(key));
        names.extend(methods.map(|method| format!("{} {path}", method.as_str())));
    }
    names
}

/// A step towards a REST API without what is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// A resource, with all that is below it.
    Resource {
        /// Its id.
        id: String,
        /// Its path.
        path: String,
    },
    /// A method.
    Method {
        /// The resource's id.
        id: String,
        /// Its path.
        path: String,
        /// The method.
        method: String,
    },
}

/// What of ours is there and not wanted, with as few steps as that takes. What is not ours stays, and so does what it is
/// below.
pub fn removals(present: &Present, owned: &Owned, wanted: &BTreeSet<String>) -> Vec<Removal> {
    let goes = |name: &String| owned.contains(name) && !wanted.contains(name);
    let methods_go =
        |path: &String, resource: &Resource| resource.methods.keys().all(|method| goes(&format!("{method} {path}")));
    let is_below = |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    let mut removals: Vec<Removal> = Vec::new();
    let mut tops: Vec<&String> = Vec::new();
    // Parents come before their children.
    for (path, resource) in present {
        if tops.iter().any(|top| is_below(path, top)) {
            continue;
        }
        let whole = || present.iter().filter(|(other, _)| *other == path || is_below(other, path));
        if path != "/" && whole().all(|(path, resource)| goes(path) && methods_go(path, resource)) {
            removals.push(Removal::Resource { id: resource.id.clone(), path: path.clone() });
            tops.push(path);
            continue;
        }
        let methods = resource.methods.keys().filter(|method| goes(&format!("{method} {path}")));
        removals.extend(methods.map(|method| Removal::Method {
            id: resource.id.clone(),
            path: path.clone(),
            method: method.clone(),
        }));
    }
    removals
}

/// How the REST API differs from the document in who may call which method and where requests go, a line each: what an import
/// has made of it, or what somebody has changed by hand. What is foreign is nobody's to miss.
pub fn drift(document: &Value, present: &Present, foreign: &BTreeSet<String>) -> Vec<String> {
    let wanted = names(document);
    let has = |name: &String| !name.starts_with('/');
    let there: BTreeSet<String> = present
        .iter()
        .flat_map(|(path, resource)| resource.methods.keys().map(move |method| format!("{method} {path}")))
        .filter(|name| !foreign.contains(name))
        .collect();
    let mut lines: Vec<String> = wanted
        .iter()
        .filter(|name| has(name))
        .filter(|name| !there.contains(*name))
        .map(|name| format!("- {name}"))
        .collect();
    lines.extend(there.iter().filter(|name| !wanted.contains(*name)).map(|name| format!("+ {name}")));
    for name in there.intersection(&wanted) {
        let Some((method, path)) = name.split_once(' ') else { continue };
        let shown = &present[path].methods[method];
        if let Some(expected) = expected(document, path, method).filter(|expected| !is_as(shown, expected)) {
            lines.push(format!("~ {name} is {}, and was published as {}", describe(shown), describe(&expected)));
        }
    }
    lines
}

/// How a deployment differs from the document, and from what is foreign, in who may call which method.
pub fn summary_differences(document: &Value, foreign: &Foreign, summary: &ApiSummary) -> Vec<String> {
    let there: BTreeMap<String, &MethodSnapshot> = summary
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |(method, one)| (format!("{method} {path}"), one)))
        .collect();
    let own: BTreeSet<String> = names(document).into_iter().filter(|name| !name.starts_with('/')).collect();
    let wanted: BTreeSet<&String> = own.iter().chain(foreign.methods()).collect();
    let missing = wanted.iter().filter(|name| !there.contains_key(**name)).map(|name| format!("- {name}"));
    let added = there.keys().filter(|name| !wanted.contains(name)).map(|name| format!("+ {name}"));
    let mut lines: Vec<String> = missing.chain(added).collect();
    for (name, shown) in there.iter().filter(|(name, _)| own.contains(*name)) {
        let Some((method, path)) = name.split_once(' ') else { continue };
        let Some(expected) = expected(document, path, method) else { continue };
        let is_same = authorizes(&shown.authorization, &expected.authorization)
            && shown.api_key_required == expected.api_key_required;
        if !is_same {
            let (is, was) = (key(shown.api_key_required), key(expected.api_key_required));
            let (shown, expected) = (&shown.authorization, &expected.authorization);
            lines.push(format!("~ {name} is {shown}{is}, and was imported as {expected}{was}"));
        }
    }
    lines
}

/// What is expected of a method whose scheme API Gateway may understand in more than one way: anybody is not let in.
const GUARDED: &str = "guarded";

fn authorizes(shown: &str, expected: &str) -> bool {
    shown == expected || expected == GUARDED && shown != "NONE"
}

fn is_as(shown: &Shown, expected: &Shown) -> bool {
    let Shown { authorization, api_key_required, authorizer, scopes, integration_type, uri, connection_id } = expected;
    authorizes(&shown.authorization, authorization)
        && shown.api_key_required == *api_key_required
        // The name is not told of every authorizer.
        && (shown.authorizer.is_none() || authorizer.is_none() || shown.authorizer == *authorizer)
        && (authorization != "COGNITO_USER_POOLS" || shown.scopes == *scopes)
        && shown.integration_type == *integration_type
        && shown.uri == *uri
        && shown.connection_id == *connection_id
}

/// What API Gateway shows of a method that was imported as the document has it.
fn expected(document: &Value, path: &str, method: &str) -> Option<Shown> {
    let item = document["paths"][path].as_object()?;
    let (_, operation) = item.iter().find(|(key, _)| Method::of_key(key).is_some_and(|one| one.as_str() == method))?;
    let integration = &operation["x-amazon-apigateway-integration"];
    let text = |field: &str| integration[field].as_str().map(str::to_owned);
    let mut expected = Shown {
        authorization: "NONE".to_owned(),
        integration_type: text("type").map(|one| one.to_ascii_uppercase()),
        uri: text("uri"),
        connection_id: text("connectionId"),
        ..Shown::default()
    };
    let entries = operation["security"].as_array().into_iter().flatten();
    for (name, scopes) in entries.flat_map(|entry| entry.as_object().into_iter().flatten()) {
        let scheme = &document["components"]["securitySchemes"][name.as_str()];
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        let authorization = match scheme["x-amazon-apigateway-authtype"].as_str().or(authorizer["type"].as_str()) {
            Some("awsSigv4") => "AWS_IAM",
            Some("cognito_user_pools") => "COGNITO_USER_POOLS",
            Some(_) if authorizer.is_object() => "CUSTOM",
            None if scheme["type"] == "apiKey" && scheme["name"] == "x-api-key" => {
                expected.api_key_required = true;
                continue;
            }
            _ => GUARDED,
        };
        expected.authorization = authorization.to_owned();
        expected.authorizer = authorizer.is_object().then(|| name.clone());
        expected.scopes =
            scopes.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    Some(expected)
}

fn key(api_key_required: bool) -> &'static str {
    if api_key_required { " with API key" } else { "" }
}

fn describe(shown: &Shown) -> String {
    let Shown { authorization, api_key_required, authorizer, scopes, integration_type, uri, connection_id } = shown;
    let mut text = format!("{authorization}{}", key(*api_key_required));
    if let Some(name) = authorizer {
        text.push_str(&format!(" by {name}"));
    }
    if !scopes.is_empty() {
        text.push_str(&format!(" for {scopes:?}"));
    }
    let kind = integration_type.as_deref().filter(|kind| *kind != "HTTP_PROXY");
    let to = uri.as_deref().or(kind).unwrap_or("-");
    text.push_str(&format!(" to {to} through {}", connection_id.as_deref().unwrap_or("-")));
    text
}
