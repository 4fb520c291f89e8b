"""Patches of moto for what instances are part of: Auto Scaling's lifecycle hooks, security groups, the end of an instance.
Nothing here knows Foregate."""

import uuid

from moto.autoscaling import models as scaling
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.ec2.exceptions import InvalidSecurityGroupRuleIdNotFoundError
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupBackend

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

# Lifecycle actions that wait, and those that were completed, oldest first.
WAITING = []
COMPLETED = []


def hook_of(group, transition):
    hooks = group.autoscaling_backend.describe_lifecycle_hooks(group.name)
    return next((hook for hook in hooks if hook.lifecycle_transition == transition), None)


def begin(group, state, hook, lifecycle_state):
    state.lifecycle_state = lifecycle_state
    # An instance has one action at a time: one that leaves while it was still coming is no longer coming.
    WAITING[:] = [one for one in WAITING if one["EC2InstanceId"] != state.instance.id]
    WAITING.append(
        {
            "LifecycleActionToken": str(uuid.uuid4()),
            "Region": group.autoscaling_backend.region_name,
            "AutoScalingGroupName": group.name,
            "LifecycleHookName": hook.name,
            "EC2InstanceId": state.instance.id,
            "LifecycleTransition": hook.lifecycle_transition,
            "Heartbeats": 0,
        }
    )


def find(region, group_name, hook_name, token, instance_id):
    for action in WAITING:
        of = action["Region"], action["AutoScalingGroupName"], action["LifecycleHookName"]
        if of == (region, group_name, hook_name):
            if token == action["LifecycleActionToken"] or (not token and instance_id == action["EC2InstanceId"]):
                return action
    what = f"token {token}" if token else f"instance ID {instance_id}"
    raise ValidationError(f"No active Lifecycle Action found with {what}")


def found(response):
    region = response.autoscaling_backend.region_name
    return find(region, *(response._get_param(name) for name in NAMES))


def is_leaving(state):
    return state.lifecycle_state == "Terminating:Wait"


def terminate_now(group, state):
    group.instance_states = [one for one in group.instance_states if one is not state]
    group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id])


def patch_lifecycle_hooks():
    """A hook puts an instance that comes or goes into a wait state until its action is completed; meanwhile it runs and is
    part of its group (Auto Scaling user guide, "Amazon EC2 Auto Scaling lifecycle hooks", "How lifecycle hooks work").
    moto stores hooks and never runs them. Here an action waits without an end of its own."""
    original_capacity = scaling.FakeAutoScalingGroup.set_desired_capacity
    original_launch = scaling.FakeAutoScalingGroup.replace_autoscaling_group_instances
    original_terminate = scaling.AutoScalingBackend.terminate_instance

    def active_instances(self):
        return [one for one in self.instance_states if one.lifecycle_state in ("InService", "Pending:Wait")]

    def set_desired_capacity(self, new_capacity):
        hook = hook_of(self, TERMINATING)
        surplus = len(self.active_instances()) - (self.min_size if new_capacity is None else new_capacity)
        if hook and surplus > 0:
            # "Use instance scale-in protection" (Auto Scaling user guide).
            unprotected = [one for one in self.active_instances() if not one.protected_from_scale_in]
            for state in unprotected[:surplus]:
                begin(self, state, hook, "Terminating:Wait")
        # moto chooses among all of the group's instances: those that leave are out of its sight meanwhile.
        leaving = [one for one in self.instance_states if is_leaving(one)]
        self.instance_states = [one for one in self.instance_states if not is_leaving(one)]
        try:
            return original_capacity(self, new_capacity)
        finally:
            self.instance_states = leaving + self.instance_states

    def replace_autoscaling_group_instances(self, *args, **kwargs):
        before = list(self.instance_states)
        original_launch(self, *args, **kwargs)
        hook = hook_of(self, LAUNCHING)
        for state in [one for one in self.instance_states if hook and one not in before]:
            begin(self, state, hook, "Pending:Wait")

    def terminate_instance(self, instance_id, should_decrement):
        for group in self.autoscaling_groups.values():
            hook = hook_of(group, TERMINATING)
            for state in group.instance_states:
                if state.instance.id == instance_id and is_leaving(state):
                    return scaling.TerminateInstanceActivity(state.instance, group.desired_capacity)
                if hook and state.instance.id == instance_id:
                    capacity = group.desired_capacity
                    begin(group, state, hook, "Terminating:Wait")
                    group.set_desired_capacity(capacity - 1 if should_decrement else capacity)
                    return scaling.TerminateInstanceActivity(state.instance, capacity)
        return original_terminate(self, instance_id, should_decrement)

    def complete_lifecycle_action(self):
        result = self._get_param("LifecycleActionResult")
        action = found(self)
        WAITING.remove(action)
        COMPLETED.append({**action, "LifecycleActionResult": result})
        group = self.autoscaling_backend.autoscaling_groups[action["AutoScalingGroupName"]]
        state = next(one for one in group.instance_states if one.instance.id == action["EC2InstanceId"])
        if action["LifecycleTransition"] == LAUNCHING and result == "CONTINUE":
            state.lifecycle_state = "InService"
        else:
            terminate_now(group, state)
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self):
        found(self)["Heartbeats"] += 1
        return EmptyResult()

    scaling.FakeAutoScalingGroup.active_instances = active_instances
    scaling.FakeAutoScalingGroup.set_desired_capacity = set_desired_capacity
    scaling.FakeAutoScalingGroup.replace_autoscaling_group_instances = replace_autoscaling_group_instances
    scaling.AutoScalingBackend.terminate_instance = terminate_instance
    AutoScalingResponse.complete_lifecycle_action = complete_lifecycle_action
    AutoScalingResponse.record_lifecycle_action_heartbeat = record_lifecycle_action_heartbeat


NAMES = ["AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken", "InstanceId"]


def patch_terminated_instances():
    """A terminated instance is described for a while, with its tags and without its addresses (EC2 user guide, "Terminate
    Amazon EC2 instances"); moto keeps the address."""
    original = Instance.terminate

    def terminate(self):
        answer = original(self)
        for interface in self.nics.values():
            interface.private_ip_address = None
            interface.private_ip_addresses = []
        return answer

    Instance.terminate = terminate


def patch_revoke_ingress():
    """A rule id that does not exist is InvalidSecurityGroupRuleId.NotFound (EC2 API reference, "Error codes")."""
    original = SecurityGroupBackend.revoke_security_group_ingress

    def revoke_security_group_ingress(self, group_name_or_id, *args, **kwargs):
        group = self.get_security_group_by_name_or_id(group_name_or_id, kwargs.get("vpc_id"))
        known = {rule.id for rule in group.ingress_rules} if group else set()
        for rule_id in kwargs.get("security_rule_ids") or []:
            if rule_id not in known:
                raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
        return original(self, group_name_or_id, *args, **kwargs)

    SecurityGroupBackend.revoke_security_group_ingress = revoke_security_group_ingress


def list_lifecycle_actions(wish):
    """{"AutoScalingGroupName", "Region"?}: its actions that wait and those that were completed."""
    names = [name for name in ("AutoScalingGroupName", "Region") if name in wish]
    of_group = lambda actions: [one for one in actions if all(one[name] == wish[name] for name in names)]
    return {"waiting": of_group(WAITING), "completed": of_group(COMPLETED)}
