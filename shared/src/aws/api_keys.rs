//! API Gateway (API keys and what they are for), behind [`ApiKeys`].

use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::apigateway::{PAGE, PAGES_MAX, found, unreadable};
use super::members::Members;
use super::sdk::{every_page, failed};
use super::{Access, Answer, ApiKeys, Cause};
use crate::types::Secret;

impl ApiKeys for Members {
    async fn find_key(&self, access: &Access, name: &str) -> Answer<Option<String>> {
        let call = self.client(access).await.get_api_keys().name_query(name).include_values(false).limit(PAGE);
        let ids: Vec<String> = every_page!("GetApiKeys", name, PAGES_MAX, call, |page| {
            let exactly = page.items.unwrap_or_default().into_iter().filter(|key| key.name() == Some(name));
            exactly.filter_map(|key| key.id)
        })?;
        // Of several that a race has made it is always the same.
        Ok(ids.into_iter().min())
    }

    async fn create_key(
        &self,
        access: &Access,
        name: &str,
        description: &str,
        (tag, value): (&str, &str),
    ) -> Answer<String> {
        let call = self.client(access).await.create_api_key().name(name).description(description);
        let answer = call.enabled(true).tags(tag, value).send().await.map_err(|e| failed("CreateApiKey", name, e))?;
        answer.id.ok_or_else(|| unreadable("CreateApiKey", name, "it has no id".into()))
    }

    async fn key_value(&self, access: &Access, id: &str) -> Answer<Option<Secret>> {
        let call = self.client(access).await.get_api_key().api_key(id).include_value(true);
        let there = found(call.send().await.map_err(|e| failed("GetApiKey", id, e)))?;
        Ok(there.and_then(|key| key.value).map(Secret::new))
    }

    async fn enable_key(&self, access: &Access, id: &str, enabled: bool) -> Answer<()> {
        let patch = PatchOperation::builder().op(Op::Replace).path("/enabled").value(enabled.to_string()).build();
        let call = self.client(access).await.update_api_key().api_key(id).patch_operations(patch);
        call.send().await.map(drop).map_err(|e| failed("UpdateApiKey", id, e))
    }

    async fn delete_key(&self, access: &Access, id: &str) -> Answer<()> {
        let call = self.client(access).await.delete_api_key().api_key(id);
        found(call.send().await.map_err(|e| failed("DeleteApiKey", id, e))).map(drop)
    }

    async fn attach_key(&self, access: &Access, plan_id: &str, key_id: &str) -> Answer<()> {
        let client = self.client(access).await;
        let call = client.create_usage_plan_key().usage_plan_id(plan_id).key_id(key_id).key_type("API_KEY");
        let Err(error) = call.send().await.map_err(|e| failed("CreateUsagePlanKey", plan_id, e)) else {
            return Ok(());
        };
        // Whether the conflict is that it is on this very plan, its own record says.
        let known = client.get_usage_plan_key().usage_plan_id(plan_id).key_id(key_id);
        match error.cause {
            Cause::Conflict if known.send().await.is_ok() => Ok(()),
            _ => Err(error),
        }
    }
}
