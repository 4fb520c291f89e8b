//! Auto Scaling, behind [`AutoScaling`].

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::AutoScalingGroup;

use super::sdk::{every_page, failed};
use super::{Answer, AutoScaling, AwsError, LifecycleAction};
use crate::types::InstanceId;

/// How many groups one DescribeAutoScalingGroups is asked for, Auto Scaling's default maximum.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
const NAMES_MAX: usize = 50;
const PAGES_MAX: usize = 20;

/// Auto Scaling in the function's account and region.
#[derive(Clone, Debug)]
pub struct Scaling {
    client: aws_sdk_autoscaling::Client,
}

impl Scaling {
    /// A client; makes no call.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_autoscaling::Client::new(config) }
    }

    async fn pages_of(
        &self,
        names: &[&String],
        groups: &mut BTreeMap<String, BTreeMap<InstanceId, String>>,
    ) -> Answer<()> {
        const OPERATION: &str = "DescribeAutoScalingGroups";
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let subject = names.join(", ");
        let call = self.client.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names));
        groups.extend(every_page!(OPERATION, &subject, PAGES_MAX, call, |page| {
            page.auto_scaling_groups().iter().filter_map(read_group).collect::<Vec<_>>()
        })?);
        Ok(())
    }
}

impl AutoScaling for Scaling {
    async fn groups(&self, names: &BTreeSet<String>) -> Answer<BTreeMap<String, BTreeMap<InstanceId, String>>> {
        let (names, mut groups) = (names.iter().collect::<Vec<_>>(), BTreeMap::new());
        for chunk in names.chunks(NAMES_MAX) {
            self.pages_of(chunk, &mut groups).await?;
        }
        Ok(groups)
    }

    async fn heartbeat_seconds(&self, group: &str, hook: &str) -> Answer<Option<u64>> {
        let call = self.client.describe_lifecycle_hooks().auto_scaling_group_name(group).lifecycle_hook_names(hook);
        match call.send().await.map_err(|e| failed("DescribeLifecycleHooks", group, e)) {
            Ok(answer) => {
                let timeout = answer.lifecycle_hooks().first().and_then(|hook| hook.heartbeat_timeout());
                Ok(timeout.and_then(|seconds| u64::try_from(seconds).ok()))
            }
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn heartbeat(&self, action: &LifecycleAction) -> Answer<bool> {
        let call = self.client.record_lifecycle_action_heartbeat().auto_scaling_group_name(&action.group);
        let call = call.lifecycle_hook_name(&action.hook).lifecycle_action_token(&action.token);
        let answer = call.instance_id(action.instance.as_str()).send().await;
        still_waits(answer.map_err(|e| failed("RecordLifecycleActionHeartbeat", action.instance.as_str(), e)))
    }

    async fn complete(&self, action: &LifecycleAction) -> Answer<bool> {
        let call = self.client.complete_lifecycle_action().auto_scaling_group_name(&action.group);
        let call = call.lifecycle_hook_name(&action.hook).lifecycle_action_token(&action.token);
        let call = call.instance_id(action.instance.as_str()).lifecycle_action_result("CONTINUE");
        still_waits(call.send().await.map_err(|e| failed("CompleteLifecycleAction", action.instance.as_str(), e)))
    }
}

/// Auto Scaling has one code for a group, a hook or an action that is not there: `ValidationError`.
fn is_gone(error: &AwsError) -> bool {
    error.code == "ValidationError"
}

fn still_waits<T>(answer: Answer<T>) -> Answer<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_group(found: &AutoScalingGroup) -> Option<(String, BTreeMap<InstanceId, String>)> {
    let instances = found.instances().iter().filter_map(|instance| {
        let state = instance.lifecycle_state().map_or("", |state| state.as_str());
        Some((instance.instance_id()?.parse().ok()?, state.to_owned()))
    });
    Some((found.auto_scaling_group_name()?.to_owned(), instances.collect()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::{Instance, LifecycleState};

    use super::*;
    use crate::aws::Cause;

    #[test]
    fn a_group_is_read_with_its_instances_states() {
        let instance =
            |id: &str, state: LifecycleState| Instance::builder().instance_id(id).lifecycle_state(state).build();
        let found = AutoScalingGroup::builder()
            .auto_scaling_group_name("web")
            .instances(instance("i-1a2b3c4d", LifecycleState::TerminatingWait))
            .instances(instance("not an id", LifecycleState::InService))
            .build();
        let states = BTreeMap::from([("i-1a2b3c4d".parse().unwrap(), "Terminating:Wait".to_owned())]);
        assert_eq!(read_group(&found), Some(("web".into(), states)));
    }

    #[test]
    fn an_action_that_does_not_wait_any_more_is_no_failure() {
        let error = |code: &str| AwsError {
            operation: "CompleteLifecycleAction",
            subject: "i-1a2b3c4d".into(),
            cause: Cause::of_code(code),
            code: code.into(),
            message: "No active Lifecycle Action found".into(),
        };
        assert_eq!(still_waits(Ok(())), Ok(true));
        assert_eq!(still_waits::<()>(Err(error("ValidationError"))), Ok(false));
        assert!(still_waits::<()>(Err(error("ResourceContention"))).is_err_and(|e| e.cause.is_retryable()));
    }
}
