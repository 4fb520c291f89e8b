//! Subscriptions through the deployed function: stacks, commands, tenants and members' plans.

use anyhow::{Context, Result};
use aws_sdk_apigateway::types::ApiStage;
use serde_json::{Value, json};
use tests::example::Example;
use tests::{Cloud, Door, FunctionError};

async fn catalog(cloud: &Cloud, payload: Value) -> Result<Result<Value, FunctionError>> {
    cloud.ask("catalog", None, payload).await
}

/// A usage plan of the central account for the stage of an API that is there; its id.
async fn plan(cloud: &Cloud, name: &str, api: &str, stage: &str) -> Result<String> {
    let stages = ApiStage::builder().api_id(api).stage(stage).build();
    let made = cloud.api_gateway.create_usage_plan().name(name).api_stages(stages).send().await?;
    made.id.context("the plan has no id")
}

/// A central API that has a stage, and is no front door.
async fn api(cloud: &Cloud) -> Result<String> {
    let (ids, _) = cloud.make_apis("123456789012", 1, &["prod"], None).await?;
    ids.into_iter().next().context("no API")
}

/// The keys on a plan: id, value, and whether it may be used.
async fn keys(cloud: &Cloud, plan: &str) -> Result<Vec<(String, String, bool)>> {
    let on_plan = cloud.api_gateway.get_usage_plan_keys().usage_plan_id(plan).limit(500).send().await?;
    let mut keys = Vec::new();
    for key in on_plan.items() {
        let id = key.id().unwrap_or_default();
        let whole = cloud.api_gateway.get_api_key().api_key(id).include_value(true).send().await?;
        keys.push((id.to_owned(), whole.value().unwrap_or_default().to_owned(), whole.enabled()));
    }
    keys.sort();
    Ok(keys)
}

fn template(plan: &str, consumer: &str, more: Value) -> Result<Value> {
    let mut properties = json!({
        "ServiceToken": std::env::var("CATALOG_SERVICE_TOKEN")?, "Plan": {"UsagePlanName": plan}, "Consumer": consumer,
    });
    let more = more.as_object().cloned().unwrap_or_default();
    properties.as_object_mut().into_iter().for_each(|fields| fields.extend(more.clone()));
    let get_att = |attribute: &str| json!({"Value": {"Fn::GetAtt": ["Subscription", attribute]}});
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Subscription": {"Type": "Custom::Subscription", "Properties": properties}},
        "Outputs": {"ApiKeyId": get_att("ApiKeyId"), "ApiKeyValue": get_att("ApiKeyValue"), "Name": {"Value": {"Ref": "Subscription"}}},
    }))
}

#[tokio::test]
async fn a_stack_has_a_key_on_the_plan_another_after_a_rotation_and_none_in_the_end() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let (stacked, other) = (api(&cloud).await?, api(&cloud).await?);
    let plan = plan(&cloud, "stacked", &stacked, "prod").await?;
    let stack = cloud.deploy_template("subscribed", template("stacked", "shop", json!({}))?).await?;
    assert_eq!(stack.status, "CREATE_COMPLETE", "{:?}", stack.reasons);
    let made = keys(&cloud, &plan).await?;
    assert_eq!(made.len(), 1);
    assert_eq!(
        (stack.output("ApiKeyId"), stack.output("ApiKeyValue")),
        (Some(made[0].0.as_str()), Some(made[0].1.as_str()))
    );

    // Changed in what is no other subscription, it has the same key; a rotation gives it another, beside the old one.
    let stack = cloud
        .deploy_template("subscribed", template("stacked", "shop", json!({"ExpiresAt": "2100-01-01T00:00:00Z"}))?)
        .await?;
    assert_eq!(stack.output("ApiKeyValue"), Some(made[0].1.as_str()));
    let rotated = json!({"ExpiresAt": "2100-01-01T00:00:00Z", "Rotation": "2"});
    let stack = cloud.deploy_template("subscribed", template("stacked", "shop", rotated)?).await?;
    let both = keys(&cloud, &plan).await?;
    assert_eq!(both.len(), 2);
    assert!(stack.output("ApiKeyValue") != Some(made[0].1.as_str()) && both.iter().all(|(_, _, enabled)| *enabled));

    // As it was asked for before, which is what a rollback asks for: the old key comes back, and the newer one retires.
    let stack = cloud
        .deploy_template("subscribed", template("stacked", "shop", json!({"ExpiresAt": "2100-01-01T00:00:00Z"}))?)
        .await?;
    assert_eq!(stack.output("ApiKeyValue"), Some(made[0].1.as_str()));
    assert_eq!(keys(&cloud, &plan).await?, both);

    // Nobody has written a value down: not the functions, and not what carries their answers.
    let logs = std::path::PathBuf::from(std::env::var("LOCAL_CLOUD_DIR")?);
    for log in ["ministack.log", "moto.log"] {
        let text = String::from_utf8_lossy(&std::fs::read(logs.join(log))?).into_owned();
        assert!(!text.is_empty() && both.iter().all(|(_, value, _)| !text.contains(value.as_str())), "{log}");
    }

    // Another plan is another subscription: the new key is there before the old ones go.
    let second = self::plan(&cloud, "stacked-too", &other, "prod").await?;
    let stack = cloud.deploy_template("subscribed", template("stacked-too", "shop", json!({}))?).await?;
    assert_eq!(stack.status, "UPDATE_COMPLETE", "{:?}", stack.reasons);
    let gone = async || Ok(keys(&cloud, &plan).await?.is_empty());
    cloud.until("the old keys are gone", 30, gone).await?;
    assert_eq!(keys(&cloud, &second).await?.len(), 1);
    let name = stack.output("Name").context("no name")?.to_owned();
    let behind = catalog(&cloud, json!({"command": "delete", "name": name})).await?.unwrap_err();
    assert_eq!(behind.error_type, "Conflict", "{behind}");

    cloud.remove("subscribed").await?;
    assert!(keys(&cloud, &second).await?.is_empty());
    let refused = cloud.deploy_template("unsubscribed", template("no-such-plan", "shop", json!({}))?).await?;
    assert!(refused.reasons.iter().any(|reason| reason.contains("there is no such usage plan")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_subscription_is_paused_resumed_rotated_and_revoked_by_commands() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let api = api(&cloud).await?;
    let plan = plan(&cloud, "commanded", &api, "prod").await?;
    // Another plan for the same stage: a key fits only one of them, so each subscription has its own.
    let second = self::plan(&cloud, "commanded-too", &api, "prod").await?;
    let spec = |plan: &str| json!({"Plan": {"UsagePlanId": plan}, "Consumer": "shop"});
    let planned = catalog(&cloud, json!({"command": "plan", "name": "shop-1", "spec": spec(&plan)})).await??;
    assert_eq!(planned["plan"], format!("+ an API key for shop on commanded ({plan})\n"));
    assert!(keys(&cloud, &plan).await?.is_empty(), "a plan makes nothing");
    let items = json!([{"name": "shop-1", "spec": spec(&plan)}, {"name": "shop-2", "spec": spec(&second)}]);
    let made = catalog(&cloud, json!({"command": "apply", "items": items})).await??;
    let (first, value) = (&made["items"][0], &made["items"][0]["attributes"]["ApiKeyValue"]);
    assert_eq!((&first["status"], first["attributes"]["ApiKeyId"].is_string()), (&json!("ACTIVE"), true));
    assert_eq!(keys(&cloud, &plan).await?[0].1, value.as_str().context("no value")?);
    assert_eq!(keys(&cloud, &second).await?.len(), 1);

    let again = catalog(&cloud, json!({"command": "apply", "name": "shop-1", "spec": spec(&plan)})).await??;
    assert!(again["attributes"].get("ApiKeyValue").is_none(), "it was given once");
    let other =
        catalog(&cloud, json!({"command": "apply", "name": "shop-1", "spec": spec(&second)})).await?.unwrap_err();
    assert_eq!(other.error_type, "Conflict", "{other}");

    let does = async |verb: &str| catalog(&cloud, json!({"command": verb, "name": "shop-1"})).await;
    assert_eq!(does("pause").await??["status"], "PAUSED");
    assert!(!keys(&cloud, &plan).await?[0].2);
    assert_eq!(does("resume").await??["status"], "ACTIVE");
    assert!(keys(&cloud, &plan).await?[0].2);
    let rotated = does("rotate").await??;
    assert_ne!(&rotated["attributes"]["ApiKeyValue"], value);
    assert_eq!((keys(&cloud, &plan).await?.len(), rotated["retiringKeys"].as_array().map(Vec::len)), (2, Some(1)));
    assert_eq!(does("rotate").await?.unwrap_err().error_type, "Conflict");
    let listed = catalog(&cloud, json!({"command": "list", "spec": {"Kind": "Subscriptions"}})).await??;
    assert!(!listed.to_string().contains("ApiKeyValue"));
    for _ in 0..2 {
        assert_eq!(does("revoke").await??["status"], "DELETED");
    }
    assert!(keys(&cloud, &plan).await?.is_empty());
    catalog(&cloud, json!({"command": "delete", "name": "shop-2"})).await??;
    Ok(())
}

#[tokio::test]
async fn two_who_ask_for_the_same_subscription_at_once_get_one_key() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let plan = plan(&cloud, "raced", &api(&cloud).await?, "prod").await?;
    let spec = json!({"Plan": {"UsagePlanId": plan}, "Consumer": "shop"});
    let ask = || catalog(&cloud, json!({"command": "apply", "name": "raced", "spec": spec}));
    let answers = futures::future::join_all([ask(), ask(), ask(), ask()]).await;
    let given = answers.into_iter().collect::<Result<Result<Vec<_>, _>>>()??;
    let values = given.iter().filter(|one| one["attributes"].get("ApiKeyValue").is_some()).count();
    assert_eq!((keys(&cloud, &plan).await?.len(), values), (1, 1), "one of them is given it");
    catalog(&cloud, json!({"command": "delete", "name": "raced"})).await??;
    Ok(())
}

#[tokio::test]
async fn a_tenant_subscribes_to_the_front_doors_plans_and_to_no_others() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000070";
    let door = Door::build(&cloud, "subscribed-door").await?;
    let route = door.route("/seventy", json!(["GET"]));
    door.routes(None, json!({"command": "apply", "name": "seventy", "spec": route})).await??;
    door.tenant(account, &["/seventy"]).await?;
    let open = plan(&cloud, "of-the-door", &door.api, "live").await?;
    let closed = plan(&cloud, "of-another", &api(&cloud).await?, "prod").await?;
    let alias = format!("account-{account}");
    let ask = async |name: &str, plan: Value| {
        let spec = json!({"Plan": plan, "Consumer": "seventy"});
        cloud.ask("catalog", Some(&alias), json!({"command": "apply", "name": name, "spec": spec})).await
    };
    let made = ask("mine", json!({"UsagePlanId": open})).await??;
    assert_eq!((&made["status"], &made["accountId"]), (&json!("ACTIVE"), &json!(account)));
    for (plan, what) in [
        (json!({"UsagePlanId": closed}), "a plan that is not for a front door"),
        (json!({"UsagePlanName": "basic", "AccountId": "200000000071"}), "somebody else's account"),
    ] {
        let refused = ask("theirs", plan).await?.err().with_context(|| format!("let in: {what}"))?;
        assert_eq!(refused.error_type, "Forbidden", "{what}: {refused}");
    }
    // What its grant names it may have, and nothing else.
    let grant = json!({"AccountId": account, "Prefixes": ["/seventy"], "UsagePlans": ["of-another"]});
    cloud.ask("tenants", None, json!({"command": "apply", "spec": grant})).await??;
    assert_eq!(ask("theirs", json!({"UsagePlanId": closed})).await??["status"], "ACTIVE");

    // A name is its own: another's of the same name is another's.
    let none = cloud.ask("catalog", None, json!({"command": "get", "name": "mine"})).await?.unwrap_err();
    assert_eq!(none.error_type, "NotFound");
    for name in ["mine", "theirs"] {
        cloud.ask("catalog", Some(&alias), json!({"command": "delete", "name": name})).await??;
    }
    assert!(keys(&cloud, &open).await?.is_empty() && keys(&cloud, &closed).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_write_role_of_the_template_is_enough_and_every_permission_of_it_is_needed() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "200000000080";
    let (_, plan_id) = cloud.make_apis(account, 1, &["prod"], Some("basic")).await?;
    let template = Example::load("federation/member-account.yaml")?.with("AWS::Partition", "aws");
    let statements = template.properties("WriteRole")?["Policies"][0]["PolicyDocument"]["Statement"].clone();
    let statements = statements.as_array().cloned().context("no statements")?;
    let role = format!("arn:aws:iam::{account}:role/foregate-write");
    let life = async |name: String| -> Result<Result<Value, FunctionError>> {
        let plan = json!({"UsagePlanName": "basic", "AccountId": account, "ExternalId": "pets-2027"});
        let spec = json!({"Plan": plan, "Consumer": "shop"});
        for payload in [
            json!({"command": "apply", "name": name, "spec": spec}),
            json!({"command": "pause", "name": name}),
            json!({"command": "resume", "name": name}),
            json!({"command": "rotate", "name": name}),
        ] {
            if let Err(error) = catalog(&cloud, payload).await? {
                return Ok(Err(error));
            }
        }
        catalog(&cloud, json!({"command": "delete", "name": name})).await
    };
    cloud.set_role(&role, json!(statements), Some("pets-2027")).await?;
    life("eighty".into()).await??;
    let used: Vec<String> = cloud
        .calls_in(account)
        .await?
        .into_iter()
        .filter(|(_, role)| role == "foregate-write")
        .map(|(call, _)| call)
        .collect();
    assert!(used.len() >= 10 && used.iter().any(|call| call.starts_with("DELETE /apikeys/")), "{used:?}");

    let mut tried = 0;
    for (index, statement) in statements.iter().enumerate() {
        // Only who was cut short while attaching looks whether the key is on the plan.
        if statement["Sid"] == "SeeWhetherAKeyIsAttached" {
            continue;
        }
        let actions = statement["Action"].as_array().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
        for action in &actions {
            let mut fewer = statements.clone();
            fewer[index]["Action"] = actions.iter().filter(|one| *one != action).cloned().collect();
            cloud.set_role(&role, json!(fewer), Some("pets-2027")).await?;
            let name = format!("eighty-{tried}");
            let refused =
                life(name.clone()).await?.err().with_context(|| format!("not needed: {action} of {statement}"))?;
            assert!(refused.message.contains("not authorized"), "{action} of {statement}: {refused}");
            cloud.set_role(&role, json!(statements), Some("pets-2027")).await?;
            catalog(&cloud, json!({"command": "delete", "name": name})).await??;
            tried += 1;
        }
    }
    assert_eq!(tried, 7);

    // Only who was cut short while attaching, and finds its key on the plan, has to look whether it is there.
    // And who names no external id says the one that the account is discovered with.
    let discovery = json!({"Accounts": [{"AccountId": account, "ExternalId": "pets-2027"}]});
    catalog(&cloud, json!({"command": "apply", "name": "eighty", "spec": discovery})).await??;
    let spec = json!({"Plan": {"UsagePlanName": "basic", "AccountId": account}, "Consumer": "shop"});
    let planned = catalog(&cloud, json!({"command": "plan", "name": "adopted", "spec": spec})).await??;
    let name = format!("foregate-{}-1", planned["id"].as_str().context("no id")?);
    let tags = json!({"foregate": std::env::var("PREFIX")?});
    let key = cloud.post_as(account, "apikeys", json!({"name": name, "enabled": true, "tags": tags})).await?;
    let on_plan = json!({"keyId": key["id"], "keyType": "API_KEY"});
    cloud.post_as(account, &format!("usageplans/{plan_id}/keys"), on_plan).await?;
    let looking = |one: &&Value| one["Sid"] == "SeeWhetherAKeyIsAttached";
    let fewer: Vec<&Value> = statements.iter().filter(|one| !looking(one)).collect();
    let adopt = json!({"command": "apply", "name": "adopted", "spec": spec});
    cloud.set_role(&role, json!(fewer), Some("pets-2027")).await?;
    assert!(catalog(&cloud, adopt.clone()).await?.is_err(), "the last permission is not needed");
    cloud.set_role(&role, json!(statements), Some("pets-2027")).await?;
    let adopted = catalog(&cloud, adopt).await??;
    assert_eq!(adopted["attributes"]["ApiKeyId"], key["id"], "no second key was made");
    for name in ["adopted", "eighty"] {
        catalog(&cloud, json!({"command": "delete", "name": name})).await??;
    }
    Ok(())
}
