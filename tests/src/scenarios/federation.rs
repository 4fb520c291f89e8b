//! What APIs there are in another account, and a key for one of them: `examples/federation`.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Cloud;
use crate::example::Example;

const MEMBER: &str = "333344445555";
const EXTERNAL_ID: &str = "pets-2027";

pub(super) async fn play(cloud: &Cloud) -> Result<Vec<String>> {
    let api = member(cloud).await?;
    let platform = Example::load("federation/platform.yaml")?
        .with("MemberAccountId", MEMBER)
        .with("AWS::AccountId", "123456789012")
        .with("Regions", json!([cloud.region]))
        .with("ExternalId", EXTERNAL_ID);
    let stack = platform.deploy(cloud, "discovery").await?;
    let mut lines = vec![format!("accounts and regions: {}", stack.output("Entries").context("no entries")?)];
    let name = format!("{MEMBER}/{}/{api}", cloud.region);
    let found = async || Ok(cloud.ask("catalog", None, json!({"command": "get", "name": name})).await?.is_ok());
    cloud.until("the discovery has found the API", 60, found).await?;
    lines.extend(catalogued(cloud, &name).await?);
    lines.push(told_of_a_change(cloud, &api, &name).await?);
    lines.extend(subscribed(cloud, &api).await?);
    cloud.remove("discovery").await?;
    Ok(lines)
}

/// The member's account: its roles, as `member-account.yaml` makes them, and the API of `team-api.yaml`.
async fn member(cloud: &Cloud) -> Result<String> {
    let account = Example::load("federation/member-account.yaml")?.with("AWS::Partition", "aws");
    for (resource, role) in [("ReadRole", "foregate-read"), ("WriteRole", "foregate-write")] {
        let statements = account.properties(resource)?["Policies"][0]["PolicyDocument"]["Statement"].clone();
        cloud.set_role(&format!("arn:aws:iam::{MEMBER}:role/{role}"), statements, Some(EXTERNAL_ID)).await?;
    }
    let body = Example::load("federation/team-api.yaml")?.properties("Pets")?["Body"].clone();
    let (ids, _) = cloud.make_apis(MEMBER, 1, &["dev", "prod"], Some("pets-basic")).await?;
    let api = ids.into_iter().next().context("no API")?;
    cloud.change_api(MEMBER, &api, json!({"Document": body, "Deploy": ["dev", "prod"]})).await?;
    Ok(api)
}

async fn catalog(cloud: &Cloud, payload: Value) -> Result<Value> {
    Ok(cloud.ask("catalog", None, payload).await??)
}

async fn catalogued(cloud: &Cloud, name: &str) -> Result<Vec<String>> {
    let search = json!({"Path": "/pets", "AccountId": MEMBER});
    let list = catalog(cloud, json!({"command": "list", "spec": search})).await?;
    let pets = &list["items"][0];
    ensure!((&pets["name"], &pets["stages"]) == (&json!("pets"), &json!(["dev", "prod"])), "{list}");
    ensure!(pets["plans"][0]["name"] == "pets-basic" && pets["plans"][0]["stage"] == "prod", "{pets}");
    let mut lines = vec![format!("{} {}: stages dev, prod, plan pets-basic on prod", pets["name"], name)];
    let audit = catalog(cloud, json!({"command": "audit", "name": name})).await?;
    let findings = audit["items"].as_array().context("no findings")?;
    let log_off = |one: &&Value| one["rule"] == "access-log-off" && one["subject"] == "dev";
    ensure!(findings.iter().any(|one| log_off(&one)), "{findings:?}");
    let told = |one: &Value| format!("{}: {} ({})", one["subject"], one["what"], one["rule"]).replace('"', "");
    lines.extend(findings.iter().map(told));

    let notes = json!({"Owner": "team-pets", "Tags": ["pets"], "Mutes": {"access-log-off": "dev has no clients"}});
    catalog(cloud, json!({"command": "annotate", "name": name, "spec": notes})).await?;
    let export = json!({"command": "export", "spec": {"Format": "Backstage", "Owner": "team-pets"}});
    let entity = catalog(cloud, export).await?["entities"][0].clone();
    ensure!(entity["spec"]["owner"] == "team-pets", "{entity}");
    lines.push(format!("for Backstage: API {} of {}", entity["metadata"]["name"], entity["spec"]["owner"]));
    Ok(lines)
}

/// The team takes a path away, and CloudTrail says that it has deployed.
async fn told_of_a_change(cloud: &Cloud, api: &str, name: &str) -> Result<String> {
    let mut body = Example::load("federation/team-api.yaml")?.properties("Pets")?["Body"].clone();
    body["paths"].as_object_mut().context("no paths")?.remove("/pets/{petId}");
    cloud.change_api(MEMBER, api, json!({"Document": body, "Deploy": ["prod"]})).await?;
    let mut event: Value = serde_json::from_str(include_str!("../../../events/catalog.api-deployed.json"))?;
    event["account"] = json!(MEMBER);
    event["detail"]["requestParameters"]["restApiId"] = json!(api);
    let queue = std::env::var("CATALOG_QUEUE_URL")?;
    cloud.sqs.send_message().queue_url(queue).message_body(event.to_string()).send().await?;
    let followed = async || {
        let stands = catalog(cloud, json!({"command": "get", "name": name})).await?;
        let stage = |stage: &str| stands["stages"][stage]["document"]["paths"]["/pets/{petId}"].is_object();
        Ok(stage("dev") && !stage("prod"))
    };
    cloud.until("the catalogue has followed the deployment", 60, followed).await?;
    Ok("after a deployment, prod has no /pets/{petId} any more; dev has it".into())
}

async fn subscribed(cloud: &Cloud, api: &str) -> Result<Vec<String>> {
    let consumer = Example::load("federation/consumer.yaml")?
        .with("MemberAccountId", MEMBER)
        .with("AWS::Region", cloud.region.clone())
        .with("ExternalId", EXTERNAL_ID);
    let stack = consumer.deploy(cloud, "pet-shop").await?;
    let (name, first) = (stack.output("Subscription").context("no name")?, stack.output("ApiKeyId").context("no key")?);
    let mut lines = vec![format!("subscribed: pet-shop to pets-basic of {api}")];
    for (verb, status) in [("pause", "PAUSED"), ("resume", "ACTIVE")] {
        let answer = catalog(cloud, json!({"command": verb, "name": name})).await?;
        ensure!(answer["status"] == status, "{answer}");
        lines.push(format!("{verb}: {status}"));
    }
    let stack = consumer.clone().with("Rotation", "2").deploy(cloud, "pet-shop").await?;
    ensure!(stack.output("ApiKeyId").is_some_and(|second| second != first), "{stack:?}");
    lines.push("with another Rotation: another key, and the old one works for a day".into());
    let calls = cloud.calls_in(MEMBER).await?;
    cloud.remove("pet-shop").await?;
    let deleted = cloud.calls_in(MEMBER).await?.split_off(calls.len());
    let deleted =
        deleted.iter().filter(|(call, role)| call.starts_with("DELETE /apikeys/") && role == "foregate-write");
    ensure!(deleted.count() == 2, "both keys go with the subscription");
    lines.push("removed: both keys".into());
    Ok(lines)
}
