//! The live stage: which deployment it shows, with which variables, and what the front door's `Stage` asks for.

use std::collections::BTreeMap;

use shared::aws::{Patch, RestApis, Stage};
use shared::error::Error;
use shared::front_door::links::STAGE_VARIABLE_PREFIX;
use shared::front_door::{FrontDoorSpec, StageSettings};

use super::retry;
use crate::world::World;

/// An active canary is somebody's experiment: API Gateway would end it with the next deployment.
pub fn refuse_canary(door: &FrontDoorSpec, stage: Option<&Stage>) -> Result<(), Error> {
    if stage.is_none_or(|stage| stage.canary.is_none()) {
        return Ok(());
    }
    Err(Error::blocked(format!(
        "the stage {} of the front door {} has an active canary: promote or remove it",
        door.stage_name, door.name
    )))
}

/// What the stage is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted<'a> {
    /// The deployment.
    pub deployment_id: &'a str,
    /// The variables of the links.
    pub links: BTreeMap<String, String>,
    /// What the front door's `Stage` asks for; what it does not say stays as it is.
    pub settings: &'a StageSettings,
}

impl Wanted<'_> {
    /// Whether the stage is like that.
    pub fn is_on(&self, stage: &Stage) -> bool {
        self.patches(stage).is_empty()
    }

    fn patches(&self, there: &Stage) -> Vec<Patch> {
        let mut patches = self.settings_patches(there);
        patches.extend(replaced(&self.links, there));
        // Variables of links that no route takes any more go; the platform team's own stay.
        let is_unused = |name: &&String| name.starts_with(STAGE_VARIABLE_PREFIX) && !self.links.contains_key(*name);
        let unused = there.variables.keys().filter(is_unused);
        patches.extend(unused.map(|name| Patch::Remove(format!("/variables/{name}"))));
        if there.deployment_id != self.deployment_id {
            patches.push(Patch::Replace("/deploymentId".to_owned(), self.deployment_id.to_owned()));
        }
        patches
    }

    fn settings_patches(&self, there: &Stage) -> Vec<Patch> {
        let StageSettings { access_log, throttling, tracing, variables } = self.settings;
        let replace = |path: &str, value: String| Patch::Replace(path.to_owned(), value);
        let mut patches = Vec::new();
        if let Some(log) = access_log {
            let (arn, format) = (without_star(log.destination_arn.as_str()), log.format.as_str());
            let is_there = |(there, its_format): &(String, String)| without_star(there) == arn && its_format == format;
            if !there.access_log.as_ref().is_some_and(is_there) {
                patches.push(replace("/accessLogSettings/destinationArn", arn.to_owned()));
                patches.push(replace("/accessLogSettings/format", format.to_owned()));
            }
        }
        if let Some(limits) = throttling
            && there.throttling.map(|(rate, burst)| (rate, i64::from(burst)))
                != Some((limits.rate_limit.into(), limits.burst_limit.into()))
        {
            patches.push(replace("/*/*/throttling/rateLimit", limits.rate_limit.to_string()));
            patches.push(replace("/*/*/throttling/burstLimit", limits.burst_limit.to_string()));
        }
        if let Some(is_traced) = tracing.filter(|is_traced| *is_traced != there.is_traced) {
            patches.push(replace("/tracingEnabled", is_traced.to_string()));
        }
        let own: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        patches.extend(replaced(&own, there));
        patches
    }
}

fn replaced(variables: &BTreeMap<String, String>, there: &Stage) -> Vec<Patch> {
    let changed = variables.iter().filter(|(name, value)| there.variables.get(*name) != Some(value));
    changed.map(|(name, value)| Patch::Replace(format!("/variables/{name}"), value.clone())).collect()
}

/// CloudFormation's ARN of a log group ends with `:*`, and API Gateway's does not.
fn without_star(arn: &str) -> &str {
    arn.strip_suffix(":*").unwrap_or(arn)
}

/// Makes the live stage show what is wanted: one call. A new stage that has settings is made without the variables of the links,
/// so that no route leads anywhere before its access log and its limits are there: they come in one call with the variables.
pub async fn switch<W: World>(
    world: &W,
    door: &FrontDoorSpec,
    there: Option<&Stage>,
    wanted: &Wanted<'_>,
) -> Result<(), Error> {
    let (id, name) = (&door.rest_api_id, &door.stage_name);
    let made = match there {
        Some(there) => there.clone(),
        None => {
            let variables = if wanted.settings_patches(&Stage::default()).is_empty() {
                wanted.links.clone()
            } else {
                BTreeMap::new()
            };
            let is_traced = wanted.settings.tracing.unwrap_or_default();
            let create = || world.apis().create_stage(id, name, wanted.deployment_id, &variables, is_traced);
            retry::concurrent(create).await?;
            let deployment_id = wanted.deployment_id.to_owned();
            Stage { deployment_id, variables, is_traced, ..Stage::default() }
        }
    };
    let patches = wanted.patches(&made);
    if patches.is_empty() {
        return Ok(());
    }
    Ok(retry::concurrent(|| world.apis().update_stage(id, name, &patches)).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn replace(path: &str, value: &str) -> Patch {
        Patch::Replace(path.into(), value.into())
    }

    #[test]
    fn deployment_and_links_go_live_in_one_call_that_leaves_the_platform_teams_variables_alone() {
        let there = Stage {
            deployment_id: "d1".into(),
            variables: variables(&[("link_gate", "l1"), ("link_old", "l0"), ("theirs", "x"), ("link_same", "l2")]),
            ..Stage::default()
        };
        let settings = StageSettings::default();
        let links = variables(&[("link_gate", "l9"), ("link_same", "l2"), ("link_new", "l3")]);
        let wanted = Wanted { deployment_id: "d2", links, settings: &settings };
        assert_eq!(
            wanted.patches(&there),
            [
                replace("/variables/link_gate", "l9"),
                replace("/variables/link_new", "l3"),
                Patch::Remove("/variables/link_old".into()),
                replace("/deploymentId", "d2"),
            ]
        );
        let links = variables(&[("link_gate", "l1"), ("link_old", "l0"), ("link_same", "l2")]);
        assert!(Wanted { deployment_id: "d1", links, settings: &settings }.is_on(&there));
    }

    #[test]
    fn what_stage_asks_for_is_set_and_what_it_does_not_say_stays() {
        let group = "arn:aws:logs:eu-west-1:123456789012:log-group:front-door";
        let door = json!({"RestApiId": "f1e2d3c4b5", "StageName": "live", "Stage": {
            "AccessLog": {"DestinationArn": format!("{group}:*"), "Format": "$context.requestId"},
            "Throttling": {"RateLimit": 100, "BurstLimit": 50}, "Tracing": true, "Variables": {"color": "blue"}}});
        let settings = FrontDoorSpec::parse(door).unwrap().stage;
        let wanted = Wanted { deployment_id: "d1", links: BTreeMap::new(), settings: &settings };
        let bare = Stage { deployment_id: "d1".into(), ..Stage::default() };
        assert_eq!(
            wanted.patches(&bare),
            [
                replace("/accessLogSettings/destinationArn", group),
                replace("/accessLogSettings/format", "$context.requestId"),
                replace("/*/*/throttling/rateLimit", "100"),
                replace("/*/*/throttling/burstLimit", "50"),
                replace("/tracingEnabled", "true"),
                replace("/variables/color", "blue"),
            ]
        );
        let done = Stage {
            access_log: Some((group.into(), "$context.requestId".into())),
            throttling: Some((100.0, 50)),
            is_traced: true,
            variables: variables(&[("color", "blue"), ("theirs", "x")]),
            ..bare
        };
        assert!(wanted.is_on(&done));
        let nothing = StageSettings::default();
        assert!(Wanted { settings: &nothing, ..wanted }.is_on(&done));
    }
}
