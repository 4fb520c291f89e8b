"""EC2's endpoints and security groups as Foregate reads them, held to what AWS answered: ec2/ec2.json."""

import unittest

from tests.recordings.comparison import Comparison
from tests.recordings.moto import moto
from tests.recordings.recording import recorded

ACCOUNT = {"111111111111": "123456789012"}
# Where moto answers otherwise, and why Foregate does not mind.
DIFFERENT = {
    "/DnsEntries": "nothing reads an endpoint's names: a private API is called by the name of the API",
    "/DnsOptions": "not read",
    "/IpAddressType": "not read",
    "/PolicyDocument": "not read: whether a private API lets an endpoint in is the API's own policy",
    "/ServiceRegion": "not read",
    "/RequesterManaged": "not read",
}


class Networks(unittest.TestCase):
    def setUp(self):
        self.ec2 = moto().client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def said(self, name):
        return recorded("ec2/ec2.json")[f"TestEc2Integrations::{name}"]

    def test_an_endpoint_that_is_available_is_described_as_recorded(self):
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName="com.amazonaws.eu-west-1.execute-api",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            PrivateDnsEnabled=True,
        )["VpcEndpoint"]
        endpoint = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]
        said = {**self.said("test_vpc_endpoint_dns_names")["available-endpoint"], "OwnerId": "123456789012"}
        said["CreationTimestamp"] = "datetime"
        known = {"<region>": "eu-west-1", "<vpc-id:1>": self.vpc, "<subnet-id:1>": subnet}
        differences = Comparison(known).differences(said, endpoint)
        self.assertEqual([one for one in differences if f"/{one[0].split('/')[1]}" not in DIFFERENT], [])

    def test_a_security_group_is_made_and_listed_as_recorded(self):
        said = self.said("test_get_security_groups_for_vpc")
        made = self.ec2.create_security_group(VpcId=self.vpc, GroupName="group", Description="Description for group")
        self.assertTrue(made["GroupId"].startswith("sg-"))
        self.assertEqual(set(made) - {"Tags"}, set(said["create_security_group"]))
        groups = self.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["SecurityGroups"]
        listed = said["get_security_groups_for_vpc_after_addition"]["SecurityGroupForVpcs"]
        self.assertEqual(sorted(one["GroupName"] for one in groups), ["default", "group"])
        self.assertEqual(len(groups), len(listed))
        default = [one for one in groups if one["GroupName"] == "default"][0]
        self.assertEqual(default["Description"], listed[0]["Description"].replace("<group-name:1>", "default"))
