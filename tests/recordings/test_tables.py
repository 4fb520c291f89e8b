"""DynamoDB as Foregate uses it: conditional writes, transactions and why they are cancelled, what a stream has of them."""

from botocore.exceptions import ClientError

from tests.recordings.ministack import MinistackTest, wait_for
from tests.recordings.recording import recorded


class Tables(MinistackTest):
    def setUp(self):
        self.dynamodb = self.client("dynamodb")
        answer = self.dynamodb.create_table(
            TableName=self.name("table")[-40:].strip("-_"),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self.table, self.stream = answer["TableName"], answer["LatestStreamArn"]

    def said(self, name):
        return recorded("dynamodb/dynamodb.json")[f"TestDynamoDB::{name}"]

    def item(self, identifier, **attributes):
        return {"id": {"S": identifier}, **{name: {"S": value} for name, value in attributes.items()}}

    def put(self, *arguments, **attributes):
        return {"Put": {"TableName": self.table, "Item": self.item(*arguments, **attributes)}}

    def refusal(self, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        return error.exception

    def records(self, count):
        """The stream's records, when there are so many."""
        streams = self.client("dynamodbstreams")
        shard = streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"][0]["ShardId"]
        place = {"StreamArn": self.stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}

        def all_there():
            iterator = streams.get_shard_iterator(**place)["ShardIterator"]
            records = streams.get_records(ShardIterator=iterator)["Records"]
            return records if len(records) >= count else None

        return wait_for(f"{count} records", all_there)

    def test_a_write_whose_condition_fails_is_refused_as_recorded(self):
        said = self.said("test_return_values_on_conditions_check_failure")["items"]
        item = said["Item"]
        self.dynamodb.put_item(TableName=self.table, Item=item)
        condition = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer = self.refusal(self.dynamodb.put_item, TableName=self.table, Item=item, **condition).response
        self.assertEqual(answer["Error"]["Code"], said["Error"]["Code"])
        self.assertEqual(answer["Error"]["Message"], said["Error"]["Message"])
        self.assertEqual(answer["Item"], said["Item"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], said["ResponseMetadata"]["HTTPStatusCode"])

    def test_a_cancelled_transaction_says_of_each_item_why_and_writes_none(self):
        self.dynamodb.put_item(TableName=self.table, Item=self.item("one"))
        taken = self.put("one")
        taken["Put"]["ConditionExpression"] = "attribute_not_exists(id)"
        error = self.refusal(self.dynamodb.transact_write_items, TransactItems=[taken, self.put("two")])
        self.assertEqual(str(error), self.said("test_transaction_write_canceled")["Error"])
        reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
        self.assertEqual(reasons, ["ConditionalCheckFailed", "None"])
        self.assertNotIn("Item", self.dynamodb.get_item(TableName=self.table, Key=self.item("two")))

    def test_a_transaction_on_a_table_that_is_not_there_is_refused_as_recorded(self):
        said = self.said("test_batch_write_not_existing_table")["exc-not-found-transact-write-items"]
        missing = {"Put": {"TableName": "missing", "Item": self.item("one")}}
        answer = self.refusal(self.dynamodb.transact_write_items, TransactItems=[missing]).response
        self.assertEqual(answer["Error"]["Code"], said["Error"]["Code"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], said["ResponseMetadata"]["HTTPStatusCode"])

    def test_a_stream_has_of_transactions_what_changed_and_nothing_else(self):
        said = self.said("test_transact_write_items_streaming")["get-records"]["Records"]
        key = {"TableName": self.table, "Key": self.item("NewKey")}
        update = {"UpdateExpression": "SET attr1 = :one", "ExpressionAttributeValues": {":one": {"S": "value1"}}}
        both = {**update["ExpressionAttributeValues"], ":two": {"S": "value2"}}
        changed = {"UpdateExpression": "SET attr1 = :one, attr2 = :two", "ExpressionAttributeValues": both}
        self.dynamodb.put_item(TableName=self.table, Item=self.item("Fred"))
        for items in (
            [self.put("Fred"), self.put("NewKey")],  # the first changes nothing
            [{"Update": {**key, **changed}}],
            [{"Update": {**key, "Key": self.item("NonExistentKey"), **update}}],
            [{"Delete": key}, self.put("Fred", name="Fred")],
        ):
            self.dynamodb.transact_write_items(TransactItems=items)
        records = self.records(len(said))
        self.assertEqual([what(record) for record in records], [what(record) for record in said])
        for ours, recorded_one in zip(records, said):
            self.assertEqual(set(ours), set(recorded_one))
            self.assertEqual(set(ours["dynamodb"]), set(recorded_one["dynamodb"]))


def what(record):
    """What a record says of the change. Its size, which is 0 here, nothing in Foregate asks for."""
    return record["eventName"], *[record["dynamodb"].get(name) for name in ("Keys", "OldImage", "NewImage")]
