"""Aliases and resource policies of functions: each call that Foregate makes, answered as AWS answered it."""

import json

from botocore.exceptions import ClientError

from tests.recordings.ministack import ACCOUNT, MinistackTest
from tests.recordings.recording import recorded

INVOKE = "lambda:InvokeFunction"


class AliasesAndPermissions(MinistackTest):
    def setUp(self):
        self.lambda_ = self.client("lambda")
        self.name_ = self.function("function", {})

    def said(self, name, step):
        """What AWS answered: an error's code and status, or the answer."""
        answer = recorded("lambda/aliases-and-permissions.json")[name][step]
        return self.outcome(answer) if "Error" in answer else answer

    @staticmethod
    def outcome(answer):
        return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]

    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        return self.outcome(error.exception.response)

    def add(self, statement, **arguments):
        settings = {"Action": INVOKE, "Principal": "s3.amazonaws.com", **arguments}
        return self.lambda_.add_permission(FunctionName=self.name_, StatementId=statement, **settings)

    def alias(self, name, **arguments):
        return self.lambda_.create_alias(FunctionName=self.name_, Name=name, FunctionVersion="$LATEST", **arguments)

    def statements(self, **qualifier):
        return json.loads(self.lambda_.get_policy(FunctionName=self.name_, **qualifier)["Policy"])["Statement"]

    def test_an_alias_of_the_latest_version_is_made_once(self):
        name = "TestLambdaAlias::test_notfound_and_invalid_routingconfigs"
        answer, said = self.alias("blue"), self.said(name, "create-alias-latest")
        self.assertEqual(set(answer) - {"ResponseMetadata"}, set(said) - {"ResponseMetadata"})
        self.assertEqual(answer["FunctionVersion"], said["FunctionVersion"])
        again = self.refused(self.alias, name="blue")
        self.assertEqual(again, self.said(name, "routing_config_exc_already_exist"))
        missing = self.refused(self.lambda_.get_alias, FunctionName=self.name_, Name="green")
        self.assertEqual(missing, self.said(name, "alias_does_not_exist_esc"))

    def test_an_alias_that_is_not_there_is_deleted_without_an_error(self):
        answer = self.lambda_.delete_alias(FunctionName=self.name_, Name="green")
        said = self.said("TestLambdaAlias::test_non_existent_alias_deletion", "delete_alias_response")
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], said["ResponseMetadata"]["HTTPStatusCode"])

    def test_each_qualifier_has_a_policy_of_its_own(self):
        name = "TestLambdaPermissions::test_lambda_permission_fn_versioning"
        self.alias("blue")
        self.add("s3")
        missing = self.refused(self.lambda_.get_policy, FunctionName=self.name_, Qualifier="blue")
        self.assertEqual(missing, self.said(name, "get_policy_after_publishing_new_version"))
        self.add("s3", Qualifier="blue")
        for qualifier, step in (({}, "get_policy"), ({"Qualifier": "blue"}, "get_policy_alias")):
            ours, said = self.statements(**qualifier), self.said(name, step)["Policy"]["Statement"]
            self.assertEqual([one["Sid"] for one in ours], [one["Sid"] for one in said])
            self.assertEqual(ours[0]["Resource"].rsplit(":function:", 1)[1].count(":"), len(qualifier))
        self.lambda_.remove_permission(FunctionName=self.name_, StatementId="s3")
        self.assertEqual(len(self.statements(Qualifier="blue")), 1)

    def test_permissions_are_refused_as_recorded(self):
        name = "TestLambdaPermissions::test_permission_exceptions"
        self.add("s3")
        add, remove = self.lambda_.add_permission, self.lambda_.remove_permission
        new = {"StatementId": "new", "Action": INVOKE, "Principal": "s3.amazonaws.com"}
        old = {"StatementId": "s3"}
        for step, call, arguments in (
            ("add_permission_conflicting_statement_id", add, {**new, **old}),
            ("add_permission_fn_qualifier_latest", add, {**new, "Qualifier": "$LATEST"}),
            ("add_permission_fn_alias_doesnotexist", add, {**new, "Qualifier": "green"}),
            ("add_permission_fn_version_doesnotexist", add, {**new, "Qualifier": "42"}),
            ("add_permission_fn_doesnotexist", add, {**new, "FunctionName": "doesnotexist"}),
            ("remove_permission_fn_alias_doesnotexist", remove, {**old, "Qualifier": "green"}),
            ("remove_permission_fn_doesnotexist", remove, {**old, "FunctionName": "doesnotexist"}),
            ("remove_permission_policy_doesnotexist", remove, {"StatementId": "never"}),
            ("get_policy_fn_doesnotexist", self.lambda_.get_policy, {"FunctionName": "doesnotexist"}),
        ):
            with self.subTest(step):
                answer = self.refused(call, **{"FunctionName": self.name_, **arguments})
                self.assertEqual(answer, self.said(name, step))

    def test_what_a_conflict_says_is_what_aws_says(self):
        answer = recorded("lambda/aliases-and-permissions.json")["TestLambdaPermissions::test_permission_exceptions"]
        self.add("s3")
        with self.assertRaises(ClientError) as error:
            self.add("s3")
        said = answer["add_permission_conflicting_statement_id"]["Error"]["Message"]
        self.assertEqual(error.exception.response["Error"]["Message"], said)

    def test_an_account_is_let_in_as_its_root(self):
        statement = json.loads(self.add("account", Principal=ACCOUNT)["Statement"])
        self.assertEqual(statement["Principal"], {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})

    def test_a_statement_is_taken_out_once(self):
        name = "TestLambdaPermissions::test_remove_multi_permissions"
        self.add("s3")
        self.add("sqs", Principal="sqs.amazonaws.com")
        remove = self.lambda_.remove_permission
        unknown = self.refused(remove, FunctionName=self.name_, StatementId="non-existent")
        self.assertEqual(unknown, self.said(name, "remove_permission_exception_nonexisting_sid"))
        remove(FunctionName=self.name_, StatementId="sqs")
        self.assertEqual([one["Sid"] for one in self.statements()], ["s3"])
        remove(FunctionName=self.name_, StatementId="s3")
        gone = self.refused(self.lambda_.get_policy, FunctionName=self.name_)
        self.assertEqual(gone, self.said(name, "get_policy_exception_removed_all"))
