"""The short demo: a link, a front door, a tenant, a route with every feature, a node that drains. Its names begin with
`foregate-check-RUN`. What it leaves in the context the experiments read."""

import json
import time

from aws_check.account import Stopped

# The spare load balancer's listener and the backend's port: neither is likely to be in use.
PORT = 18080
# A server that answers every request with its own request line and headers, as they came.
ECHO = f"""#!/usr/bin/env python3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
class Echo(BaseHTTPRequestHandler):
    def answer(self):
        body = json.dumps({{"line": self.requestline, "headers": self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer
ThreadingHTTPServer(("", {PORT}), Echo).serve_forever()
"""
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64"
HOST = "backend.example.com"


class Context:
    """What the demo has made."""


def play(account):
    context = Context()
    context.name = account.name("door")
    say("a VPC link to the load balancer")
    context.link = link(account)
    say(f"a listener on port {PORT} and an instance behind it")
    network(account, context)
    say("a binding that makes the instance a target")
    binding(account, context)
    say("a front door, a tenant, and a route with every feature")
    front_door(account, context)
    return context


def say(text):
    print(f"== {text}", flush=True)


def command(account, function, verb, name, spec=None, **more):
    payload = {"command": verb, "name": name, **more}
    if spec is not None:
        payload["spec"] = spec
    return account.invoke(function, payload)


def link(account):
    name = account.name("link")
    spec = {"LoadBalancer": {"LoadBalancerArn": account.settings.load_balancer_arn}}
    command(account, "links", "apply", name, spec)
    account.later(f"VPC link {name}", lambda: command(account, "links", "delete", name))

    def available():
        answer = command(account, "links", "get", name)
        if answer["status"] == "FAILED":
            raise Stopped(f"the VPC link {name} failed: {answer}")
        return answer if answer["status"] == "AVAILABLE" else None

    return account.until(f"the VPC link {name}", available)


def network(account, context):
    elb, ec2, scaling = account.client("elbv2"), account.client("ec2"), account.client("autoscaling")
    arn = account.settings.load_balancer_arn
    balancer = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    vpc, subnets = balancer["VpcId"], [zone["SubnetId"] for zone in balancer["AvailabilityZones"]]
    group = elb.create_target_group(
        Name=account.name("t"), Protocol="TCP", Port=PORT, VpcId=vpc, TargetType="instance",
        HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=5, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    account.later("target group", lambda: elb.delete_target_group(TargetGroupArn=group))
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
    listener = elb.create_listener(
        LoadBalancerArn=arn, Protocol="TCP", Port=PORT, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}]
    )["Listeners"][0]["ListenerArn"]
    account.later("listener", lambda: elb.delete_listener(ListenerArn=listener))
    security_group = ec2.create_security_group(GroupName=account.name("sg"), Description="foregate-check", VpcId=vpc)["GroupId"]
    account.later(f"security group {security_group}", lambda: ec2.delete_security_group(GroupId=security_group))
    ranges = [{"CidrIp": one["CidrBlock"]} for one in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]]
    ec2.authorize_security_group_ingress(
        GroupId=security_group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "IpRanges": ranges}],
    )
    name = account.name("nodes")
    template = ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={
            "ImageId": image(account),
            "InstanceType": "t3.nano",
            "UserData": user_data(),
            "SecurityGroupIds": [security_group],
            "MetadataOptions": {"HttpTokens": "required"},
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    account.later("launch template", lambda: ec2.delete_launch_template(LaunchTemplateId=template))
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=0, MaxSize=2, DesiredCapacity=2, VPCZoneIdentifier=",".join(subnets),
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
    )
    account.later(f"Auto Scaling group {name}", lambda: remove_group(account, name))
    scaling.put_lifecycle_hook(
        AutoScalingGroupName=name, LifecycleHookName="foregate-drain", HeartbeatTimeout=300, DefaultResult="CONTINUE",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )
    context.target_group, context.group = group, name
    both = lambda: len(in_service(account, name)) == 2 and in_service(account, name)
    context.instances = account.until("the instances", both)


def image(account):
    if account.is_local:
        return account.client("ec2").describe_images()["Images"][0]["ImageId"]
    return account.client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]


def user_data():
    import base64

    # A server of the standard library's alone: the instance needs no way out to install one.
    script = f"#!/bin/bash\ncat > /run/echo.py <<'END'\n{ECHO}END\nexec python3 /run/echo.py\n"
    return base64.b64encode(script.encode()).decode()


def group_of(account, name):
    found = account.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return next(iter(found["AutoScalingGroups"]), None)


def in_service(account, name):
    group = group_of(account, name) or {"Instances": []}
    return [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]


def remove_group(account, name):
    account.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    account.until(f"the end of {name}", lambda: group_of(account, name) is None)


def states(account, context):
    answer = account.client("elbv2").describe_target_health(TargetGroupArn=context.target_group)
    found = answer["TargetHealthDescriptions"]
    return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in found}


def binding(account, context):
    name = account.name("nodes")
    spec = {
        "Source": {"Nodes": {"AutoScalingGroupNames": [context.group]}},
        "Sink": {"TargetGroup": {"TargetGroupArn": context.target_group}},
        "Options": {"AllowEmpty": True, "MaxRemovalPercent": 100},
    }
    command(account, "bindings", "apply", name, spec)
    account.later(f"binding {name}", lambda: command(account, "bindings", "delete", name))
    healthy = lambda: all(states(account, context).get(one) == "healthy" for one in context.instances)
    account.until("healthy targets", healthy)
    context.binding = name


def front_door(account, context):
    gateway, name = account.gateway, context.name
    api = account.scratch_api("api")
    door = {"RestApiId": api, "StageName": "live", "BaseDefinition": health_definition(), "AllowedCidrs": ["0.0.0.0/0"]}
    account.later(f"front door {name}", lambda: command(account, "routes", "delete", name, resource="FrontDoor"))
    command(account, "routes", "apply", name, door)
    tenant = account.name("tenant")
    grants = {"AccountId": account.settings.tenant_account, "Prefixes": [f"/check-{account.run}"]}
    account.later(f"tenant {tenant}", lambda: command(account, "tenants", "delete", tenant))
    context.tenant = command(account, "tenants", "apply", tenant, {**grants, "Events": True})
    for what, spec in routes(account, context).items():
        account.later(f"route {what}", lambda what=what: command(account, "routes", "delete", what))
        command(account, "routes", "apply", what, spec)
    live = lambda: all(command(account, "routes", "get", what)["status"] == "LIVE" for what in routes(account, context))
    account.until("the routes", live)
    context.api = api
    context.url = f"https://{api}.execute-api.{account.region}.amazonaws.com/live"
    context.deployment = gateway.get_stage(restApiId=api, stageName="live")["deploymentId"]


def health_definition():
    """A path of the platform team's own, answered by API Gateway itself."""
    integration = {
        "type": "mock",
        "contentHandling": "CONVERT_TO_TEXT",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200"}},
    }
    operation = {
        "security": [],
        "responses": {"200": {"description": "OK"}},
        "x-amazon-apigateway-integration": integration,
    }
    return {"paths": {"/health": {"get": operation}}}


def routes(account, context):
    """One route with every feature that needs no further resource, and one for each thing that the backend is to see."""
    backend = {"Http": {"Link": account.name("link"), "Url": f"http://{HOST}:{PORT}/items/{{id}}"}}
    common = {"FrontDoor": context.name, "Backend": backend}
    cors = {"AllowOrigins": ["https://one.example.com", "https://two.example.com"], "AllowHeaders": ["X-Asked"]}
    headers = {"X-Team": "cats", "X-Request": "context.requestId", "X-Asked": "method.request.header.X-Asked"}
    return {
        account.name("open"): {
            **common, "Path": "/open/{id}", "Methods": ["GET", "POST"], "Auth": "NONE", "Headers": headers,
            "TimeoutMs": 5000, "Cors": cors,
        },
        account.name("keyed"): {
            **common, "Path": "/keyed/{id}", "Methods": ["GET"], "Auth": "AWS_IAM", "ApiKeyRequired": True,
        },
    }


def drain(account, context):
    """Has Auto Scaling take one instance of two, and watches the order of things: what was seen, in that order."""
    seen, instance = [], context.instances[0]

    def note(what):
        if what not in seen:
            seen.append(what)

    account.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=True
    )
    if account.is_local:
        tell_action(account, context)
    end = time.monotonic() + 900
    while time.monotonic() < end:
        state = states(account, context).get(instance)
        if state in (None, "draining", "unused"):
            note("deregistered" if state is None else "draining")
        group = group_of(account, context.group)
        lifecycle = {one["InstanceId"]: one["LifecycleState"] for one in group["Instances"]}.get(instance)
        if lifecycle != "Terminating:Wait" and seen:
            note("released")
            return seen
        time.sleep(0.2 if account.is_local else 2)
    raise Stopped(f"the instance was not released; so far: {seen}")


def tell_action(account, context):
    """The local cloud's Auto Scaling tells nobody of its actions: this puts the event where EventBridge would."""
    import os
    import urllib.request

    url = os.environ["MOTO_URL"] + "/local-cloud/lifecycle-actions"
    body = json.dumps({"AutoScalingGroupName": context.group}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=body)) as answer:
        action = json.load(answer)["waiting"][0]
    fields = ("LifecycleActionToken", "AutoScalingGroupName", "LifecycleHookName", "EC2InstanceId", "LifecycleTransition")
    event = {
        "version": "0", "id": "00000000-0000-0000-0000-000000000000", "source": "aws.autoscaling",
        "detail-type": "EC2 Instance-terminate Lifecycle Action", "account": account.id, "region": account.region,
        "time": "2026-11-20T09:30:12Z", "resources": [], "detail": {name: action[name] for name in fields},
    }
    event["detail"].update(Origin="AutoScalingGroup", Destination="EC2")
    account.client("sqs").send_message(QueueUrl=os.environ["FOREGATE_QUEUE_URL"], MessageBody=json.dumps(event))
