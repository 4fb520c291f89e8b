"""`make aws-check` on the local cloud: makes the load balancer to spare, and answers for the reader."""

import sys

import boto3
from aws_check import __main__ as check


def load_balancer():
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24", AvailabilityZone=f"{ec2.meta.region_name}a")
    subnets = [subnet["Subnet"]["SubnetId"]]
    made = elb.create_load_balancer(Name="foregate-check", Type="network", Scheme="internal", Subnets=subnets)
    return made["LoadBalancers"][0]["LoadBalancerArn"]


if __name__ == "__main__":
    sys.argv[1:] = ["--yes", "--load-balancer-arn", load_balancer(), "--tenant-account", "666677778888", *sys.argv[1:]]
    check.run()
