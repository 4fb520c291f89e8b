//! The catalogue through the deployed function: accounts in moto, one for each test, so that tests don't see each other's.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::example::Example;
use tests::{Cloud, FunctionError, Listener, RETRY_SECONDS_MAX};

async fn ask(cloud: &Cloud, payload: Value) -> Result<Result<Value, FunctionError>> {
    cloud.ask("catalog", None, payload).await
}

async fn catalog(cloud: &Cloud, payload: Value) -> Result<Value> {
    let said = payload.to_string();
    ask(cloud, payload).await?.with_context(|| format!("failed: {said}"))
}

fn accounts(ids: &[&str]) -> Value {
    json!({"Accounts": ids.iter().map(|id| json!({"AccountId": id})).collect::<Vec<_>>()})
}

async fn discover(cloud: &Cloud, spec: &Value) -> Result<Value> {
    catalog(cloud, json!({"command": "discover", "spec": spec})).await
}

/// All pages of a list.
async fn list(cloud: &Cloud, search: Value) -> Result<Vec<Value>> {
    let (mut items, mut search) = (Vec::new(), search);
    loop {
        let page = catalog(cloud, json!({"command": "list", "spec": search})).await?;
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => search["After"] = json!(next),
            None => return Ok(items),
        }
    }
}

fn changes(answer: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|one| (text(&one["change"]), text(&one["id"]))).collect()
}

/// An API that answers GET on these paths.
fn document(paths: &[&str]) -> Value {
    let get = json!({
        "responses": {"200": {"description": "OK"}},
        "x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "GET", "uri": "https://backend.example.com"},
    });
    let paths: serde_json::Map<String, Value> =
        paths.iter().map(|path| ((*path).to_owned(), json!({"get": get}))).collect();
    json!({"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": paths})
}

#[tokio::test]
async fn every_page_of_every_account_is_read_and_a_region_that_denies_hides_none() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let (first, second, third) = ("200000000001", "200000000002", "200000000003");
    // 67 with a plan, whose stage is not the first one; 1,201 in all over the two others.
    cloud.make_apis(first, 67, &["dev", "prod"], Some("basic")).await?;
    cloud.make_apis(second, 600, &["prod"], None).await?;
    cloud.make_apis(third, 601, &["prod"], None).await?;
    let here = json!({"StringEquals": {"aws:RequestedRegion": cloud.region}});
    let only_here = json!([{"Effect": "Allow", "Action": "apigateway:GET", "Resource": "*", "Condition": here}]);
    cloud.set_role(&format!("arn:aws:iam::{third}:role/foregate-read"), only_here, None).await?;

    let planned = discover(&cloud, &accounts(&[first, second])).await?;
    assert_eq!(changes(&planned).len(), 67, "without more being said only those that are in a usage plan");
    let plans = &list(&cloud, json!({"AccountId": first})).await?[0]["plans"];
    assert_eq!((&plans[0]["name"], &plans[0]["stage"]), (&json!("basic"), &json!("prod")));

    let mut spec = accounts(&[first, second]);
    spec["Accounts"]
        .as_array_mut()
        .context("accounts")?
        .push(json!({"AccountId": third, "Regions": [cloud.region, "us-east-1"]}));
    spec["IncludeApisWithoutUsagePlan"] = json!(true);
    let found = discover(&cloud, &spec).await?;
    assert_eq!(found["status"], "INCOMPLETE");
    let by_place: Vec<(bool, u64)> = found["completeness"]
        .as_array()
        .context("completeness")?
        .iter()
        .map(|one| (one["complete"] == true, one["catalogued"].as_u64().unwrap_or_default()))
        .collect();
    assert_eq!(by_place, [(true, 67), (true, 600), (true, 601), (false, 0)]);
    let refusal = found["completeness"][3]["failures"][0].as_str().context("no failure")?;
    assert!(refusal.contains("GetUsagePlans") && refusal.contains("not authorized"), "{refusal}");
    assert_eq!(changes(&found).len(), 1_201);
    for (account, count) in [(first, 67), (second, 600), (third, 601)] {
        assert_eq!(list(&cloud, json!({"AccountId": account})).await?.len(), count, "{account}");
    }
    let audit = catalog(&cloud, json!({"command": "audit", "spec": {"AccountId": third}})).await?;
    let refusing = audit["unreadable"].as_array().context("unreadable")?;
    assert!(refusing.iter().any(|one| one["accountId"] == third && one["region"] == "us-east-1"), "{refusing:?}");
    Ok(())
}

#[tokio::test]
async fn an_unchanged_world_of_600_apis_with_900_stages_costs_at_most_650_calls() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000010";
    cloud.make_apis(account, 300, &["prod"], Some("basic")).await?;
    cloud.make_apis(account, 300, &["dev", "prod"], Some("gold")).await?;
    let spec = accounts(&[account]);
    let first = discover(&cloud, &spec).await?;
    let seen = &first["completeness"][0];
    assert_eq!((&seen["catalogued"], &seen["stages"], &seen["exports"]), (&json!(600), &json!(900), &json!(900)));
    let before = cloud.calls_in(account).await?.len();
    let again = discover(&cloud, &spec).await?;
    let calls = cloud.calls_in(account).await?.len() - before;
    assert_eq!((changes(&again).len(), &again["completeness"][0]["exports"]), (0, &json!(0)));
    assert!(calls <= 650, "{calls} calls");
    assert_eq!(again["completeness"][0]["calls"], calls, "and it says itself how many");
    Ok(())
}

#[tokio::test]
async fn a_message_that_fails_once_is_worked_off_within_seconds() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000021";
    let role = format!("arn:aws:iam::{account}:role/foregate-read");
    let (ids, _) = cloud.make_apis(account, 1, &["prod"], Some("basic")).await?;
    catalog(&cloud, json!({"command": "apply", "name": "retried", "spec": accounts(&[account])})).await?;
    let search = json!({"AccountId": account, "Status": "ACTIVE"});
    let seen = async |number: usize| Ok(list(&cloud, search.clone()).await?.len() == number);
    cloud.until("the discovery has found it", 60, async || seen(1).await).await?;

    cloud.change_api(account, &ids[0], json!({"Delete": true})).await?;
    cloud.set_role(&role, json!([]), None).await?;
    let before = cloud.calls_in(account).await?.len();
    let event = include_str!("../../events/catalog.api-deleted.json");
    let mut event: Value = serde_json::from_str(event)?;
    (event["account"], event["region"]) = (json!(account), json!(cloud.region));
    event["detail"]["requestParameters"]["restApiId"] = json!(ids[0]);
    let queue = std::env::var("CATALOG_QUEUE_URL")?;
    cloud.sqs.send_message().queue_url(&queue).message_body(event.to_string()).send().await?;
    let has_failed = async || Ok(cloud.calls_in(account).await?.len() > before);
    cloud.until("the event was refused", 60, has_failed).await?;
    let allow = json!({"Effect": "Allow", "Action": "apigateway:GET", "Resource": "*"});
    cloud.set_role(&role, json!([allow]), None).await?;
    cloud.until("the message came back", RETRY_SECONDS_MAX, async || seen(0).await).await
}

#[tokio::test]
async fn what_changed_is_told_within_seconds_and_whether_it_breaks_clients() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000020";
    let (ids, _) = cloud.make_apis(account, 6, &["prod"], Some("basic")).await?;
    let (changed, removed) = (&ids[0], &ids[1]);
    cloud.change_api(account, changed, json!({"Document": document(&["/cats", "/dogs"]), "Deploy": ["prod"]})).await?;
    catalog(&cloud, json!({"command": "apply", "name": "told", "spec": accounts(&[account])})).await?;
    let of = |search: Value| {
        let cloud = cloud.clone();
        async move { list(&cloud, search).await }
    };
    let all = async || Ok(of(json!({"AccountId": account})).await?.len() == 6);
    cloud.until("the discovery has found them", 60, all).await?;

    let listener =
        Listener::start(&cloud, "told-apis", json!({"accountId": [account], "api": [{"exists": true}]})).await?;
    let queue = std::env::var("CATALOG_QUEUE_URL")?;
    let tell = async |name: &str, api: &str| -> Result<()> {
        let event = include_str!("../../events/catalog.api-deployed.json");
        let mut event: Value = serde_json::from_str(event)?;
        (event["account"], event["detail"]["eventName"]) = (json!(account), json!(name));
        event["detail"]["requestParameters"]["restApiId"] = json!(api);
        cloud.sqs.send_message().queue_url(&queue).message_body(event.to_string()).send().await?;
        Ok(())
    };
    cloud.change_api(account, changed, json!({"Document": document(&["/cats", "/birds"]), "Deploy": ["prod"]})).await?;
    cloud.change_api(account, removed, json!({"Delete": true})).await?;
    let (new, _) = cloud.make_apis(account, 1, &["prod"], Some("gold")).await?;
    for (name, api) in
        [("CreateDeployment", changed), ("UpdateStage", changed), ("DeleteRestApi", removed), ("CreateStage", &new[0])]
    {
        tell(name, api).await?;
    }
    let told = async |kind: &str, events: &[Value]| -> Option<Value> {
        events.iter().find(|event| event["detail-type"] == kind).map(|event| event["detail"].clone())
    };
    let mut events = Vec::new();
    while told("Api Changed", &events).await.is_none()
        || told("Api Removed", &events).await.is_none()
        || told("Api Discovered", &events).await.is_none()
    {
        events.extend(listener.events(1).await?);
    }
    let change = told("Api Changed", &events).await.context("no change")?;
    assert_eq!(change["breaksClients"], true);
    let stage = &change["stages"]["prod"];
    assert_eq!((&stage["added"], &stage["removed"]), (&json!(["GET /birds"]), &json!(["GET /dogs"])));
    let discovered = told("Api Discovered", &events).await.context("none discovered")?;
    assert_eq!(discovered["api"], format!("{account}/{}/{}", cloud.region, new[0]));
    let gone = of(json!({"AccountId": account, "Status": "GONE"})).await?;
    assert_eq!(gone.len(), 1, "AWS's own word is enough: {gone:?}");
    let whole = catalog(&cloud, json!({"command": "get", "name": change["api"]})).await?;
    let shown = &whole["stages"]["prod"]["document"];
    assert!(shown["paths"]["/birds"]["get"].is_object() && shown["paths"]["/dogs"].is_null());
    let url = format!("https://{changed}.execute-api.{}.amazonaws.com/prod", cloud.region);
    assert_eq!(shown["servers"], json!([{"url": url}]));
    let get = |stage: &str| json!({"command": "get", "name": change["api"], "spec": {"Stage": stage}});
    assert_eq!(&catalog(&cloud, get("prod")).await?["stages"]["prod"]["document"], shown);
    assert_eq!(ask(&cloud, get("nowhere")).await?.unwrap_err().error_type, "NotFound");
    catalog(&cloud, json!({"command": "delete", "name": "told"})).await?;
    Ok(())
}

#[tokio::test]
async fn a_plan_says_what_is_new_changed_and_missing_and_the_scan_does_no_more_than_that() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000030";
    let (ids, _) = cloud.make_apis(account, 10, &["dev", "prod"], Some("basic")).await?;
    let spec = accounts(&[account]);
    let plan = json!({"command": "discover", "plan": true, "spec": spec});
    let new = catalog(&cloud, plan.clone()).await?;
    assert_eq!(new["status"], "PLANNED");
    assert!(changes(&new).len() == 10 && changes(&new).iter().all(|(change, _)| change == "NEW"));
    assert!(list(&cloud, json!({"AccountId": account})).await?.is_empty(), "a plan writes nothing down");
    discover(&cloud, &spec).await?;
    assert!(changes(&catalog(&cloud, plan.clone()).await?).is_empty());

    cloud.change_api(account, &ids[2], json!({"Document": document(&["/a"]), "Deploy": ["dev"]})).await?;
    cloud.change_api(account, &ids[3], json!({"Delete": true})).await?;
    let (fresh, _) = cloud.make_apis(account, 1, &["prod"], Some("gold")).await?;
    // And a second plan for the stage of one that has a plan already.
    let second = json!({"name": "second", "apiStages": [{"apiId": ids[4], "stage": "prod"}]});
    cloud.post_as(account, "usageplans", second).await?;
    let key = |id: &str| format!("{account}/{}/{id}", cloud.region);
    let expected = BTreeSet::from([
        ("CHANGED".to_owned(), key(&ids[2])),
        ("CHANGED".to_owned(), key(&ids[4])),
        ("MISSING".to_owned(), key(&ids[3])),
        ("NEW".to_owned(), key(&fresh[0])),
    ]);
    let planned = catalog(&cloud, plan.clone()).await?;
    assert_eq!(changes(&planned), expected);
    assert_eq!(changes(&catalog(&cloud, plan).await?), expected, "again, since it changed nothing");
    let done: BTreeSet<String> =
        changes(&discover(&cloud, &spec).await?).into_iter().map(|(change, _)| change).collect();
    assert_eq!(done, BTreeSet::from(["CHANGED", "GONE", "NEW"].map(str::to_owned)));
    let both = catalog(&cloud, json!({"command": "get", "name": key(&ids[4])})).await?["plans"].clone();
    let both: Vec<(&Value, &Value)> =
        both.as_array().into_iter().flatten().map(|plan| (&plan["name"], &plan["stage"])).collect();
    let prod = json!("prod");
    assert!(both.len() == 2 && both.contains(&(&json!("basic"), &prod)) && both.contains(&(&json!("second"), &prod)));

    // An account that comes back empty loses nothing in that scan; AWS is asked about each in the next.
    let all: Vec<String> =
        list(&cloud, json!({"AccountId": account})).await?.iter().map(|one| one["id"].to_string()).collect();
    for id in all.iter().filter_map(|key| key.trim_matches('"').rsplit('/').next()) {
        cloud.change_api(account, id, json!({"Delete": true})).await?;
    }
    let held = discover(&cloud, &spec).await?;
    assert_eq!(held["completeness"][0]["removalsHeld"], true, "{held}");
    assert!(changes(&held).len() == 10 && changes(&held).iter().all(|(change, _)| change == "MISSING"), "{held}");
    assert_eq!(list(&cloud, json!({"AccountId": account, "Status": "MISSING"})).await?.len(), 10);
    let gone = discover(&cloud, &spec).await?;
    assert!(changes(&gone).len() == 10 && changes(&gone).iter().all(|(change, _)| change == "GONE"), "{gone}");
    assert!(list(&cloud, json!({"AccountId": account})).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_an_owner_writes_survives_every_scan_and_finds_the_api() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000040";
    let (ids, _) = cloud.make_apis(account, 3, &["prod"], Some("basic")).await?;
    cloud.change_api(account, &ids[0], json!({"Document": document(&["/parrots/{id}"]), "Deploy": ["prod"]})).await?;
    let spec = accounts(&[account]);
    discover(&cloud, &spec).await?;
    let name = format!("{account}/{}/{}", cloud.region, ids[0]);
    let notes = json!({
        "Owner": "team-birds", "Description": "All about parrots", "Tags": ["birds"],
        "Links": {"Handbook": "https://wiki.example.com/birds"}, "Mutes": {"access-log-off": "a sandbox"},
    });
    let before = catalog(&cloud, json!({"command": "get", "name": name})).await?["findings"].clone();
    catalog(&cloud, json!({"command": "annotate", "name": name, "spec": notes})).await?;
    cloud
        .change_api(account, &ids[0], json!({"Document": document(&["/parrots/{id}", "/eggs"]), "Deploy": ["prod"]}))
        .await?;
    discover(&cloud, &spec).await?;
    let stands = catalog(&cloud, json!({"command": "get", "name": name})).await?;
    assert_eq!(stands["notes"], notes);
    let muted = |findings: &Value| {
        let all = findings.as_array().cloned().unwrap_or_default();
        all.iter().filter(|one| one["muted"] == "a sandbox").count()
    };
    assert_eq!((muted(&before), muted(&stands["findings"])), (0, 1), "{stands}");

    for search in [
        json!({"Path": "/parrots"}),
        json!({"Path": "/eggs", "AccountId": account}),
        json!({"Tag": "birds"}),
        json!({"Owner": "team-birds"}),
    ] {
        let found = list(&cloud, search.clone()).await?;
        assert_eq!(found.iter().map(|one| &one["id"]).collect::<Vec<_>>(), [&json!(name)], "{search}");
    }
    assert!(list(&cloud, json!({"Path": "/nobody-has-this"})).await?.is_empty());

    // The findings in Security Hub's words, and the catalogue in Backstage's.
    let audit = json!({"command": "audit", "name": name, "spec": {"Format": "ASFF"}});
    let asff = catalog(&cloud, audit).await?["items"].clone();
    let suppressed =
        asff.as_array().context("no findings")?.iter().find(|one| one["Workflow"]["Status"] == "SUPPRESSED");
    assert_eq!(suppressed.context("none is suppressed")?["Note"]["Text"], "a sandbox");
    let export = json!({"command": "export", "spec": {"Format": "Backstage", "Owner": "team-birds"}});
    let entity = catalog(&cloud, export).await?["entities"][0].clone();
    assert_eq!((&entity["kind"], &entity["spec"]["owner"]), (&json!("API"), &json!("team-birds")));
    let definition = entity["spec"]["definition"].as_str().context("no definition")?;
    assert!(definition.contains("/parrots/{id}") && !definition.contains("backend.example.com"), "{definition}");
    let export = catalog(&cloud, json!({"command": "export", "spec": {"AccountId": account}})).await?;
    assert_eq!(export["apis"].as_array().map(Vec::len), Some(3));
    assert!(export["apis"][0]["stages"]["prod"]["document"]["paths"].is_object());
    Ok(())
}

#[tokio::test]
async fn a_tenant_sees_its_own_apis_and_nobody_elses() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let (own, other) = ("200000000050", "200000000051");
    let (mine, _) = cloud.make_apis(own, 1, &["prod"], Some("basic")).await?;
    let (theirs, _) = cloud.make_apis(other, 1, &["prod"], Some("basic")).await?;
    discover(&cloud, &accounts(&[own, other])).await?;
    let tenant = json!({"command": "apply", "spec": {"AccountId": own, "Prefixes": ["/fifty"]}});
    let onboarded = cloud.ask("tenants", None, tenant).await??;
    let token = onboarded["attributes"]["SubscriptionsServiceToken"].as_str().context("no token")?;
    assert!(token.ends_with(&format!("foregate-catalog:account-{own}")), "{token}");

    let alias = format!("account-{own}");
    let asks = async |payload: Value| cloud.ask("catalog", Some(&alias), payload).await;
    let seen = asks(json!({"command": "list"})).await??;
    let key = |account: &str, id: &str| format!("{account}/{}/{id}", cloud.region);
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["items"][0]["id"], key(own, &mine[0]));
    assert!(seen["completeness"].as_array().context("completeness")?.iter().all(|one| one["accountId"] == own));
    let notes = json!({"command": "annotate", "name": key(own, &mine[0]), "spec": {"Owner": "fifty"}});
    asks(notes).await??;
    for (payload, error_type) in [
        (json!({"command": "get", "name": key(other, &theirs[0])}), "NotFound"),
        (json!({"command": "annotate", "name": key(other, &theirs[0]), "spec": {"Owner": "fifty"}}), "NotFound"),
        (json!({"command": "discover"}), "Forbidden"),
        (json!({"command": "plan"}), "Forbidden"),
        (json!({"command": "apply", "name": "all", "spec": accounts(&[other])}), "Forbidden"),
        (json!({"command": "list", "spec": {"Kind": "Discoveries"}}), "Forbidden"),
    ] {
        let refused = asks(payload.clone()).await?.err().with_context(|| format!("let in: {payload}"))?;
        assert_eq!(refused.error_type, error_type, "{payload}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_field_that_is_wrong() -> Result<()> {
    let cloud = Cloud::connect().await?;
    for (payload, error_type, says) in [
        (json!({"command": "explode"}), "InvalidInput", "none of apply"),
        (json!({"command": "discover", "spec": {"Entries": []}}), "InvalidInput", "unknown field `Entries`"),
        (json!({"command": "discover", "spec": accounts(&["1"])}), "InvalidInput", "Accounts[0].AccountId"),
        (json!({"command": "list", "spec": {"Colour": "red"}}), "InvalidInput", "unknown field `Colour`"),
        (json!({"command": "get", "name": "200000000001/eu-west-1/nosuchapi"}), "NotFound", "there is nothing called"),
        (json!({"command": "get"}), "InvalidInput", "name is missing"),
        (json!({"command": "annotate", "name": "pets", "spec": {}}), "InvalidInput", "is not an API such as"),
        (json!({"command": "export", "spec": {"Format": "XML"}}), "InvalidInput", "Format: 'XML' is none of"),
        (json!({"command": "apply", "name": "x", "spec": {"Consumer": "x"}}), "InvalidInput", "missing field `Plan`"),
        (json!({"command": "rotate", "name": "nobody"}), "NotFound", "there is nothing called"),
    ] {
        let refused = ask(&cloud, payload.clone()).await?.err().with_context(|| format!("let in: {payload}"))?;
        assert_eq!(refused.error_type, error_type, "{payload}: {refused}");
        assert!(refused.message.contains(says), "{payload}: {refused}");
    }
    let gone = catalog(&cloud, json!({"command": "delete", "name": "nobody"})).await?;
    assert_eq!(gone["status"], "DELETED");
    Ok(())
}

/// The statements of a role of the member's template, as they would be deployed.
fn statements(role: &str) -> Result<Vec<Value>> {
    let template = Example::load("federation/member-account.yaml")?.with("AWS::Partition", "aws");
    let policies = template.properties(role)?["Policies"][0]["PolicyDocument"]["Statement"].clone();
    policies.as_array().cloned().context("no statements")
}

#[tokio::test]
async fn the_read_role_of_the_template_is_enough_and_every_permission_of_it_is_needed() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000060";
    let role = format!("arn:aws:iam::{account}:role/foregate-read");
    cloud.make_apis(account, 2, &["prod"], Some("basic")).await?;
    let statements = statements("ReadRole")?;
    cloud.set_role(&role, json!(statements), Some("pets-2027")).await?;
    let told = discover(&cloud, &accounts(&[account])).await?;
    let failure = told["completeness"][0]["failures"][0].as_str().context("let in without its external id")?;
    assert!(failure.contains("AssumeRole"), "{failure}");
    let spec = json!({"Accounts": [{"AccountId": account, "ExternalId": "pets-2027"}]});
    let told = discover(&cloud, &spec).await?;
    assert_eq!((&told["status"], changes(&told).len()), (&json!("COMPLETE"), 2), "{told}");

    // Each resource of it is taken away in turn.
    let allow = &statements[0];
    let resources = allow["Resource"].as_array().context("resources")?;
    assert_eq!((resources.len(), statements.len()), (3, 2));
    for missing in resources {
        let mut fewer = allow.clone();
        fewer["Resource"] = resources.iter().filter(|one| *one != missing).cloned().collect();
        cloud.set_role(&role, json!([fewer]), Some("pets-2027")).await?;
        assert_eq!(discover(&cloud, &spec).await?["status"], "INCOMPLETE", "not needed: {missing}");
    }
    // What denies the keys holds whatever else is allowed.
    let everything = json!({"Effect": "Allow", "Action": "apigateway:*", "Resource": "*"});
    let writer = format!("arn:aws:iam::{account}:role/foregate-write");
    cloud.set_role(&writer, json!([everything, statements[1]]), None).await?;
    let subscription = json!({"Plan": {"UsagePlanName": "basic", "AccountId": account, "ExternalId": "pets-2027"}, "Consumer": "shop"});
    cloud.set_role(&role, json!(statements), Some("pets-2027")).await?;
    let refused = ask(&cloud, json!({"command": "apply", "name": "sixty", "spec": subscription})).await?;
    let refused = refused.err().context("keys were read")?;
    assert!(refused.message.contains("GetApiKeys") && refused.message.contains("explicit deny"), "{refused}");
    Ok(())
}

#[test]
fn the_central_accounts_roles_may_do_what_the_members_roles_may_and_no_more() -> Result<()> {
    let plain = |statements: &Value, sids: &[&str]| -> Vec<String> {
        let text = |one: &Value| json!([one["Effect"], one["Action"], one["Resource"], one["Condition"]]).to_string();
        let all = statements.as_array().into_iter().flatten();
        let named = |one: &&Value| one["Sid"].as_str().is_some_and(|sid| sids.is_empty() || sids.contains(&sid));
        let mut texts: Vec<String> = all.filter(named).map(text).collect();
        texts.sort();
        texts
    };
    let ours = Example::load("../template.yaml")?.with("AWS::Partition", "aws");
    let own = |role: &str| -> Result<Value> {
        Ok(ours.properties(role)?["Policies"][0]["PolicyDocument"]["Statement"].clone())
    };
    let theirs = |role: &str| -> Result<Value> { Ok(json!(statements(role)?)) };
    assert_eq!(plain(&own("SubscriptionsRole")?, &[]), plain(&theirs("WriteRole")?, &[]));
    assert_eq!(plain(&own("CatalogRole")?, &["LookAtOwnApis", "NeverKeys"]), plain(&theirs("ReadRole")?, &[]));
    Ok(())
}
