//! Instances and the Auto Scaling groups that they are in.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::Ipv4Addr;

use super::{Model, State};
use crate::aws::{Answer, AutoScaling, Instance, InstanceState, Instances, LifecycleAction, TagFilter};
use crate::types::InstanceId;

/// The tag that Auto Scaling gives its instances.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

impl State {
    /// A running instance in the VPC, in service in an Auto Scaling group, with these tags besides the group's own.
    pub fn add_instance(&mut self, vpc_id: &str, group: &str, tags: &[(&str, &str)]) -> InstanceId {
        let id: InstanceId = self.next_id("i").parse().unwrap_or_else(|e| panic!("{e}"));
        let tags =
            tags.iter().copied().chain([(GROUP_TAG, group)]).map(|(key, value)| (key.to_string(), value.to_string()));
        let instance = Instance {
            id: id.clone(),
            state: InstanceState::Running,
            vpc_id: Some(vpc_id.into()),
            ipv4: Some(Ipv4Addr::from(0x0a00_0000 + self.made)),
            ipv6: None,
            tags: tags.collect(),
        };
        self.instances.insert(id.clone(), instance);
        self.scaling_groups.entry(group.into()).or_default().insert(id.clone(), "InService".into());
        id
    }

    /// Auto Scaling wants to terminate the instance, and a lifecycle hook makes it wait.
    pub fn begin_termination(&mut self, id: &InstanceId) -> Option<LifecycleAction> {
        let group = self.instances.get(id)?.tags.get(GROUP_TAG)?.clone();
        let state = self.scaling_groups.get_mut(&group)?.get_mut(id)?;
        *state = "Terminating:Wait".into();
        let token = self.next_id("token");
        let action = LifecycleAction { group, hook: "drain".into(), token, instance: id.clone() };
        self.actions.push((action.clone(), self.now_seconds + self.heartbeat_seconds));
        Some(action)
    }

    /// The instance is gone, and with it its address and its place in its group.
    pub fn terminate(&mut self, id: &InstanceId) {
        if let Some(instance) = self.instances.get_mut(id) {
            (instance.state, instance.ipv4, instance.vpc_id) = (InstanceState::Terminated, None, None);
        }
        self.scaling_groups.values_mut().for_each(|group| drop(group.remove(id)));
        self.actions.retain(|(action, _)| action.instance != *id);
    }

    /// Ends the actions that got no heartbeat in time, as Auto Scaling does.
    pub fn end_overdue_actions(&mut self) {
        let now = self.now_seconds;
        let overdue: Vec<InstanceId> =
            self.actions.iter().filter(|(_, end)| *end <= now).map(|(action, _)| action.instance.clone()).collect();
        overdue.iter().for_each(|id| self.terminate(id));
    }
}

fn passes(instance: &Instance, filter: &TagFilter) -> bool {
    match filter {
        TagFilter::AnyKey(keys) => keys.iter().any(|key| instance.tags.contains_key(key)),
        TagFilter::Values(key, values) => instance.tags.get(key).is_some_and(|value| values.contains(value)),
    }
}

impl Instances for Model {
    fn instances(&self, filters: &[TagFilter]) -> impl Future<Output = Answer<Vec<Instance>>> + Send {
        self.call("DescribeInstances", |state| {
            let all = state.instances.values();
            Ok(all.filter(|instance| filters.iter().all(|filter| passes(instance, filter))).cloned().collect())
        })
    }

    fn instances_by_id(&self, ids: &BTreeSet<InstanceId>) -> impl Future<Output = Answer<Vec<Instance>>> + Send {
        self.call("DescribeInstances", |state| {
            Ok(ids.iter().filter_map(|id| state.instances.get(id).cloned()).collect())
        })
    }
}

impl AutoScaling for Model {
    fn groups(
        &self,
        names: &BTreeSet<String>,
    ) -> impl Future<Output = Answer<BTreeMap<String, BTreeMap<InstanceId, String>>>> + Send {
        self.call("DescribeAutoScalingGroups", |state| {
            let found = names.iter().filter_map(|name| Some((name.clone(), state.scaling_groups.get(name)?.clone())));
            Ok(found.collect())
        })
    }

    fn heartbeat_seconds(&self, group: &str, _hook: &str) -> impl Future<Output = Answer<Option<u64>>> + Send {
        self.call("DescribeLifecycleHooks", |state| {
            Ok(state.scaling_groups.contains_key(group).then_some(state.heartbeat_seconds))
        })
    }

    fn heartbeat(&self, action: &LifecycleAction) -> impl Future<Output = Answer<bool>> + Send {
        self.call("RecordLifecycleActionHeartbeat", move |state| {
            let end = state.now_seconds + state.heartbeat_seconds;
            let found = state.actions.iter_mut().find(|(one, _)| one == action);
            Ok(found.map(|(_, until)| *until = end).is_some())
        })
    }

    fn complete(&self, action: &LifecycleAction) -> impl Future<Output = Answer<bool>> + Send {
        self.call("CompleteLifecycleAction", move |state| {
            let waits = state.actions.iter().any(|(one, _)| one == action);
            if waits {
                state.terminate(&action.instance);
            }
            Ok(waits)
        })
    }
}
