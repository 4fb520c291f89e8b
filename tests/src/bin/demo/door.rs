//! Two teams on one front door: each has its own paths, neither takes the other's, and a publication can be taken back.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Cloud, Door};

use super::headline;

const CATS: &str = "111122223333";
const DOGS: &str = "444455556666";

pub async fn play(cloud: &Cloud) -> Result<()> {
    headline("A front door, and two accounts that may use it");
    let door = Door::build(cloud, "demo").await?;
    for (account, prefixes) in [(CATS, &["/cats", "/owners"][..]), (DOGS, &["/dogs", "/owners/dogs"][..])] {
        let tenant = door.tenant(account, prefixes).await?;
        println!("account {account} may register {}, through", prefixes.join(" and "));
        println!("  {}", tenant["attributes"]["RoutesServiceToken"].as_str().unwrap_or_default());
    }

    headline("Each registers its own");
    let item = |name: &str, path: &str, methods: Value| json!({"name": name, "spec": door.route(path, methods)});
    let items = [item("cats", "/cats/{proxy+}", json!("ANY")), item("owners", "/owners/{id}", json!(["GET", "PUT"]))];
    door.routes(Some(CATS), json!({"command": "apply", "items": items})).await??;
    door.routes(Some(DOGS), json!({"command": "apply", "items": [item("dogs", "/dogs/{dog}", json!("GET"))]}))
        .await??;
    show(&door).await?;

    headline("Nobody takes another team's path");
    for (name, path) in [("thief", "/cats/mine"), ("shadow", "/owners/dogs")] {
        let asked = json!({"command": "apply", "name": name, "spec": door.route(path, json!("GET"))});
        let refused = door.routes(Some(DOGS), asked).await?.err().context("it was let in")?;
        println!("account {DOGS} asks for {path}:\n  {refused}");
    }

    headline("A publication is taken back, and put forward again");
    let back = door.publisher("rollback", None).await?;
    println!("rollback: the live stage shows revision {}", back["attributes"]["Revision"]);
    show(&door).await?;
    ensure!(!door.live().await?.contains(&"get /dogs/{p2}".to_owned()), "the newest route is still there");
    let forward = door.publisher("publish", None).await?;
    println!("publish: the live stage shows revision {}", forward["attributes"]["Revision"]);
    ensure!(door.live().await?.contains(&"get /dogs/{p2}".to_owned()), "the newest route is not back");
    let history = door.publisher("history", None).await?;
    for revision in history["items"].as_array().into_iter().flatten() {
        println!(
            "  revision {} {:<5} {}",
            revision["attributes"]["Revision"],
            revision["status"].as_str().unwrap_or_default(),
            revision["changes"]
        );
    }
    Ok(())
}

/// What clients meet, each path as its team wrote it: on the REST API, a variable has a name of Foregate's.
async fn show(door: &Door) -> Result<()> {
    let (_, document) = door.cloud.stage(&door.api, "live").await?;
    let list = door.routes(None, json!({"command": "list"})).await??;
    let urls = list["items"].as_array().into_iter().flatten().filter_map(|item| item["attributes"]["Url"].as_str());
    let written = urls.filter_map(|url| Some(url.split_once(&door.api)?.1.split_once("/live")?.1));
    let written: BTreeMap<String, &str> = written.map(|path| (without_names(path), path)).collect();
    println!("  {:<12} {:<20} {:<8} backend", "method", "path", "auth");
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let path = written.get(&without_names(path)).copied().unwrap_or(path);
        for (method, operation) in item.as_object().into_iter().flatten() {
            let method = method.trim_start_matches("x-amazon-apigateway-").trim_end_matches("-method").to_uppercase();
            let entries = operation["security"].as_array().into_iter().flatten().filter_map(|one| one.as_object());
            let auth = entries.flat_map(|one| one.keys().cloned()).collect::<Vec<_>>().join("+");
            let uri = operation["x-amazon-apigateway-integration"]["uri"].as_str().unwrap_or_default();
            println!("  {method:<12} {path:<20} {:<8} {uri}", if auth.is_empty() { "open" } else { &auth });
        }
    }
    Ok(())
}

/// A path without the names of its variables: `/cats/{}`, `/cats/{+}`.
fn without_names(path: &str) -> String {
    let segment = |one: &str| match (one.starts_with('{'), one.ends_with("+}")) {
        (true, true) => "{+}".to_owned(),
        (true, false) => "{}".to_owned(),
        _ => one.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}
