//! Tenants through the deployed function: aliases, permissions, asynchronous settings and the bus' policy.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tests::Cloud;

async fn apply(cloud: &Cloud, account: &str, events: bool) -> Result<Value> {
    let spec = json!({"AccountId": account, "Prefixes": [format!("/of-{account}")], "Events": events});
    Ok(cloud.ask("tenants", None, json!({"command": "apply", "spec": spec})).await??)
}

async fn delete(cloud: &Cloud, account: &str) -> Result<Value> {
    Ok(cloud.ask("tenants", None, json!({"command": "delete", "name": account})).await??)
}

/// The statements that the bus' policy has of tenants.
async fn statements(cloud: &Cloud) -> Result<Vec<Value>> {
    let bus = cloud.events.describe_event_bus().name(&cloud.bus).send().await?;
    let policy: Value = bus.policy().map(serde_json::from_str).transpose()?.unwrap_or_default();
    let all = policy["Statement"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|statement| statement["Sid"] == "tenants").collect())
}

/// The accounts that may send.
async fn senders(cloud: &Cloud) -> Result<BTreeSet<String>> {
    let statements = statements(cloud).await?;
    let principals = statements.iter().flat_map(|one| one["Principal"]["AWS"].as_array().cloned().unwrap_or_default());
    Ok(principals.filter_map(|arn| Some(arn.as_str()?.split(':').nth(4)?.to_owned())).collect())
}

/// Takes the statement away, in between the changes that other tests make.
async fn lose_statement(cloud: &Cloud) -> Result<()> {
    for _ in 0..100 {
        let call = cloud.events.remove_permission().event_bus_name(&cloud.bus).statement_id("tenants");
        match call.send().await {
            Err(error) if error.as_service_error().is_some_and(|one| one.is_concurrent_modification_exception()) => {}
            other => return Ok(other.map(drop)?),
        }
    }
    bail!("the bus' policy is always being changed")
}

#[tokio::test]
async fn fifty_tenants_at_once_may_all_send_and_share_one_statement() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let accounts: BTreeSet<String> = (0..50).map(|n| format!("5050{n:08}")).collect();
    try_join_all(accounts.iter().map(|account| apply(&cloud, account, true))).await?;
    assert!(senders(&cloud).await?.is_superset(&accounts));
    assert_eq!(statements(&cloud).await?.len(), 1);
    try_join_all(accounts.iter().map(|account| delete(&cloud, account))).await?;
    assert!(senders(&cloud).await?.is_disjoint(&accounts));
    Ok(())
}

#[tokio::test]
async fn a_tenant_may_send_only_if_its_grants_say_so() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let account = "515100000001";
    let event = json!({
        "version": "0", "id": "1", "source": "teams", "detail-type": "Foregate Route Delete", "account": account,
        "time": "2026-11-25T06:00:00Z", "region": "eu-west-1", "resources": [], "detail": {"name": "kittens"},
    });
    for (may_send, expected) in [(false, json!("Forbidden")), (true, Value::Null), (false, json!("Forbidden"))] {
        apply(&cloud, account, may_send).await?;
        assert_eq!(senders(&cloud).await?.contains(account), may_send);
        let answer = cloud.ask("routes", None, event.clone()).await??;
        assert_eq!(answer["errorType"], expected, "{answer}");
    }
    delete(&cloud, account).await?;
    Ok(())
}

#[tokio::test]
async fn what_a_tenant_has_lost_is_there_again_after_the_next_sync() -> Result<()> {
    let cloud = Cloud::connect().await?;
    let (account, alias) = ("525200000001", "account-525200000001");
    let made = apply(&cloud, account, true).await?;
    let function = made["attributes"]["RoutesServiceToken"].as_str().context("no token")?;
    let function = function.strip_suffix(&format!(":{alias}")).context("no alias")?;
    let (lambda, prefix) = (&cloud.lambda, std::env::var("PREFIX")?);
    let failures = format!("arn:aws:sqs:{}:123456789012:{prefix}-failures", cloud.region);
    for lost in ["nothing", "alias", "permission", "asynchronous settings", "bus policy"] {
        match lost {
            "nothing" => {}
            "alias" => drop(lambda.delete_alias().function_name(function).name(alias).send().await?),
            "permission" => {
                let call = lambda.remove_permission().function_name(function).qualifier(alias).statement_id(alias);
                call.send().await?;
            }
            "asynchronous settings" => {
                let call = lambda.delete_function_event_invoke_config().function_name(function).qualifier(alias);
                call.send().await?;
            }
            _ => lose_statement(&cloud).await?,
        }
        let synced = cloud.ask("tenants", None, json!({"command": "sync"})).await??;
        let restored = synced["restored"].as_array().context("no list")?;
        let is_function = !matches!(lost, "nothing" | "bus policy");
        assert_eq!(restored.contains(&json!(account)), is_function, "{lost}: {synced}");
        assert_eq!(synced["complete"], true, "{lost}");
        let policy = lambda.get_policy().function_name(function).qualifier(alias).send().await?;
        assert!(policy.policy().context("no policy")?.contains(account), "{lost}");
        let config = lambda.get_function_event_invoke_config().function_name(function).qualifier(alias).send().await?;
        let destination = config.destination_config().and_then(|one| one.on_failure()?.destination());
        assert_eq!((destination, config.maximum_event_age_in_seconds()), (Some(&*failures), Some(3_600)), "{lost}");
        assert!(senders(&cloud).await?.contains(account), "{lost}");
    }
    delete(&cloud, account).await?;
    let gone = lambda.get_alias().function_name(function).name(alias).send().await;
    assert!(gone.is_err_and(|error| error.to_string().contains("service error")));
    Ok(())
}
