"""IAM's decisions on requests to Lambda and EventBridge, as AWS's tables of actions and resource types have them."""

import json

from botocore.exceptions import ClientError

from tests.recordings.ministack import MinistackTest


class Permissions(MinistackTest):
    def as_user(self, service, *statements):
        """A client for the service as a user who may do what the statements allow."""
        iam, name = self.client("iam"), self.name("user")[-64:]
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.client(service, key["AccessKeyId"], key["SecretAccessKey"])

    def assert_denied(self, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        self.assertIn("AccessDenied", error.exception.response["Error"]["Code"])

    def function_with_alias(self):
        seen, _ = self.queue("seen")
        function = self.function("function", {"SEEN": seen})
        made = self.client("lambda").create_alias(FunctionName=function, Name="blue", FunctionVersion="$LATEST")
        return function, made["AliasArn"]

    def test_a_statement_on_an_alias_allows_that_alias_alone(self):
        function, alias = self.function_with_alias()
        user = self.as_user("lambda", {"Action": "lambda:*", "Resource": alias})
        user.invoke(FunctionName=function, Qualifier="blue")
        user.add_permission(
            FunctionName=function,
            Qualifier="blue",
            StatementId="one",
            Action="lambda:InvokeFunction",
            Principal="111111111111",
        )
        user.put_function_event_invoke_config(FunctionName=function, Qualifier="blue", MaximumRetryAttempts=1)
        self.assert_denied(user.invoke, FunctionName=function)
        self.assert_denied(user.invoke, FunctionName=function, Qualifier="$LATEST")
        self.assert_denied(user.put_function_event_invoke_config, FunctionName=function, MaximumRetryAttempts=1)

    def test_a_statement_on_the_function_does_not_allow_its_aliases(self):
        function, alias = self.function_with_alias()
        user = self.as_user("lambda", {"Action": "lambda:*", "Resource": alias.rsplit(":", 1)[0]})
        user.invoke(FunctionName=function)
        self.assert_denied(user.invoke, FunctionName=function, Qualifier="blue")

    def test_settings_of_a_function_have_actions_of_their_own(self):
        function, alias = self.function_with_alias()
        may = {"Action": "lambda:PutFunctionEventInvokeConfig", "Resource": alias}
        user = self.as_user("lambda", may)
        user.put_function_event_invoke_config(FunctionName=function, Qualifier="blue", MaximumRetryAttempts=1)
        self.assert_denied(user.get_function_event_invoke_config, FunctionName=function, Qualifier="blue")
        self.assert_denied(user.put_function_recursion_config, FunctionName=function, RecursiveLoop="Allow")

    def test_a_statement_on_a_bus_does_not_allow_changing_its_policy(self):
        bus = self.client("events").create_event_bus(Name="shared")["EventBusArn"]
        grant = {"EventBusName": "shared", "Action": "events:PutEvents", "Principal": "111111111111", "StatementId": "one"}
        self.assert_denied(self.as_user("events", {"Action": "events:*", "Resource": bus}).put_permission, **grant)
        iam, name = self.client("iam"), self.name("user")[-64:]
        statement = {"Effect": "Allow", "Action": "events:PutPermission", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.client("events", key["AccessKeyId"], key["SecretAccessKey"]).put_permission(**grant)
