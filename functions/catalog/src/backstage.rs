//! An API as an entity of Backstage's catalogue: in come the API and the document of one of its stages, out comes what a
//! `catalog-info` file would hold.
//!
//! Backstage refuses an entity whole for one field that it doesn't like, and what owners and AWS write is free text: names
//! and tags are cut to what it takes, links that it wouldn't take are left out. The format:
//! <https://backstage.io/docs/features/software-catalog/descriptor-format>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::record::{Api, Notes, Status};

/// The longest name, and the longest tag.
const LENGTH_MAX: usize = 63;
/// The owner of what nobody owns.
const NOBODY: &str = "unknown";

/// The entity. Its definition is `document`, or one without paths where the API has no stage or none that can be exported.
pub fn entity(api: &Api, document: Option<&Value>) -> Value {
    let title = if api.name.trim().is_empty() { api.key.id.as_str() } else { &api.name };
    let mut metadata = json!({
        "name": name(api),
        "title": title,
        "annotations": annotations(api),
        "tags": tags(&api.notes),
        "links": links(&api.notes),
    });
    if let (Some(description), Some(metadata)) = (description(api), metadata.as_object_mut()) {
        metadata.insert("description".into(), description.into());
    }
    let nothing = || json!({"openapi": "3.0.1", "info": {"title": title, "version": "1"}, "paths": {}});
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "API",
        "metadata": metadata,
        "spec": {
            "type": "openapi",
            "lifecycle": lifecycle(api.status),
            "owner": owner(&api.notes),
            "definition": document.map_or_else(|| nothing().to_string(), Value::to_string),
        },
    })
}

/// The API's name, for people, and its id, which makes it the only one of that name.
// Invariant: an id has at most 32 letters and digits, so there is room for both and what follows the last dash is the id.
fn name(api: &Api) -> String {
    let id = api.key.id.as_str();
    let title = object_name(&api.name, LENGTH_MAX.saturating_sub(id.len() + 1));
    if title.is_empty() { id.to_owned() } else { format!("{title}-{id}") }
}

/// What the owner says goes before what AWS says.
fn description(api: &Api) -> Option<&str> {
    let said = [&api.notes.description, &api.description];
    said.into_iter().flatten().map(|text| text.trim()).find(|text| !text.is_empty())
}

/// The first two are Backstage's own words for where something is in AWS.
fn annotations(api: &Api) -> BTreeMap<&'static str, String> {
    let place = &api.key.place;
    let stages: Vec<&str> = api.stages.keys().map(String::as_str).collect();
    BTreeMap::from([
        ("amazonaws.com/account-id", place.account.to_string()),
        ("amazonaws.com/arn", api.arn()),
        ("foregate/api", api.key.to_string()),
        ("foregate/endpoint-types", api.endpoint_types.join(",")),
        ("foregate/findings", api.findings.len().to_string()),
        ("foregate/region", place.region.to_string()),
        ("foregate/stages", stages.join(",")),
        ("foregate/status", api.status.as_str().to_owned()),
    ])
}

fn tags(notes: &Notes) -> BTreeSet<String> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '#');
    let tags = notes.tags.iter().map(|tag| dashed(&tag.to_lowercase(), is_letter, LENGTH_MAX));
    tags.filter(|tag| !tag.is_empty()).collect()
}

/// A browser would run what follows `javascript:`, so that links are those of the web.
fn links(notes: &Notes) -> Vec<Value> {
    let links = notes.links.iter().filter(|(title, url)| !title.trim().is_empty() && is_web(url));
    links.map(|(title, url)| json!({"title": title, "url": url})).collect()
}

fn is_web(url: &str) -> bool {
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| url.strip_prefix(scheme));
    let begins_well = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    rest.is_some_and(begins_well) && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn lifecycle(status: Status) -> &'static str {
    match status {
        Status::Active => "production",
        Status::Missing | Status::Gone => "deprecated",
    }
}

/// A reference to a group or a user, `[KIND:][NAMESPACE/]NAME`: as it was written if it is one, else a name made of it.
fn owner(notes: &Notes) -> String {
    let given = notes.owner.as_deref().unwrap_or_default().trim();
    if is_reference(given) {
        return given.to_owned();
    }
    let name = object_name(given, LENGTH_MAX);
    if name.is_empty() { NOBODY.to_owned() } else { name }
}

fn is_reference(given: &str) -> bool {
    let (kind, rest) = given.split_once(':').unwrap_or(("group", given));
    let (namespace, name) = rest.split_once('/').unwrap_or(("default", rest));
    let is_kind =
        kind.starts_with(|c: char| c.is_ascii_alphabetic()) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    is_kind && is_object_name(name) && !namespace.is_empty() && dashed(namespace, is_letter, LENGTH_MAX) == namespace
}

/// Letters and digits, with `-`, `_` and `.` between them.
fn is_object_name(given: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_outer = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    given.len() <= LENGTH_MAX
        && given.bytes().all(is_inner)
        && is_outer(given.bytes().next())
        && is_outer(given.bytes().last())
}

/// A name of at most `length_max`: as it was given if it is one, else its words with dashes between them.
fn object_name(given: &str, length_max: usize) -> String {
    if is_object_name(given) && given.len() <= length_max {
        return given.to_owned();
    }
    dashed(given, |c| c.is_ascii_alphanumeric(), length_max)
}

/// What is made of the letters alone, with one dash where there was anything else between them.
fn dashed(given: &str, is_letter: impl Fn(char) -> bool, length_max: usize) -> String {
    let words: Vec<&str> = given.split(|c| !is_letter(c)).filter(|word| !word.is_empty()).collect();
    let cut: String = words.join("-").chars().take(length_max).collect();
    cut.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(fields: Value) -> Api {
        let mut api = json!({
            "key": "111122223333/eu-west-1/a1b2c3d4e5",
            "name": "pets",
            "description": "Cats",
            "endpoint_types": ["REGIONAL"],
            "policy": null,
            "security_policy": null,
            "tags": {"team": "cats"},
            "stages": {"prod": {}, "test": {}},
            "plans": [],
            "status": "ACTIVE",
            "missed_scans": 0,
            "findings": [],
            "notes": {},
            "since_seconds": 1,
            "changed_seconds": 2,
        });
        api.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(api).unwrap()
    }

    fn noted(notes: Value) -> Api {
        api(json!({"notes": notes}))
    }

    #[test]
    fn an_api_is_an_entity() {
        let notes = json!({
            "owner": "group:default/cats",
            "description": "All about cats",
            "tags": ["Pets", "c++"],
            "links": {"Runbook": "https://wiki.example.com/pets"},
        });
        let document = json!({"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": {"/cats": {}}});
        let expected = json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "API",
            "metadata": {
                "name": "pets-a1b2c3d4e5",
                "title": "pets",
                "description": "All about cats",
                "annotations": {
                    "amazonaws.com/account-id": "111122223333",
                    "amazonaws.com/arn": "arn:aws:apigateway:eu-west-1::/restapis/a1b2c3d4e5",
                    "foregate/api": "111122223333/eu-west-1/a1b2c3d4e5",
                    "foregate/endpoint-types": "REGIONAL",
                    "foregate/findings": "0",
                    "foregate/region": "eu-west-1",
                    "foregate/stages": "prod,test",
                    "foregate/status": "ACTIVE",
                },
                "tags": ["c++", "pets"],
                "links": [{"title": "Runbook", "url": "https://wiki.example.com/pets"}],
            },
            "spec": {
                "type": "openapi",
                "lifecycle": "production",
                "owner": "group:default/cats",
                "definition": document.to_string(),
            },
        });
        assert_eq!(entity(&noted(notes), Some(&document)), expected);
    }

    #[test]
    fn an_api_without_a_document_has_a_valid_one_without_paths() {
        let entity = entity(&api(json!({})), None);
        let definition: Value = serde_json::from_str(entity["spec"]["definition"].as_str().unwrap()).unwrap();
        let expected = json!({"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": {}});
        assert_eq!(definition, expected);
    }

    #[test]
    fn a_name_is_one_that_backstage_takes_and_ends_with_the_id() {
        let long = "Very long name ".repeat(9);
        let cases = [
            ("pets", "pets-a1b2c3d4e5"),
            ("Orders_v1.2", "Orders_v1.2-a1b2c3d4e5"),
            ("Orders (v2) / EU", "Orders-v2-EU-a1b2c3d4e5"),
            ("--x--", "x-a1b2c3d4e5"),
            ("Katzen für alle", "Katzen-f-r-alle-a1b2c3d4e5"),
            ("猫", "a1b2c3d4e5"),
            ("", "a1b2c3d4e5"),
            (&long, "Very-long-name-Very-long-name-Very-long-name-Very-lo-a1b2c3d4e5"),
        ];
        for (given, expected) in cases {
            let entity = entity(&api(json!({"name": given})), None);
            let name = entity["metadata"]["name"].as_str().unwrap();
            assert_eq!(name, expected, "{given}");
            assert!(is_object_name(name), "{name}");
            assert_ne!(entity["metadata"]["title"], "", "{given}");
        }
    }

    #[test]
    fn the_longest_id_leaves_room_for_a_name() {
        let key = format!("111122223333/eu-west-1/{}", "a".repeat(32));
        let entity = entity(&api(json!({"key": key, "name": "n".repeat(200)})), None);
        assert_eq!(entity["metadata"]["name"], format!("{}-{}", "n".repeat(30), "a".repeat(32)));
    }

    #[test]
    fn the_owners_words_go_before_those_of_aws() {
        let cases = [
            (json!("Owner's"), json!("AWS's"), json!("Owner's")),
            (json!(null), json!("AWS's"), json!("AWS's")),
            (json!("  "), json!("AWS's"), json!("AWS's")),
            (json!(null), json!(""), json!(null)),
            (json!(null), json!(null), json!(null)),
        ];
        for (owners, aws, expected) in cases {
            let entity = entity(&api(json!({"description": aws, "notes": {"description": owners}})), None);
            assert_eq!(entity["metadata"]["description"], expected, "{owners} {aws}");
        }
    }

    #[test]
    fn tags_are_those_that_backstage_takes() {
        let long = "x".repeat(70);
        let cases = [
            (json!(["Pets", "pets"]), json!(["pets"])),
            (json!(["c++", "C#", "two words", "a__b", "-x-"]), json!(["a-b", "c#", "c++", "two-words", "x"])),
            (json!(["", "!!", "猫"]), json!([])),
            (json!([long]), json!(["x".repeat(63)])),
        ];
        for (given, expected) in cases {
            assert_eq!(entity(&noted(json!({"tags": given})), None)["metadata"]["tags"], expected);
        }
    }

    #[test]
    fn links_lead_into_the_web() {
        let cases = [
            ("https://wiki.example.com/pets?x=1#y", true),
            ("http://[2001:db8::1]/", true),
            ("https://", false),
            ("https:///etc", false),
            ("wiki.example.com", false),
            ("javascript:alert(1)", false),
            ("https://wiki.example.com/a b", false),
        ];
        for (url, is_kept) in cases {
            let entity = entity(&noted(json!({"links": {"Wiki": url}})), None);
            assert_eq!(entity["metadata"]["links"] == json!([{"title": "Wiki", "url": url}]), is_kept, "{url}");
            assert_eq!(entity["metadata"]["links"] == json!([]), !is_kept, "{url}");
        }
    }

    #[test]
    fn an_owner_is_a_reference() {
        let cases = [
            (json!("cats"), "cats"),
            (json!("group:cats"), "group:cats"),
            (json!("user:pets/john.johnson"), "user:pets/john.johnson"),
            (json!("pets/cats"), "pets/cats"),
            (json!(" Team Cats "), "Team-Cats"),
            (json!("cats@example.com"), "cats-example-com"),
            (json!("group:Team Cats"), "group-Team-Cats"),
            (json!("group:"), "group"),
            (json!("a/b/c"), "a-b-c"),
            (json!("!"), "unknown"),
            (json!(""), "unknown"),
            (json!(null), "unknown"),
        ];
        for (given, expected) in cases {
            assert_eq!(entity(&noted(json!({"owner": given})), None)["spec"]["owner"], expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_more_is_deprecated() {
        for (status, expected) in [("ACTIVE", "production"), ("MISSING", "deprecated"), ("GONE", "deprecated")] {
            let entity = entity(&api(json!({"status": status})), None);
            assert_eq!(entity["spec"]["lifecycle"], expected);
            assert_eq!(entity["metadata"]["annotations"]["foregate/status"], status);
        }
    }
}
