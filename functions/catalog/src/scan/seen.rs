//! What API Gateway's lists say, as the catalogue's records have it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use shared::aws::{ListedApi, ListedStage};
use shared::registry::Record;
use shared::types::RestApiId;

use crate::plan::plans_of;
use crate::posture;
use crate::record::{Api, ApiKey, Plan, Stage, Status};
use crate::targets::Target;

/// Which API it is.
pub(super) fn key_of(target: &Target, id: &RestApiId) -> ApiKey {
    ApiKey { place: target.place.clone(), id: id.clone() }
}

/// Those that a usage plan is for, or all where they are asked for; what the catalogue has stays in it while it is there.
pub(super) fn is_wanted(
    target: &Target,
    api: &ListedApi,
    plans: &[Plan],
    known: &BTreeMap<ApiKey, Record<Api>>,
) -> bool {
    let is_known = known.get(&key_of(target, &api.id)).is_some_and(|record| record.value.status != Status::Gone);
    target.include_all || is_known || !plans_of(api.id.as_str(), plans).is_empty()
}

/// Those of the catalogue that a list does not have.
pub(super) fn missing(known: &BTreeMap<ApiKey, Record<Api>>, listed: &[ListedApi]) -> Vec<ApiKey> {
    let listed: BTreeSet<&RestApiId> = listed.iter().map(|api| &api.id).collect();
    let is_missing =
        |(key, record): &(&ApiKey, &Record<Api>)| record.value.status != Status::Gone && !listed.contains(&key.id);
    known.iter().filter(is_missing).map(|(key, _)| key.clone()).collect()
}

/// A stage as it is listed, with what it `shows`: that is what the catalogue has of this deployment's document.
pub(super) fn settings(listed: &ListedStage, shows: Stage) -> Stage {
    let Stage { document_hash, refusal, methods, .. } = shows;
    let general = listed.settings.get("*/*");
    Stage {
        deployment_id: listed.deployment_id.clone(),
        document_hash,
        refusal,
        methods,
        has_access_log: listed.has_access_log,
        has_execution_log: general.is_some_and(|one| matches!(one.logging.as_str(), "ERROR" | "INFO")),
        has_throttle: general.is_some_and(|one| one.calls_per_second > 0.0),
        secret_variables: posture::secrets(&listed.variables),
    }
}

/// An API as it is listed, with what the catalogue has of it besides.
pub(super) fn assemble(
    target: &Target,
    known: Option<&Api>,
    listed: &ListedApi,
    plans: &[Plan],
    stages: BTreeMap<String, Stage>,
) -> Api {
    Api {
        key: key_of(target, &listed.id),
        name: listed.api.name.clone(),
        description: listed.api.description.clone(),
        endpoint_types: listed.api.endpoint_types.clone(),
        policy: listed.api.policy.clone(),
        security_policy: listed.security_policy.clone(),
        tags: listed.tags.clone(),
        stages,
        plans: plans_of(listed.id.as_str(), plans),
        status: Status::Active,
        missed_scans: 0,
        findings: known.map(|known| known.findings.clone()).unwrap_or_default(),
        notes: known.map(|known| known.notes.clone()).unwrap_or_default(),
        since_seconds: known.map_or(0, |known| known.since_seconds),
        changed_seconds: known.map_or(0, |known| known.changed_seconds),
    }
}
