//! What is different for clients between two exports of a stage: in come the old document and the new, out comes a
//! [`Change`] that can be printed, sent and held against a golden file.
//!
//! Clients don't see a method's integration, nor what its path's variables are called: neither makes a difference here.
//! `operation` compares a method with what it was, `schema` what goes over the wire.

mod operation;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use operation::Side;
use serde::Serialize;
use serde_json::Value;

use shared::front_door::Method as Verb;
use shared::openapi::{ANY, Operation, operations};

/// What is different. A method is `GET /cats/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The methods that came.
    pub added: Vec<String>,
    /// The methods that went.
    pub removed: Vec<String>,
    /// The methods that ask or answer something else than they did.
    pub altered: Vec<String>,
    /// Why a client that worked may work no more, a sentence each.
    // Invariant: each begins with a method that stands in `removed` or `altered`.
    pub breaks: Vec<String>,
}

impl Change {
    /// Whether clients meet the same as before.
    pub fn is_empty(&self) -> bool {
        let Self { added, removed, altered, breaks } = self;
        [added, removed, altered, breaks].into_iter().all(Vec::is_empty)
    }

    /// Whether a client that worked may work no more.
    pub fn is_breaking(&self) -> bool {
        !self.breaks.is_empty()
    }
}

/// A line each: `+` for what came, `-` for what went, `~` for what is different, `!` for what breaks clients.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, removed, altered, breaks } = self;
        let marked = [('+', added), ('-', removed), ('~', altered), ('!', breaks)];
        let lines = marked.into_iter().flat_map(|(mark, all)| all.iter().map(move |one| format!("{mark} {one}")));
        out.write_str(&lines.collect::<Vec<String>>().join("\n"))
    }
}

/// What is different in `new`.
pub fn compare(old: &Value, new: &Value) -> Change {
    let (before, now) = (by_place(old), by_place(new));
    let (none, mut change) = (Methods::new(), Change::default());
    let places: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for place in places {
        let (was, is) = (before.get(place).unwrap_or(&none), now.get(place).unwrap_or(&none));
        let methods: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        for method in methods {
            match (serving(was, method), serving(is, method)) {
                (Some(was), Some(is)) => change.keep(method, Side::of(old, was), Side::of(new, is)),
                (Some(was), None) => change.lose(method, was, is),
                (None, Some(is)) => change.added.push(format!("{method} {}", is.path)),
                (None, None) => {}
            }
        }
    }
    change
}

impl Change {
    fn keep(&mut self, method: &str, was: Side<'_>, is: Side<'_>) {
        let name = format!("{method} {}", is.operation.path);
        let difference = operation::compare(was, is);
        self.breaks.extend(difference.reasons.iter().map(|reason| format!("{name}: {reason}")));
        if difference.differs {
            self.altered.push(name);
        }
    }

    fn lose(&mut self, method: &str, was: Operation<'_>, left: &Methods<'_>) {
        let name = format!("{method} {}", was.path);
        let named: Vec<&str> = left.keys().copied().collect();
        match (method, named.len()) {
            // Whatever it answered is answered still.
            (ANY, Verb::NAMED) => {}
            (ANY, 1..) => self.breaks.push(format!("{name}: removed, only {} left", named.join(", "))),
            _ => self.breaks.push(format!("{name}: removed")),
        }
        self.removed.push(name);
    }
}

/// The methods of a path.
type Methods<'a> = BTreeMap<&'static str, Operation<'a>>;

/// The methods, by `place`.
fn by_place(document: &Value) -> BTreeMap<String, Methods<'_>> {
    let mut places = BTreeMap::<String, Methods>::new();
    for operation in operations(document) {
        places.entry(place(operation.path)).or_default().insert(operation.method, operation);
    }
    places
}

/// A path without the names of its variables: a client fills them in and never sees them. A greedy one is told from others,
/// since it takes more.
fn place(path: &str) -> String {
    let nameless = |segment| match variable(segment) {
        Some(name) if name.ends_with('+') => "{+}",
        Some(_) => "{}",
        None => segment,
    };
    path.split('/').map(nameless).collect::<Vec<&str>>().join("/")
}

/// The name of the variable that a segment of a path is, with the `+` of a greedy one.
fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// What answers a method: itself, or what answers all that are not named.
fn serving<'a>(methods: &Methods<'a>, method: &str) -> Option<Operation<'a>> {
    methods.get(method).or_else(|| methods.get(ANY)).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixture(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn pets() -> Value {
        fixture(include_str!("../../../../shared/src/openapi/pets.json"))
    }

    fn pets_next() -> Value {
        fixture(include_str!("../../../../shared/src/openapi/pets-next.json"))
    }

    /// A document of methods such as `GET /cats` that say nothing else.
    fn document(methods: &[&str]) -> Value {
        let mut document = json!({"paths": {}});
        for (method, path) in methods.iter().map(|one| one.split_once(' ').unwrap()) {
            let key = match method {
                ANY => "x-amazon-apigateway-any-method".to_owned(),
                _ => method.to_lowercase(),
            };
            document["paths"][path][key] =
                json!({"responses": {"200": {"description": "200 response", "content": {}}}});
        }
        document
    }

    #[test]
    fn nothing_is_different_from_itself() {
        for document in [pets(), pets_next(), json!({}), json!(null), json!({"paths": {"/a": {"get": 7}}})] {
            let change = compare(&document, &document);
            assert!(change.is_empty() && !change.is_breaking(), "{change}");
            assert_eq!(change.to_string(), "");
        }
    }

    #[test]
    fn what_came_and_what_went_trade_places_when_the_documents_do() {
        let pairs = [
            (pets(), pets_next()),
            (pets(), json!({})),
            (document(&["ANY /a", "GET /b/{x}"]), document(&["GET /a", "GET /b/{x+}"])),
        ];
        for (one, other) in pairs {
            let (there, back) = (compare(&one, &other), compare(&other, &one));
            assert_eq!((&there.added, &there.removed), (&back.removed, &back.added));
            assert_eq!(there.altered.len(), back.altered.len());
        }
    }

    #[test]
    fn methods_are_matched_by_what_a_client_sends() {
        let named = ["DELETE /a", "GET /a", "HEAD /a", "OPTIONS /a", "PATCH /a", "POST /a", "PUT /a"];
        let cases: [(&[&str], &[&str], &str); 14] = [
            (&["GET /a"], &["GET /a", "GET /b"], "+ GET /b"),
            (&["GET /a", "GET /b"], &["GET /a"], "- GET /b\n! GET /b: removed"),
            (&["GET /users/{id}"], &["GET /users/{userId}"], ""),
            (&["GET /a/{x}/b/{y}"], &["GET /a/{y}/b/{x}"], ""),
            (&["GET /a/{x}"], &["GET /a/x"], "+ GET /a/x\n- GET /a/{x}\n! GET /a/{x}: removed"),
            (&["GET /a/{x}"], &["GET /a/{proxy+}"], "+ GET /a/{proxy+}\n- GET /a/{x}\n! GET /a/{x}: removed"),
            (&["ANY /a/{proxy+}"], &["ANY /a/{rest+}"], ""),
            (&["GET /a"], &["ANY /a"], "+ ANY /a"),
            (&["GET /a"], &["ANY /a", "GET /a"], "+ ANY /a"),
            (&["ANY /a"], &["ANY /a", "GET /a"], ""),
            (&["ANY /a", "GET /a"], &["ANY /a"], ""),
            (&["ANY /a"], &["GET /a", "POST /a"], "- ANY /a\n! ANY /a: removed, only GET, POST left"),
            (&["ANY /a"], &named, "- ANY /a"),
            (&["ANY /a"], &[], "- ANY /a\n! ANY /a: removed"),
        ];
        for (old, new, expected) in cases {
            assert_eq!(compare(&document(old), &document(new)).to_string(), expected, "{old:?} to {new:?}");
        }
    }

    #[test]
    fn a_method_that_any_answered_is_held_against_what_any_asked_for() {
        let mut new = document(&["GET /a"]);
        new["paths"]["/a"]["get"]["x-amazon-apigateway-auth"] = json!({"type": "AWS_IAM"});
        let expected = "- ANY /a\n~ GET /a\n! ANY /a: removed, only GET left\n! GET /a: now asks for AWS_IAM";
        assert_eq!(compare(&document(&["ANY /a"]), &new).to_string(), expected);
    }

    #[test]
    fn integrations_deployments_and_prose_are_no_matter_to_clients() {
        let cases = [
            ("/info/version", json!("2031-01-01T00:00:00Z")),
            ("/paths/~1cats/get/x-amazon-apigateway-integration", json!({"type": "mock"})),
            ("/paths/~1cats/get/responses/200/description", json!("All the cats")),
            ("/components/schemas/Cat/title", json!("A cat")),
            ("/components/securitySchemes/tenants/x-amazon-apigateway-authorizer/authorizerUri", json!("arn:other")),
        ];
        for (pointer, value) in cases {
            let mut new = pets();
            *new.pointer_mut(pointer).unwrap() = value;
            assert_eq!(compare(&pets(), &new), Change::default(), "{pointer}");
        }
    }

    #[test]
    fn a_release_is_told_in_full() {
        let expected = "\
+ GET /owners
- DELETE /cats/{id}
~ GET /cats
~ POST /cats
~ GET /cats/{catId}
! GET /cats: 'items[].kind' is gone from the answer 200
! GET /cats: the query parameter 'limit' is required now
! GET /cats: the query parameter 'sort' does not take \"age\" any more
! POST /cats: 'owner' is required in the request body now
! POST /cats: does not answer 201 any more
! DELETE /cats/{id}: removed
! GET /cats/{catId}: 'kind' is gone from the answer 200
! GET /cats/{catId}: now asks for an API key";
        assert_eq!(compare(&pets(), &pets_next()).to_string(), expected);
    }

    #[test]
    fn a_change_is_sent_as_it_is_printed() {
        let change = compare(&document(&["GET /a"]), &document(&["GET /b"]));
        let expected =
            json!({"added": ["GET /b"], "removed": ["GET /a"], "altered": [], "breaks": ["GET /a: removed"]});
        assert_eq!(serde_json::to_value(change).unwrap(), expected);
    }
}
