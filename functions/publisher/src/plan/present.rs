//! What the REST API has now, beside what is to be published: whose it is, what of ours is to go, and what somebody has
//! changed by hand. `Mode: Merge` rests on it; in `Mode: Overwrite` it only tells of edits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::front_door::{Method, Methods, RoutePath, RouteSpec, VariableNames, claims};

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
    /// Where requests go.
    pub uri: Option<String>,
    /// The VPC link that they take.
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
    pub fn of(present: &Present, owned: &BTreeSet<String>) -> Self {
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
pub fn removals(present: &Present, owned: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Vec<Removal> {
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

/// What somebody has changed by hand against what was published, a line each. What is foreign is nobody's to miss.
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
        if let Some(expected) = expected(document, path, method).filter(|expected| expected != shown) {
            lines.push(format!("~ {name} is {}, and was published as {}", describe(shown), describe(&expected)));
        }
    }
    lines
}

/// What API Gateway shows of a method of ours; of the platform team's own it depends on more than we know.
fn expected(document: &Value, path: &str, method: &str) -> Option<Shown> {
    let item = document["paths"][path].as_object()?;
    let (_, operation) = item.iter().find(|(key, _)| Method::of_key(key).is_some_and(|one| one.as_str() == method))?;
    let integration = &operation["x-amazon-apigateway-integration"];
    if integration["connectionType"] != "VPC_LINK" || integration["type"] != "http_proxy" {
        return None;
    }
    let schemes = operation["security"][0].as_object().into_iter().flatten();
    let mut types = schemes.filter_map(|(name, _)| {
        let scheme = &document["components"]["securitySchemes"][name.as_str()];
        match scheme["x-amazon-apigateway-authtype"].as_str()? {
            "awsSigv4" => Some("AWS_IAM"),
            "cognito_user_pools" => Some("COGNITO_USER_POOLS"),
            _ => Some("CUSTOM"),
        }
    });
    let text = |field: &str| integration[field].as_str().map(str::to_owned);
    Some(Shown {
        authorization: types.next_back().unwrap_or("NONE").to_owned(),
        api_key_required: operation["security"][0].get(super::render::API_KEY).is_some(),
        uri: text("uri"),
        connection_id: text("connectionId"),
    })
}

fn describe(shown: &Shown) -> String {
    let key = if shown.api_key_required { " with API key" } else { "" };
    let (uri, link) = (shown.uri.as_deref().unwrap_or("-"), shown.connection_id.as_deref().unwrap_or("-"));
    format!("{}{key} to {uri} through {link}", shown.authorization)
}
