//! Which methods of a backend's API a route's requests get to. In come a route's path as the backend has it and the methods of
//! a stage, out come those methods of them, or why there is none. Pure.
//!
//! API Gateway chooses method and path together: of the resources that fit a request and have its method, by name or as `ANY`,
//! it takes the most specific, a literal before a variable before a greedy one. Where it can't be told which of two that is, a
//! request may get to either.
//! <https://github.com/ministackorg/ministack/pull/1423>, <https://github.com/floci-io/floci/pull/3399>

use std::cmp::Reverse;
use std::collections::BTreeSet;

use shared::front_door::{Method, RouteSpec, Segment};
use shared::openapi::{self, ANY};

/// How many paths a message names at most.
const NAMED_MAX: usize = 5;

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Exactly this text.
    Literal(String),
    /// Any one segment.
    One,
    /// Any one segment or more, to the end.
    Many,
}

/// Which requests a path takes, or a route sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(
    // Invariant: nothing comes after `Many`.
    Vec<Part>,
);

impl Shape {
    /// What a route sends to its private API. There a greedy variable stands without its plus, and something may come after it:
    /// of that nothing can be told.
    pub fn of_route(spec: &RouteSpec) -> Self {
        let greedy = spec.path.segments().iter().find_map(|segment| match segment {
            Segment::Greedy(name) => Some(name.as_str()),
            Segment::Literal(_) | Segment::Variable(_) => None,
        });
        Self::parse(&path_of(spec), |name| Some(name) == greedy)
    }

    /// What a path of an API's takes.
    fn of_api(path: &str) -> Self {
        Self::parse(path, |_| false)
    }

    fn parse(path: &str, is_greedy: impl Fn(&str) -> bool) -> Self {
        let mut parts = Vec::new();
        // A slash at the end is no segment.
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            let part = match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                None => Part::Literal(segment.to_owned()),
                Some(name) if name.ends_with('+') || is_greedy(name) => Part::Many,
                Some(_) => Part::One,
            };
            parts.push(part);
            if parts.last() == Some(&Part::Many) {
                break;
            }
        }
        Self(parts)
    }

    /// What both take, if there is such a request.
    fn meet(&self, other: &Self) -> Option<Self> {
        use Part::{Literal, Many, One};
        let mut both = Vec::new();
        let (mut these, mut those) = (self.0.iter(), other.0.iter());
        loop {
            match (these.next(), those.next()) {
                (None, None) => return Some(Self(both)),
                // A greedy variable takes one segment or more.
                (None, Some(_)) | (Some(_), None) => return None,
                (Some(Many), Some(one)) => {
                    both.extend([one].into_iter().chain(those).cloned());
                    return Some(Self(both));
                }
                (Some(one), Some(Many)) => {
                    both.extend([one].into_iter().chain(these).cloned());
                    return Some(Self(both));
                }
                (Some(Literal(one)), Some(Literal(other))) if one != other => return None,
                (Some(One), Some(part)) | (Some(part), Some(One) | Some(Literal(_))) => both.push(part.clone()),
            }
        }
    }

    /// Whether it takes whatever the other one does. Of a greedy other one, something at least: which of all the paths below it
    /// the backend has, its clients know.
    fn serves(&self, other: &Self) -> bool {
        let Some(both) = self.meet(other) else { return false };
        let fixed = other.0.iter().position(|part| *part == Part::Many).unwrap_or(other.0.len());
        both.0.starts_with(&other.0[..fixed])
    }

    /// Whether it takes whatever the other one does.
    fn takes_all_of(&self, other: &Self) -> bool {
        let (mut these, mut those) = (self.0.iter(), other.0.iter());
        loop {
            match (these.next(), those.next()) {
                (None, None) | (Some(Part::Many), Some(_)) => return true,
                (Some(Part::One), Some(Part::One | Part::Literal(_))) => {}
                (Some(Part::Literal(one)), Some(Part::Literal(other))) if one == other => {}
                _ => return false,
            }
        }
    }

    /// How many parts from the beginning on could be the same.
    fn common(&self, other: &Self) -> usize {
        let pairs = self.0.iter().zip(&other.0);
        let differ = |one: &Part, other: &Part| match (one, other) {
            (Part::Literal(one), Part::Literal(other)) => one != other,
            _ => false,
        };
        pairs.take_while(|(one, other)| !differ(one, other)).count()
    }
}

/// A route's path as the backend has it.
pub fn path_of(spec: &RouteSpec) -> String {
    match spec.backend_text() {
        "" => spec.path.to_string(),
        text => text.to_owned(),
    }
}

/// A method of the stage with the requests that it takes.
type Candidate<'a> = (Shape, &'a openapi::Method);

/// The methods that a request may have: what a route says as `ANY` is seven.
pub fn verbs(method: Method) -> Vec<Method> {
    match method {
        Method::Any => Method::all_by_name().collect(),
        one => vec![one],
    }
}

/// What the stage has instead, where requests of the `route` by `method` get nowhere. Of `ANY`, one has to get somewhere.
pub fn missing(stage: &[openapi::Method], route: &Shape, method: Method) -> Option<String> {
    let near = near(stage, route);
    let verbs = verbs(method);
    let is_served = |(shape, one): &Candidate<'_>| verbs.iter().any(|verb| takes(one, *verb)) && shape.serves(route);
    (!near.iter().any(is_served)).then(|| instead(stage, &near, route))
}

/// The methods of the stage that some request of the `route` by `verb` gets to.
pub fn reached<'a>(stage: &'a [openapi::Method], route: &Shape, verb: Method) -> Vec<&'a openapi::Method> {
    let mut fitting = near(stage, route);
    fitting.retain(|(_, one)| takes(one, verb));
    fitting.iter().filter(|one| !is_shadowed(one, &fitting, route)).map(|(_, one)| *one).collect()
}

fn near<'a>(stage: &'a [openapi::Method], route: &Shape) -> Vec<Candidate<'a>> {
    let all = stage.iter().map(|one| (Shape::of_api(&one.path), one));
    all.filter(|(shape, _)| shape.meet(route).is_some()).collect()
}

/// Whether the method takes requests of this name.
fn takes(method: &openapi::Method, verb: Method) -> bool {
    method.method == ANY || method.method == verb.as_str()
}

/// Whether API Gateway prefers another method for all that the route could send to this one: a more specific one, or of the same
/// path the one by name.
fn is_shadowed((shape, method): &Candidate<'_>, all: &[Candidate<'_>], route: &Shape) -> bool {
    let Some(sent) = shape.meet(route) else { return true };
    all.iter().any(|(other, its)| {
        let is_preferred = match other == shape {
            true => method.method == ANY && its.method != ANY,
            false => shape.takes_all_of(other),
        };
        is_preferred && other.takes_all_of(&sent)
    })
}

/// What the stage has in the place of what the route wants.
fn instead(stage: &[openapi::Method], near: &[Candidate<'_>], route: &Shape) -> String {
    if stage.is_empty() {
        return "it has no methods at all".into();
    }
    let there: BTreeSet<&str> =
        near.iter().filter(|(shape, _)| shape.serves(route)).map(|(_, one)| one.method.as_str()).collect();
    if !there.is_empty() {
        return format!("it has {} there", listed(there.into_iter()));
    }
    if !near.is_empty() {
        let paths: BTreeSet<&str> = near.iter().map(|(_, one)| one.path.as_str()).collect();
        return format!("it has {} alone, and no variable for the route's", listed(paths.into_iter()));
    }
    let paths: BTreeSet<&str> = stage.iter().map(|one| one.path.as_str()).collect();
    let mut paths: Vec<&str> = paths.into_iter().collect();
    // Sorting keeps the order among those that are equally near.
    paths.sort_by_key(|path| Reverse(Shape::of_api(path).common(route)));
    format!("no resource of it fits that path; it has {}", listed(paths.into_iter()))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `GET /a` as a method.
    fn method(text: &str) -> openapi::Method {
        let (method, path) = text.split_once(' ').unwrap();
        openapi::Method { method: method.into(), path: path.into(), ..openapi::Method::default() }
    }

    /// A route of this path, whose backend has another one where one is said.
    fn route(path: &str, backend: Option<&str>) -> RouteSpec {
        let mut api = json!({"RestApiId": "a1b2c3d4e5", "StageName": "v1"});
        if let Some(path) = backend {
            api["Path"] = json!(path);
        }
        RouteSpec::parse(json!({"Path": path, "Auth": "NONE", "Backend": {"PrivateApi": api}})).unwrap()
    }

    fn stage(methods: &[&str]) -> Vec<openapi::Method> {
        methods.iter().map(|one| method(one)).collect()
    }

    /// `GET /a` as what a route asks for.
    fn asked(text: &str) -> (Method, Shape) {
        let (verb, path) = text.split_once(' ').unwrap();
        (Method::of_key(verb).unwrap_or(Method::Any), Shape::of_route(&route(path, None)))
    }

    #[test]
    fn a_request_gets_to_the_most_specific_resource_that_has_its_method() {
        for (text, methods, expected) in [
            ("GET /", &["GET /", "GET /{proxy+}"][..], &["GET /"][..]),
            ("GET /of/x", &["GET /of/x"], &["GET /of/x"]),
            ("GET /of/x", &["GET /of/{id}"], &["GET /of/{id}"]),
            ("GET /of/x", &["ANY /of/{proxy+}"], &["ANY /of/{proxy+}"]),
            ("GET /of/x", &["ANY /{proxy+}"], &["ANY /{proxy+}"]),
            ("GET /of/x", &["GET /of/x", "GET /of/{id}", "ANY /{proxy+}"], &["GET /of/x"]),
            ("GET /of/x", &["ANY /of/x", "GET /of/x"], &["GET /of/x"]),
            // Method and path are chosen together.
            ("GET /of/x", &["POST /of/x", "GET /of/{id}"], &["GET /of/{id}"]),
            ("GET /of/x", &["OPTIONS /of/x", "ANY /{proxy+}"], &["ANY /{proxy+}"]),
            // Which of them is more specific can't be told.
            ("GET /y/x", &["GET /y/{b}", "GET /{a}/x"], &["GET /y/{b}", "GET /{a}/x"]),
            ("GET /of/{id}", &["GET /of/{theirs}"], &["GET /of/{theirs}"]),
            ("GET /of/{id}", &["GET /of/me", "GET /of/{theirs}"], &["GET /of/me", "GET /of/{theirs}"]),
            ("GET /of/{id}", &["POST /of/me", "GET /of/{theirs}"], &["GET /of/{theirs}"]),
            ("GET /of/{id}", &["GET /of/{theirs}", "GET /of/{proxy+}"], &["GET /of/{theirs}"]),
            ("GET /of/{id}", &["ANY /{proxy+}", "GET /of/me"], &["ANY /{proxy+}", "GET /of/me"]),
            ("GET /of/{id}/toys", &["GET /{proxy+}", "GET /of/{id}"], &["GET /{proxy+}"]),
            ("GET /of/{proxy+}", &["GET /of/{all+}"], &["GET /of/{all+}"]),
            ("GET /of/{proxy+}", &["ANY /{proxy+}"], &["ANY /{proxy+}"]),
            ("GET /of/{proxy+}", &["GET /of/a/b", "POST /of/c", "GET /x"], &["GET /of/a/b"]),
            ("GET /of/{id}/{rest+}", &["GET /of/{id}/a", "GET /of/me/a"], &["GET /of/{id}/a", "GET /of/me/a"]),
            ("GET /{proxy+}", &["GET /a", "GET /b/{id}"], &["GET /a", "GET /b/{id}"]),
        ] {
            let ((verb, route), stage) = (asked(text), stage(methods));
            assert_eq!(missing(&stage, &route, verb), None, "{text} {methods:?}");
            let names = reached(&stage, &route, verb).into_iter().map(|one| format!("{} {}", one.method, one.path));
            assert_eq!(names.collect::<Vec<_>>(), expected, "{text} {methods:?}");
        }
    }

    #[test]
    fn any_is_served_where_some_method_is() {
        for (methods, is_served) in [
            (&["GET /of/x"][..], true),
            (&["ANY /of/x"], true),
            (&["OPTIONS /{proxy+}"], true),
            (&["GET /of/y", "POST /of"], false),
        ] {
            let (any, route) = asked("ANY /of/x");
            assert_eq!(missing(&stage(methods), &route, any).is_none(), is_served, "{methods:?}");
        }
    }

    #[test]
    fn what_gets_nowhere_hears_what_there_is_instead() {
        for (text, methods, expected) in [
            ("GET /of/x", &[][..], "it has no methods at all"),
            ("GET /of/x", &["POST /of/x", "PUT /of/{id}", "GET /of"], "it has POST, PUT there"),
            ("GET /of/{id}", &["POST /of/{id}"], "it has POST there"),
            (
                "GET /of/{id}",
                &["GET /of/me", "GET /of/us"],
                "it has /of/me, /of/us alone, and no variable for the route's",
            ),
            ("GET /of/{id}/{rest+}", &["GET /of/me/a"], "it has /of/me/a alone"),
            ("GET /of/x", &["GET /a", "GET /of/y", "GET /of"], "fits that path; it has /of, /of/y, /a"),
            ("GET /Of", &["GET /of"], "no resource of it fits that path; it has /of"),
            ("GET /", &["GET /{proxy+}"], "no resource of it fits that path; it has /{proxy+}"),
            ("GET /of", &["GET /of/{proxy+}"], "no resource"),
            ("GET /of/{proxy+}", &["GET /of"], "no resource"),
            ("ANY /of", &["GET /a", "GET /b", "GET /c", "GET /d", "GET /e", "GET /f", "GET /g"], "/d, /e and 2 more"),
        ] {
            let (verb, route) = asked(text);
            let said = missing(&stage(methods), &route, verb).unwrap_or_default();
            assert!(said.contains(expected), "{text} {methods:?}: {said}");
        }
    }

    #[test]
    fn a_backends_path_stands_for_the_routes_and_its_greedy_variable_has_no_plus() {
        for (path, backend, expected) in [
            ("/cats/{id}", None, "/cats/{}"),
            ("/cats/{id}", Some("/of/{id}"), "/of/{}"),
            ("/cats/{id}", Some("/of/{id}/"), "/of/{}"),
            ("/cats/{id}", Some("/"), ""),
            ("/cats/{proxy+}", None, "/cats/{+}"),
            ("/cats/{proxy+}", Some("/of/{proxy}"), "/of/{+}"),
            ("/cats/{proxy+}", Some("/of/{proxy+}"), "/of/{+}"),
            ("/cats/{id}/{proxy+}", Some("/{proxy}/of/{id}"), "/{+}"),
        ] {
            let part = |part: &Part| match part {
                Part::Literal(text) => format!("/{text}"),
                Part::One => "/{}".to_owned(),
                Part::Many => "/{+}".to_owned(),
            };
            let shape: String = Shape::of_route(&route(path, backend)).0.iter().map(part).collect();
            assert_eq!(shape, expected, "{path} {backend:?}");
        }
    }
}
