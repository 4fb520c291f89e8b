//! What goes over the wire: two schemas are walked together, through their references, and what they don't share is noted.
//!
//! A schema that is asked of clients breaks them when it grows narrower, one that they are answered with when it grows wider.
//! A document is anybody's: references go in circles and may fan out without end, so every pair of schemas is looked at once
//! and a walk has an end, `DEPTH_MAX` and `PAIRS_MAX`. What lies beyond is taken for the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ptr;

use serde_json::Value;

use super::operation::{Difference, Side};
use shared::openapi::{entries, items, resolve};

/// How deep a walk goes.
const DEPTH_MAX: usize = 32;
/// How many pairs of schemas a walk looks at.
const PAIRS_MAX: usize = 10_000;
/// How many values a reason lists.
const LISTED_MAX: usize = 5;
/// What a schema says to people, and what a model of API Gateway has besides what it describes.
const PROSE: [&str; 9] =
    ["$ref", "$schema", "definitions", "description", "example", "examples", "externalDocs", "id", "title"];

/// Which way a schema goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client: a parameter or a request's body.
    Asked,
    /// To the client.
    Answered,
}

/// A walk through two schemas.
pub struct Walk<'a, 'f> {
    old: &'a Value,
    new: &'a Value,
    way: Way,
    subject: &'f str,
    found: &'f mut Difference,
    /// What was looked at, by where it is: a schema that is met again is told of where it was met first.
    seen: HashSet<(*const Value, *const Value)>,
}

impl<'a, 'f> Walk<'a, 'f> {
    /// A walk that notes in `found` what is different in `subject`, such as `the request body`.
    pub fn new(old: Side<'a>, new: Side<'a>, way: Way, subject: &'f str, found: &'f mut Difference) -> Self {
        Self { old: old.document, new: new.document, way, subject, found, seen: HashSet::new() }
    }

    /// Compares two schemas and all that is in them.
    pub fn schemas(&mut self, was: &'a Value, is: &'a Value) {
        self.pair(was, is, &At::default());
    }

    fn pair(&mut self, was: &'a Value, is: &'a Value, at: &At) {
        let (was, is) = (resolve(self.old, was), resolve(self.new, is));
        let has_ended = at.depth > DEPTH_MAX || self.seen.len() >= PAIRS_MAX;
        if has_ended || !self.seen.insert((ptr::from_ref(was), ptr::from_ref(is))) {
            return;
        }
        let (was, is) = (Shape::of(self.old, was), Shape::of(self.new, is));
        self.found.note_if(!was.is_like(&is));
        self.types(&was, &is, at);
        match self.way {
            Way::Asked => self.asked(&was, &is, at),
            Way::Answered => self.answered(&was, &is, at),
        }
        for (name, was, is) in both(&was.properties, &is.properties) {
            self.pair(was, is, &at.property(name));
        }
        for (name, was, is) in both(&was.parts, &is.parts) {
            self.pair(was, is, &at.part(name));
        }
    }

    fn types(&mut self, was: &Shape<'_>, is: &Shape<'_>, at: &At) {
        let breaks = match self.way {
            Way::Asked => !is.types.is_empty() && (was.types.is_empty() || !covers(&is.types, &was.types)),
            Way::Answered => !was.types.is_empty() && !covers(&was.types, &is.types),
        };
        let subject = self.subject;
        self.found.break_if(breaks, || {
            format!("{} is of type {} now, was {}", at.of(subject), named(&is.types), named(&was.types))
        });
    }

    fn asked(&mut self, was: &Shape<'_>, is: &Shape<'_>, at: &At) {
        let subject = self.subject;
        for name in is.required.difference(&was.required) {
            self.found.break_if(true, || format!("'{}' is required in {subject} now", at.property(name).path));
        }
        let is_closed = is.rest.get("additionalProperties") == Some(&&Value::Bool(false));
        for name in was.properties.keys().filter(|name| is_closed && !is.properties.contains_key(*name)) {
            self.found.break_if(true, || format!("'{}' is not taken in {subject} any more", at.property(name).path));
        }
        match (&was.values, &is.values) {
            (None, Some(is)) => {
                self.found.break_if(true, || format!("{} takes only {} now", at.of(subject), listed(is)))
            }
            (Some(was), Some(is)) => {
                let lost: BTreeSet<String> = was.difference(is).cloned().collect();
                let reason = || format!("{} does not take {} any more", at.of(subject), listed(&lost));
                self.found.break_if(!lost.is_empty(), reason);
            }
            (_, None) => {}
        }
    }

    fn answered(&mut self, was: &Shape<'_>, is: &Shape<'_>, at: &At) {
        let subject = self.subject;
        for name in was.properties.keys().filter(|name| !is.properties.contains_key(*name)) {
            self.found.break_if(true, || format!("'{}' is gone from {subject}", at.property(name).path));
        }
    }
}

/// Where in a schema a walk is.
#[derive(Default)]
struct At {
    /// As `owner.name` or `items[].id`; empty at the schema itself.
    path: String,
    depth: usize,
}

impl At {
    fn property(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{name}", self.path), depth: self.depth + 1 }
    }

    fn part(&self, name: &str) -> Self {
        let suffix = match name {
            "items" => "[]",
            "additionalProperties" => "{}",
            _ => "",
        };
        Self { path: format!("{}{suffix}", self.path), depth: self.depth + 1 }
    }

    fn of(&self, subject: &str) -> String {
        match self.path.is_empty() {
            true => subject.to_owned(),
            false => format!("'{}' of {subject}", self.path),
        }
    }
}

/// What one schema and all that it is made of (`allOf`) say together.
#[derive(Default)]
struct Shape<'a> {
    /// Empty where anything will do.
    types: BTreeSet<&'a str>,
    /// The values of an `enum`, as JSON.
    values: Option<BTreeSet<String>>,
    required: BTreeSet<&'a str>,
    properties: BTreeMap<&'a str, &'a Value>,
    /// The schemas in it that are no properties, by the key that they stand under.
    parts: BTreeMap<String, &'a Value>,
    /// All other keys.
    rest: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Shape<'a> {
    fn of(document: &'a Value, schema: &'a Value) -> Self {
        let (mut shape, mut seen, mut left) = (Self::default(), HashSet::new(), vec![schema]);
        while let Some(next) = left.pop() {
            let schema = resolve(document, next);
            if seen.insert(ptr::from_ref(schema)) {
                entries(Some(schema)).for_each(|(key, value)| shape.take(key, value));
                left.extend(items(schema.get("allOf")));
            }
        }
        shape
    }

    fn take(&mut self, key: &'a str, value: &'a Value) {
        match key {
            // Followed by `of`.
            "allOf" => {}
            // Models of API Gateway are JSON Schema draft 4, where a type may be a list.
            "type" => self.types.extend(value.as_str().into_iter().chain(items(Some(value)).filter_map(Value::as_str))),
            "enum" => self.values.get_or_insert_default().extend(items(Some(value)).map(Value::to_string)),
            "required" => self.required.extend(items(Some(value)).filter_map(Value::as_str)),
            "properties" => entries(Some(value)).for_each(|(name, schema)| {
                self.properties.entry(name).or_insert(schema);
            }),
            "oneOf" | "anyOf" => {
                self.parts.extend(items(Some(value)).enumerate().map(|(n, one)| (format!("{key}/{n}"), one)));
            }
            "items" | "additionalProperties" | "not" if value.is_object() => {
                self.parts.insert(key.to_owned(), value);
            }
            _ if PROSE.contains(&key) || key.starts_with("x-") => {}
            _ => {
                self.rest.insert(key, value);
            }
        }
    }

    /// Whether both say the same, but for what is in their properties and parts.
    fn is_like(&self, other: &Self) -> bool {
        let Self { types, values, required, properties, parts, rest } = self;
        *types == other.types
            && *values == other.values
            && *required == other.required
            && *rest == other.rest
            && properties.keys().eq(other.properties.keys())
            && parts.keys().eq(other.parts.keys())
    }
}

/// What stands under the same key on both sides.
fn both<'m, 'a, K: Ord + AsRef<str>>(
    was: &'m BTreeMap<K, &'a Value>,
    is: &'m BTreeMap<K, &'a Value>,
) -> impl Iterator<Item = (&'m str, &'a Value, &'a Value)> {
    was.iter().filter_map(|(key, was)| Some((key.as_ref(), *was, *is.get(key)?)))
}

/// Whether whoever is ready for all of `wide` is ready for each of `narrow`: a whole number is a number.
fn covers(wide: &BTreeSet<&str>, narrow: &BTreeSet<&str>) -> bool {
    narrow.iter().all(|kind| wide.contains(kind) || (*kind == "integer" && wide.contains("number")))
}

fn named(types: &BTreeSet<&str>) -> String {
    match types.is_empty() {
        true => "any".to_owned(),
        false => types.iter().copied().collect::<Vec<&str>>().join(" or "),
    }
}

fn listed(values: &BTreeSet<String>) -> String {
    let mut shown: Vec<&str> = values.iter().map(String::as_str).take(LISTED_MAX).collect();
    if values.len() > LISTED_MAX {
        shown.push("…");
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compare;
    use super::*;

    /// A document whose `PUT /a` asks for a schema and whose `GET /a` answers with it.
    fn document(schema: &Value, schemas: &Value) -> Value {
        let content = json!({"application/json": {"schema": schema}});
        json!({
            "paths": {"/a": {
                "put": {"requestBody": {"required": true, "content": content}},
                "get": {"responses": {"200": {"description": "200 response", "content": content}}},
            }},
            "components": {"schemas": schemas},
        })
    }

    fn reasons(old: &Value, new: &Value) -> Vec<String> {
        compare(old, new).breaks.into_iter().map(|one| one.replace(" /a: ", ": ")).collect()
    }

    #[test]
    fn what_is_asked_must_not_grow_narrower_and_what_is_answered_not_wider() {
        let text = json!({"type": "string"});
        let object = |properties: Value, required: Value| json!({"properties": properties, "required": required});
        let cases: Vec<(Value, Value, &[&str])> = vec![
            (text.clone(), text.clone(), &[]),
            (
                text.clone(),
                json!({"type": "integer"}),
                &[
                    "GET: the answer 200 is of type integer now, was string",
                    "PUT: the request body is of type integer now, was string",
                ],
            ),
            (
                json!({"type": "integer"}),
                json!({"type": "number"}),
                &["GET: the answer 200 is of type number now, was integer"],
            ),
            (
                json!({"type": "number"}),
                json!({"type": "integer"}),
                &["PUT: the request body is of type integer now, was number"],
            ),
            (
                text.clone(),
                json!({"type": ["string", "null"]}),
                &["GET: the answer 200 is of type null or string now, was string"],
            ),
            (json!({}), text.clone(), &["PUT: the request body is of type string now, was any"]),
            (text.clone(), json!({}), &[]),
            (
                json!({"enum": ["a", "b"]}),
                json!({"enum": ["b"]}),
                &["PUT: the request body does not take \"a\" any more"],
            ),
            (json!({}), json!({"enum": ["a", "b"]}), &["PUT: the request body takes only \"a\", \"b\" now"]),
            (json!({"enum": ["a"]}), json!({}), &[]),
            (object(json!({}), json!([])), object(json!({"x": text}), json!([])), &[]),
            (
                object(json!({}), json!([])),
                object(json!({"x": text}), json!(["x"])),
                &["PUT: 'x' is required in the request body now"],
            ),
            (
                object(json!({"x": text, "y": text}), json!(["x"])),
                object(json!({"y": text}), json!([])),
                &["GET: 'x' is gone from the answer 200"],
            ),
            (
                object(json!({"x": text}), json!([])),
                json!({"properties": {"y": text}, "additionalProperties": false}),
                &["GET: 'x' is gone from the answer 200", "PUT: 'x' is not taken in the request body any more"],
            ),
            (text.clone(), json!({"type": "string", "maxLength": 5}), &[]),
        ];
        for (old, new, expected) in cases {
            let (old, new) = (document(&old, &json!({})), document(&new, &json!({})));
            assert_eq!(reasons(&old, &new), expected, "{old} to {new}");
            assert_eq!(compare(&old, &new).altered.is_empty(), old == new, "{old} to {new}");
        }
    }

    #[test]
    fn a_reason_says_where() {
        let cases = [
            (json!({"properties": {"a": {"properties": {"b": 0}}}}), "'a.b'"),
            (json!({"properties": {"a": {"items": {"properties": {"b": 0}}}}}), "'a[].b'"),
            (json!({"items": {"properties": {"b": 0}}}), "'[].b'"),
            (json!({"additionalProperties": {"properties": {"b": 0}}}), "'{}.b'"),
            (json!({"allOf": [{"properties": {"a": {"properties": {"b": 0}}}}]}), "'a.b'"),
            (json!({"oneOf": [{"properties": {"b": 0}}]}), "'b'"),
        ];
        let with = |schema: &Value, kind: &str| {
            let schema = schema.to_string().replace('0', &json!({"type": kind}).to_string());
            document(&serde_json::from_str(&schema).unwrap(), &json!({}))
        };
        for (schema, place) in cases {
            let found = reasons(&with(&schema, "string"), &with(&schema, "boolean"));
            let expected = |subject: &str| format!("{place} of {subject} is of type boolean now, was string");
            let expected =
                [format!("GET: {}", expected("the answer 200")), format!("PUT: {}", expected("the request body"))];
            assert_eq!(found, expected, "{schema}");
        }
    }

    #[test]
    fn it_makes_no_difference_how_a_schema_is_put_together() {
        let inline =
            json!({"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "string"}, "y": {}}});
        let reference = json!({"$ref": "#/components/schemas/Both"});
        let schemas = json!({
            "Both": {"allOf": [{"$ref": "#/components/schemas/X"}, {"properties": {"y": {}}, "required": ["y"]}]},
            "X": {"title": "X", "type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}},
        });
        assert_eq!(compare(&document(&inline, &json!({})), &document(&reference, &schemas)).to_string(), "");
    }

    #[test]
    fn a_property_may_be_called_like_a_key_of_schemas() {
        let named = |kind: &str| json!({"properties": {"description": {"type": kind}, "title": {"type": "string"}}});
        let (old, new) = (document(&named("string"), &json!({})), document(&named("integer"), &json!({})));
        assert_eq!(reasons(&old, &new).len(), 2);
    }

    #[test]
    fn circles_end_and_are_still_compared() {
        let cat = json!({"$ref": "#/components/schemas/Cat"});
        let schemas = |kind: &str| json!({"Cat": {"properties": {"mother": {"$ref": "#/components/schemas/Cat"}, "name": {"type": kind}}}});
        let (old, new) = (document(&cat, &schemas("string")), document(&cat, &schemas("integer")));
        assert!(compare(&old, &old).is_empty());
        let expected = [
            "GET: 'name' of the answer 200 is of type integer now, was string",
            "PUT: 'name' of the request body is of type integer now, was string",
        ];
        assert_eq!(reasons(&old, &new), expected);
        let itself = json!({"Cat": {"$ref": "#/components/schemas/Cat"}, "Dog": {"allOf": [{"$ref": "#/components/schemas/Dog"}]}});
        let dog = json!({"$ref": "#/components/schemas/Dog"});
        assert!(compare(&document(&cat, &itself), &document(&dog, &itself)).is_empty());
    }

    #[test]
    fn schemas_that_fan_out_without_end_are_walked_in_time() {
        // Every schema has 40 properties, each of them the next schema: written out, that is 40 to the power of 40.
        let fan = |size: usize| {
            let schema = |n: usize| {
                let next = format!("#/components/schemas/S{}", (n + 1) % size);
                let refs = (0..40).map(|m| (format!("p{m}"), json!({"$ref": next})));
                (format!("S{n}"), json!({"properties": refs.collect::<serde_json::Map<_, _>>()}))
            };
            Value::Object((0..size).map(schema).collect())
        };
        let start = json!({"$ref": "#/components/schemas/S0"});
        assert!(compare(&document(&start, &fan(40)), &document(&start, &fan(41))).is_empty());
    }

    #[test]
    fn nonsense_says_nothing() {
        let nonsense =
            [json!(7), json!([1]), json!({"properties": 7, "required": "x", "enum": 1, "allOf": {}, "oneOf": 3})];
        for schema in nonsense {
            let document = document(&schema, &json!({}));
            assert!(compare(&document, &document).is_empty(), "{schema}");
            compare(&document, &json!({"paths": {"/a": {"get": {"responses": 1}, "put": {"requestBody": []}}}}));
        }
    }
}
