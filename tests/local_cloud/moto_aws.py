"""moto's server, patched towards AWS where it is laxer than AWS's documentation. moto_nodes.py, moto_apigateway.py (and
api_gateway_*.py), moto_rest_apis.py, moto_usage_plans.py and moto_permissions.py have more of the patches;
moto_record.py, which holds requests to AWS's models, and name_server.py stand beside it.

Each patch says what AWS does and where AWS says so. Nothing here knows Foregate. Besides AWS's own APIs there are a few
routes under /local-cloud/ for what no API of AWS's can do: setting a target's health, replacing an endpoint's
interface, setting what the name server answers, making many instances or REST APIs, setting what a role may do, and
listing lifecycle actions and the calls that an application (by the SDK's `app/NAME` in its user agent) has made.
"""

import argparse
import io
import ipaddress
import json
import os
import threading
import time
from urllib.parse import parse_qs

import moto_apigateway
import moto_rest_apis
import moto_nodes
import moto_permissions
import moto_record
import name_server
import service_models
from moto.apigateway.exceptions import ApiGatewayException
from moto.apigateway.models import apigateway_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError, InvalidParameterValueError
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.elbv2 import models as elb
from moto.elbv2.exceptions import ELBClientError, ResourceInUseError, TargetGroupNotFoundError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

HEALTHY_AFTER_SECONDS = float(os.environ.get("LOCAL_CLOUD_HEALTHY_AFTER_SECONDS", "0"))
LOCK = threading.RLock()


# ---- EC2: interface endpoints ----------------------------------------------------------------------------------------


class InsufficientFreeAddresses(EC2ClientError):
    """EC2 API reference, error code InsufficientFreeAddressesInSubnet."""

    def __init__(self, subnet_id):
        message = f"The subnet '{subnet_id}' does not have enough free addresses to satisfy the request."
        super().__init__("InsufficientFreeAddressesInSubnet", message)


def free_address(subnet):
    try:
        return subnet.get_available_subnet_ip(None)
    except StopIteration:
        raise InsufficientFreeAddresses(subnet.id) from None


def add_interface(backend, subnet_id, groups, description, interface_type):
    """A requester-managed interface with an address of its subnet.

    AWS: "Requester-managed network interfaces" (VPC user guide); an endpoint network interface is "assigned a private IP
    address from the IP address range of your subnet" (AWS PrivateLink guide, "Access an AWS service using an interface
    VPC endpoint").
    """
    subnet = backend.get_subnet(subnet_id)
    # The first four addresses of a subnet are AWS's own (VPC user guide, "Subnet CIDR blocks").
    reserved = set(list(ipaddress.ip_network(subnet.cidr_block).hosts())[:3])
    address = free_address(subnet)
    while ipaddress.ip_address(address) in reserved:
        address = free_address(subnet)
    interface = backend.create_network_interface(subnet, address, group_ids=groups, description=description)
    interface.interface_type = interface_type
    interface.requester_managed = True
    interface.status = "in-use"
    return interface


def drop_interface(backend, interface_id):
    # The address is not given back: AWS hands out a subnet's addresses anew only when it must.
    backend.enis.pop(interface_id, None)


def interfaces_of(backend, description):
    """Those that AWS made; anybody else may describe his own in the same words."""
    return [one for one in backend.enis.values() if one.description == description and one.requester_managed]


def endpoint_interface(backend, endpoint, subnet_id):
    description = f"VPC Endpoint Interface {endpoint.id}"
    interface = add_interface(backend, subnet_id, endpoint.security_group_ids or None, description, "vpc_endpoint")
    endpoint.network_interface_ids.append(interface.id)


def is_interface_endpoint(endpoint):
    return (endpoint.vpc_endpoint_type or "").lower() == "interface"


def patch_create_vpc_endpoint():
    """moto gives an endpoint's interfaces addresses outside their subnets, no description and the type `interface`. And an
    endpoint that is made without security groups has the VPC's default one (recorded; EC2 API reference, "CreateVpcEndpoint")."""
    original = VPCBackend.create_vpc_endpoint

    def create_vpc_endpoint(self, *args, **kwargs):
        with LOCK:
            endpoint = original(self, *args, **kwargs)
            if is_interface_endpoint(endpoint):
                for interface_id in endpoint.network_interface_ids:
                    drop_interface(self, interface_id)
                endpoint.network_interface_ids = []
                if not endpoint.security_group_ids:
                    endpoint.security_group_ids = [self.get_default_security_group(endpoint.vpc_id).id]
                try:
                    for subnet_id in endpoint.subnet_ids or []:
                        endpoint_interface(self, endpoint, subnet_id)
                except InsufficientFreeAddresses:
                    for interface_id in endpoint.network_interface_ids:
                        drop_interface(self, interface_id)
                    del self.vpc_end_points[endpoint.id]
                    raise
            return endpoint

    VPCBackend.create_vpc_endpoint = create_vpc_endpoint


def patch_modify_vpc_endpoint():
    """AWS makes an interface in each subnet that is added and deletes that of each one removed (EC2 API reference,
    ModifyVpcEndpoint, AddSubnetIds and RemoveSubnetIds); moto's interfaces never change."""
    original = VPCBackend.modify_vpc_endpoint

    def modify_vpc_endpoint(self, vpc_id, **kwargs):
        with LOCK:
            original(self, vpc_id=vpc_id, **kwargs)
            endpoint = self.vpc_end_points[vpc_id]
            if not is_interface_endpoint(endpoint):
                return
            if kwargs.get("add_security_groups") or kwargs.get("remove_security_groups"):
                groups = [self.get_security_group_from_id(one) for one in endpoint.security_group_ids]
                for interface_id in endpoint.network_interface_ids:
                    self.enis[interface_id]._group_set = list(groups)
            interfaces = [self.enis[one] for one in endpoint.network_interface_ids if one in self.enis]
            for interface in [one for one in interfaces if one.subnet.id not in endpoint.subnet_ids]:
                endpoint.network_interface_ids.remove(interface.id)
                drop_interface(self, interface.id)
            present = {self.enis[one].subnet.id for one in endpoint.network_interface_ids}
            for subnet_id in [one for one in endpoint.subnet_ids if one not in present]:
                endpoint_interface(self, endpoint, subnet_id)

    VPCBackend.modify_vpc_endpoint = modify_vpc_endpoint


def patch_delete_vpc_endpoints():
    """AWS forgets a deleted endpoint; moto describes it as `deleted` for ever (EC2 API reference, error code
    InvalidVpcEndpointId.NotFound)."""
    original = VPCBackend.delete_vpc_endpoints

    def delete_vpc_endpoints(self, vpce_ids=None):
        with LOCK:
            original(self, vpce_ids=vpce_ids)
            for endpoint_id in vpce_ids or []:
                self.vpc_end_points.pop(endpoint_id, None)

    VPCBackend.delete_vpc_endpoints = delete_vpc_endpoints


def patch_interface_filters():
    """DescribeNetworkInterfaces has more filters than moto, and refuses those that it doesn't know with
    InvalidParameterValue, not with a fault of its own (EC2 API reference, DescribeNetworkInterfaces)."""
    original = NetworkInterface.get_filter_value
    more = {
        "interface-type": lambda one: one.interface_type,
        "requester-managed": lambda one: str(one.requester_managed).lower(),
        "status": lambda one: one.status,
    }

    def get_filter_value(self, filter_name, method_name=None):
        if filter_name in more:
            return more[filter_name](self)
        try:
            return original(self, filter_name, method_name)
        except NotImplementedError:
            raise InvalidParameterValueError(filter_name) from None

    NetworkInterface.get_filter_value = get_filter_value


# ---- EC2: requests about security group rules ------------------------------------------------------------------------


def patch_look_ups():
    """moto looks through all tags for those of one resource, and through all instances for one, which takes minutes with
    thousands of them. The answers stay the same."""

    def get_tags(self):
        tags = dict(self.ec2_backend.tags.get(self.id) or {})
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "") if self.id else ""
        return [{"resource_id": self.id, "key": k, "value": v, "resource_type": kind} for k, v in tags.items()]

    def get_instance_by_id(self, instance_id):
        known = self.__dict__.setdefault("instances_by_id", {})
        if instance_id not in known:
            known.update((instance.id, instance) for instance in self.all_instances())
        return known.get(instance_id)

    def get_instance(self, instance_id):
        instance = self.get_instance_by_id(instance_id)
        if instance is None:
            raise InvalidInstanceIdError(instance_id)
        return instance

    TaggedEC2Resource.get_tags = get_tags
    InstanceBackend.get_instance_by_id = get_instance_by_id
    InstanceBackend.get_instance = get_instance


def patch_authorize_ingress():
    """AWS adds all rules of a request or none, and answers "the inbound (ingress) security group rules that were added"
    (EC2 API reference, AuthorizeSecurityGroupIngress, response elements). moto takes a request's permissions one by
    one, keeps those before the refused one, and answers the rules of the last."""
    original = SecurityGroups.authorize_security_group_ingress

    def authorize_security_group_ingress(self):
        with LOCK:
            name_or_id = self._get_param("GroupName") or self._get_param("GroupId")
            group = self.ec2_backend.get_security_group_by_name_or_id(name_or_id)
            if group is None:
                return original(self)
            before = list(group.ingress_rules)
            try:
                original(self)
            except Exception:
                group.ingress_rules = before
                raise
            return ActionResult({"Return": True, "SecurityGroupRules": group.ingress_rules[len(before) :]})

    SecurityGroups.authorize_security_group_ingress = authorize_security_group_ingress


def patch_rule_pages():
    """MaxResults is "between 5 and 1000. If this parameter is not specified, then all items are returned" (EC2 API
    reference, DescribeSecurityGroupRules; error code InvalidMaxResults); moto always returns all."""
    original = SecurityGroups.describe_security_group_rules

    def describe_security_group_rules(self):
        most, token = self._get_int_param("MaxResults"), self._get_param("NextToken") or ""
        if most is not None and not 5 <= most <= 1000:
            raise EC2ClientError("InvalidMaxResults", f"The value {most} for MaxResults is not between 5 and 1000")
        if most is None and not token:
            return original(self)
        # A token is the id of the last rule told: a rule that goes between two pages neither hides nor repeats another.
        rules = [rule for rule in original(self).result["SecurityGroupRules"] if rule.id > token]
        page = sorted(rules, key=lambda rule: rule.id)[:most]
        return ActionResult({"SecurityGroupRules": page, "NextToken": page[-1].id if len(rules) > len(page) else None})

    SecurityGroups.describe_security_group_rules = describe_security_group_rules


# ---- Elastic Load Balancing: targets ---------------------------------------------------------------------------------


class InvalidTarget(ELBClientError):
    code = "InvalidTarget"


class ValidationError(ELBClientError):
    code = "ValidationError"


class TargetState:
    """A target as DescribeTargetHealth tells it, with the zone that it was registered with."""

    def __init__(self, group, target, state, reason=None, description=None):
        zone = {"AvailabilityZone": target["AvailabilityZone"]} if "AvailabilityZone" in target else {}
        self.target = {"Id": target["Id"], "Port": target["Port"], **zone}
        self.health_check_port = group.health_check_port
        self.target_health = {"State": state, "Reason": reason, "Description": description}


def target_key(group, target):
    return target["Id"], int(target.get("Port") or group.port)


def check_target(group, target):
    """What RegisterTargets refuses (Elastic Load Balancing API reference, TargetDescription and InvalidTarget): no IP
    address; one outside the subnets of the group's VPC that is publicly routable or comes without a zone; an instance
    that is not running or comes with a zone; a port over 65535."""
    if target_key(group, target)[1] > 65535:
        raise ValidationError(f"Port '{target['Port']}' is not between 1 and 65535")
    if group.target_type == "ip":
        try:
            address = ipaddress.ip_address(target["Id"])
        except ValueError:
            raise ValidationError(f"'{target['Id']}' is not a valid IPv4 address") from None
        subnets = ec2_backends[group.account_id][group.region_name].subnets
        inside = any(
            address in ipaddress.ip_network(subnet.cidr_block)
            for by_zone in subnets.values()
            for subnet in by_zone.values()
            if subnet.vpc_id == group.vpc_id
        )
        if not inside and address.is_global:
            raise InvalidTarget(f"The IP address '{target['Id']}' is publicly routable")
        if not inside and not target.get("AvailabilityZone"):
            raise InvalidTarget(
                f"The IP address '{target['Id']}' is not within a range of addresses of the VPC, and has no "
                "Availability Zone"
            )
    elif group.target_type == "instance":
        if target.get("AvailabilityZone"):
            raise ValidationError("You cannot specify an Availability Zone for a target of the type 'instance'")
        instance = group.ec2_backend.get_instance_by_id(target["Id"])
        if instance is None or instance.state != "running":
            raise InvalidTarget(
                f"The following targets are not in a running state and cannot be registered: '{target['Id']}'"
            )


def is_running(group, target):
    """An instance that does not run is `unused` (Network Load Balancer guide, "Target health status",
    Target.InvalidState)."""
    instance = group.ec2_backend.get_instance_by_id(target["Id"])
    return instance is not None and instance.state == "running"


def deregistration_delay_seconds(group):
    return int(group.attributes.get("deregistration_delay.timeout_seconds", 300))


def is_routed_to(group):
    """Whether a listener or a rule forwards to the group now; moto's own list of its load balancers only grows (Network
    Load Balancer guide, "Target health status", Target.NotInUse)."""
    return elb.elbv2_backends[group.account_id][group.region_name]._any_listener_using(group.arn)


def forget_drained(group):
    now = time.monotonic()
    for key in [key for key, target in group.targets.items() if target.get("drained", now + 1) <= now]:
        del group.targets[key]


def patch_targets():
    """Targets are told apart by id and port; a refused batch registers none of its targets; deregistering an absent
    target, or one on another port, succeeds and does nothing; a deregistered target drains for the deregistration delay
    and is then gone; a registered one is `initial` at first, `unused` while nothing routes to the group (Elastic Load
    Balancing: "Register targets", "Target health status", "Deregistration delay")."""

    def register(self, targets):
        with LOCK:
            for target in targets:
                check_target(self, target)
            for target in targets:
                key = target_key(self, target)
                known = self.targets.get(key)
                if known and "drained" not in known:
                    continue
                kept = {"Id": key[0], "Port": key[1], "since": time.monotonic()}
                if target.get("AvailabilityZone"):
                    kept["AvailabilityZone"] = target["AvailabilityZone"]
                self.targets[key] = kept

    def deregister(self, targets):
        with LOCK:
            for target in targets:
                known = self.targets.get(target_key(self, target))
                if known and "drained" not in known:
                    known["drained"] = time.monotonic() + deregistration_delay_seconds(self)

    def health_for(self, target, ec2_backend):
        known = self.targets.get(target_key(self, target))
        if known is None:
            absent = {"Id": target["Id"], "Port": target_key(self, target)[1]}
            return TargetState(self, absent, "unused", "Target.NotRegistered", "Target is not registered")
        if "drained" in known:
            description = "Target deregistration is in progress"
            return TargetState(self, known, "draining", "Target.DeregistrationInProgress", description)
        if self.target_type == "instance" and not is_running(self, known):
            return TargetState(self, known, "unused", "Target.InvalidState", "Target is in the stopped state")
        if not is_routed_to(self):
            description = "Target group is not configured to receive traffic from the load balancer"
            return TargetState(self, known, "unused", "Target.NotInUse", description)
        pinned = PINNED_HEALTH.get((self.arn, *target_key(self, known)))
        if pinned:
            return TargetState(self, known, *pinned)
        if time.monotonic() - known["since"] < HEALTHY_AFTER_SECONDS:
            description = "Target registration is in progress"
            return TargetState(self, known, "initial", "Elb.RegistrationInProgress", description)
        return TargetState(self, known, "healthy")

    def describe_target_health(self, target_group_arn, targets):
        with LOCK:
            group = self.target_groups.get(target_group_arn)
            if group is None:
                raise TargetGroupNotFoundError()
            forget_drained(group)
            return [group.health_for(one, self.ec2_backend) for one in targets or list(group.targets.values())]

    elb.FakeTargetGroup.register = register
    elb.FakeTargetGroup.deregister = deregister
    elb.FakeTargetGroup.health_for = health_for
    elb.ELBv2Backend.describe_target_health = describe_target_health


def patch_target_group_attributes():
    """`preserve_client_ip.enabled` is there for TCP, TLS, UDP and TCP_UDP, off by default for IP targets over TCP and
    TLS and on otherwise (Network Load Balancer guide, "Client IP preservation")."""
    original = elb.FakeTargetGroup.__init__

    def __init__(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if self.protocol in ("TCP", "TLS", "UDP", "TCP_UDP"):
            off = self.target_type == "ip" and self.protocol in ("TCP", "TLS")
            self.attributes["preserve_client_ip.enabled"] = "false" if off else "true"

    elb.FakeTargetGroup.__init__ = __init__


def patch_network_load_balancers():
    """A Network Load Balancer's ARN reads `loadbalancer/net/NAME/ID`, and it has a network interface in each subnet with
    the description `ELB net/NAME/ID` (Network Load Balancer guide, "Security groups": finding its interfaces), also after
    SetSubnets."""
    original_create = elb.ELBv2Backend.create_load_balancer
    original_subnets = elb.ELBv2Backend.set_subnets
    original_delete = elb.ELBv2Backend.delete_load_balancer

    def create_load_balancer(self, *args, **kwargs):
        with LOCK:
            balancer = original_create(self, *args, **kwargs)
            if balancer.type == "network":
                tags = self.tagging_service.get_tag_dict_for_resource(balancer.arn)
                del self.load_balancers[balancer.arn]
                balancer.arn = balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
                self.load_balancers[balancer.arn] = balancer
                self.tagging_service.tag_resource(balancer.arn, [{"Key": k, "Value": v} for k, v in tags.items()])
                description = "ELB " + balancer.arn.split(":loadbalancer/")[1]
                for subnet in balancer.subnets:
                    groups = balancer.security_groups or None
                    add_interface(self.ec2_backend, subnet.id, groups, description, "network_load_balancer")
            return balancer

    def set_subnets(self, arn, subnets, subnet_mappings):
        with LOCK:
            zones = original_subnets(self, arn, subnets, subnet_mappings)
            balancer = self.load_balancers[arn]
            if balancer.type == "network":
                description = "ELB " + arn.split(":loadbalancer/")[1]
                here = interfaces_of(self.ec2_backend, description)
                wanted = {subnet.id for subnet in balancer.subnets}
                for interface in [one for one in here if one.subnet.id not in wanted]:
                    drop_interface(self.ec2_backend, interface.id)
                for subnet_id in wanted - {one.subnet.id for one in here}:
                    groups = balancer.security_groups or None
                    add_interface(self.ec2_backend, subnet_id, groups, description, "network_load_balancer")
            return zones

    def delete_load_balancer(self, arn):
        with LOCK:
            # "You can't delete a load balancer if it is in use by another service" (Network Load Balancer guide, "Delete a
            # Network Load Balancer"): a VPC link's endpoint service is one.
            links = apigateway_backends[self.account_id][self.region_name].get_vpc_links()
            if any(arn in link.target_arns and link.status != "FAILED" for link in links):
                raise ResourceInUseError(
                    f"Load balancer '{arn}' cannot be deleted because it is currently associated with another service"
                )
            description = "ELB " + arn.split(":loadbalancer/")[-1]
            for interface in interfaces_of(self.ec2_backend, description):
                drop_interface(self.ec2_backend, interface.id)
            for group in self.target_groups.values():
                group.load_balancer_arns = [one for one in group.load_balancer_arns if one != arn]
            return original_delete(self, arn)

    elb.ELBv2Backend.create_load_balancer = create_load_balancer
    elb.ELBv2Backend.set_subnets = set_subnets
    elb.ELBv2Backend.delete_load_balancer = delete_load_balancer


# ---- what no API of AWS's can do -------------------------------------------------------------------------------------

CALLS = []
PINNED_HEALTH = {}


def set_target_health(wish):
    """{"TargetGroupArn", "Id", "Port", "State", "Reason"?}, also for a target that is not registered yet; a State of null
    gives it back to the clock."""
    key = wish["TargetGroupArn"], wish["Id"], int(wish["Port"])
    with LOCK:
        PINNED_HEALTH.pop(key, None)
        if wish.get("State"):
            PINNED_HEALTH[key] = wish["State"], wish.get("Reason")
    return {}


def replace_endpoint_interface(wish):
    """{"VpcEndpointId", "SubnetId", "Region"}: what AWS does on its own when an endpoint's interface fails."""
    with LOCK:
        backend = ec2_backends[DEFAULT_ACCOUNT_ID][wish["Region"]]
        endpoint = backend.vpc_end_points[wish["VpcEndpointId"]]
        for interface_id in list(endpoint.network_interface_ids):
            if backend.enis[interface_id].subnet.id == wish["SubnetId"]:
                endpoint.network_interface_ids.remove(interface_id)
                drop_interface(backend, interface_id)
        endpoint_interface(backend, endpoint, wish["SubnetId"])
    return {}


def set_interface_address(wish):
    """{"NetworkInterfaceId", "PrivateIpAddress", "Region"}: null for an interface that has no address yet."""
    with LOCK:
        interface = ec2_backends[DEFAULT_ACCOUNT_ID][wish["Region"]].enis[wish["NetworkInterfaceId"]]
        interface.private_ip_address = wish["PrivateIpAddress"]
    return {}


def make_instances(wish):
    """{"Region", "SubnetId", "Count", "Tags"?: {}}: running instances, without volumes, each with a reservation of its
    own, so that DescribeInstances (whose pages moto counts in reservations) has pages; {"InstanceIds"}."""
    with LOCK:
        backend = ec2_backends[DEFAULT_ACCOUNT_ID][wish["Region"]]
        how = {"subnet_id": wish["SubnetId"], "instance_type": "t3.micro", "is_instance_type_default": True}
        how |= {"block_device_mappings": [], "region_name": wish["Region"]}
        image = next(iter(backend.amis))
        made = []
        for _ in range(wish["Count"]):
            tags = {"instance": dict(wish.get("Tags") or {})}
            made += backend.run_instances(image, 1, None, [], tags=tags, **how).instances
    return {"InstanceIds": [instance.id for instance in made]}


THROTTLED = []


def throttle_calls(wish):
    """{"Action", "Argument", "Count"}: Elastic Load Balancing throttles the next so many calls of this action that Foregate
    makes with this argument."""
    with LOCK:
        THROTTLED.append(dict(wish))
    return {}


def is_throttled(body, agent):
    form = parse_qs(body.decode("utf-8", "replace"))
    with LOCK:
        for wish in THROTTLED:
            is_it = [wish["Action"]] == form.get("Action") and [wish["Argument"]] in form.values()
            if is_it and wish["Count"] > 0 and "app/foregate" in agent:
                wish["Count"] -= 1
                return True
    return False


def list_calls(wish):
    """{"Application"}: the calls that it has made, oldest first, as {"action", "arguments"}; the arguments of one to API
    Gateway are its account, region and role (or "") and the status that it was answered."""
    with LOCK:
        return {"calls": [call for call in CALLS if f"app/{wish['Application']}" in call["agent"]]}


ROUTES = {
    "/local-cloud/target-health": set_target_health,
    "/local-cloud/replace-endpoint-interface": replace_endpoint_interface,
    "/local-cloud/interface-address": set_interface_address,
    "/local-cloud/lifecycle-actions": moto_nodes.list_lifecycle_actions,
    "/local-cloud/name": name_server.set_name,
    "/local-cloud/instances": make_instances,
    "/local-cloud/stage": moto_apigateway.show_stage,
    "/local-cloud/vpc-link-status": moto_apigateway.set_link_status,
    "/local-cloud/vpc-link-seconds": moto_apigateway.set_link_seconds,
    "/local-cloud/throttle": moto_apigateway.THROTTLE.set,
    "/local-cloud/rest-apis": moto_rest_apis.make_rest_apis,
    "/local-cloud/rest-api": moto_rest_apis.change_rest_api,
    "/local-cloud/role-policy": moto_permissions.set_role,
    "/local-cloud/calls": list_calls,
    "/local-cloud/throttle-calls": throttle_calls,
}


def refuse(start_response, status, error, message):
    """As API Gateway does it."""
    start_response(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", error)])
    return [json.dumps({"message": message}).encode()]


class LocalCloud:
    """Notes each call, holds it against rates, AWS's models and permissions, and answers the routes above."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        route = ROUTES.get(path)
        if route is None:
            caller = moto_permissions.Caller(environ)
            start_response = self.note(environ, body, caller, start_response)
            if moto_apigateway.THROTTLE.refuses(caller.account, caller.region, method, path):
                error = "TooManyRequestsException"
                return refuse(start_response, "429 Too Many Requests", error, "Too Many Requests")
            if is_throttled(body, environ.get("HTTP_USER_AGENT", "") + environ.get("HTTP_X_AMZ_USER_AGENT", "")):
                start_response("400 Bad Request", [("Content-Type", "text/xml")])
                error = "<Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message>"
                return [f"<ErrorResponse><Error>{error}</Error><RequestId>throttled</RequestId></ErrorResponse>".encode()]
            checked = moto_record.check(environ, body)
            refusal = moto_permissions.refusal(caller, method, path, body)
            if checked:
                moto_record.note(environ, body, caller, checked, denied=bool(refusal))
            if checked and checked.refused:
                kind, error, answer = service_models.refusal(checked)
                start_response("400 Bad Request", [("Content-Type", kind), ("x-amzn-ErrorType", error)])
                return [answer]
            if refusal:
                return refuse(start_response, "403 Forbidden", "AccessDeniedException", refusal)
            return self.application(environ, start_response)
        try:
            status, answer = "200 OK", route(json.loads(body or b"{}"))
        except KeyError as error:
            status, answer = "404 Not Found", {"missing": str(error)}
        except ApiGatewayException as error:
            status, answer = f"{error.code} {error.error_type}", {"message": error.message}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    @staticmethod
    def note(environ, body, caller, start_response):
        """The call, and a `start_response` that notes how it was answered."""
        path = environ["PATH_INFO"]
        if path.startswith(("/restapis", "/vpclinks", "/usageplans", "/apikeys")):
            agent = environ.get("HTTP_X_AMZ_USER_AGENT", "") + environ.get("HTTP_USER_AGENT", "")
            arguments = {"account": caller.account, "region": caller.region, "role": caller.role, "status": None}
            with LOCK:
                CALLS.append({"action": f"{environ['REQUEST_METHOD']} {path}", "arguments": arguments, "agent": agent})

            def noting(status, *args):
                arguments["status"] = int(status.split()[0])
                return start_response(status, *args)

            return noting
        form = parse_qs(body.decode("utf-8", "replace")) if body.startswith(b"Action=") or b"&Action=" in body else {}
        if form:
            arguments = {key: values[0] for key, values in form.items() if key not in ("Action", "Version")}
            agent = f"{environ.get('HTTP_USER_AGENT', '')} {environ.get('HTTP_X_AMZ_USER_AGENT', '')}"
            with LOCK:
                CALLS.append({"action": form["Action"][0], "arguments": arguments, "agent": agent})
        return start_response


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name-server-port", type=int, required=True)
    arguments = parser.parse_args()
    port = arguments.port
    os.environ["MOTO_PORT"] = str(port)
    for patch in (
        patch_create_vpc_endpoint,
        patch_modify_vpc_endpoint,
        patch_delete_vpc_endpoints,
        patch_interface_filters,
        patch_look_ups,
        patch_authorize_ingress,
        patch_rule_pages,
        patch_targets,
        patch_target_group_attributes,
        patch_network_load_balancers,
        moto_apigateway.patch,
        moto_permissions.patch_assume_role,
        moto_nodes.patch_lifecycle_hooks,
        moto_nodes.patch_terminated_instances,
        moto_nodes.patch_revoke_ingress,
    ):
        patch()
    name_server.start(arguments.name_server_port)
    application = LocalCloud(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
