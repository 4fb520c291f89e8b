"""The function of these tests, for a custom runtime: tells the queue SEEN what it was invoked with, and does what the event
says. An event is `{"fail": true}` and the like, a custom resource's request that has them among its properties, a batch of SQS
messages whose bodies are such objects, or of a stream's records with such an object as the attribute `command`:

    fail     the invocation ends as an error
    answer   what the function answers with; `MESSAGE` in it stands for the first message's id, `RECORD` for the number of
             the last record
    again    sends its message to the queue of that URL once more
"""

import json
import os
import urllib.request

import boto3

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
SQS = boto3.client("sqs")


def commands(event):
    for body in map(body_of, event["Records"]) if "Records" in event else [json.dumps(event.get("ResourceProperties", event))]:
        try:
            command = json.loads(body)
        except ValueError:
            continue
        if isinstance(command, dict):
            yield command


def body_of(record):
    image = record.get("dynamodb", {}).get("NewImage", {})
    return record["body"] if "body" in record else image.get("command", {}).get("S", "")


def identified(answer, records):
    first, last = records[0].get("messageId", ""), records[-1].get("dynamodb", {}).get("SequenceNumber", "")
    return json.loads(json.dumps(answer).replace("MESSAGE", first).replace("RECORD", last))


def handle(event, headers):
    seen = {"event": event, "arn": headers["Lambda-Runtime-Invoked-Function-Arn"]}
    SQS.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(seen))
    answer = None
    for command in commands(event):
        if "again" in command:
            SQS.send_message(QueueUrl=command["again"], MessageBody=json.dumps(command))
        if command.get("fail"):
            raise RuntimeError("asked to fail")
        if "answer" in command:
            answer = command["answer"]
    return identified(answer, event["Records"]) if "Records" in event else answer


def post(path, content):
    request = urllib.request.Request(f"{RUNTIME}/{path}", data=json.dumps(content).encode(), method="POST")
    urllib.request.urlopen(request).close()


def main():
    while True:
        with urllib.request.urlopen(f"{RUNTIME}/next") as answer:
            event, headers = json.load(answer), answer.headers
        # What AWS's SDKs take the trace from that their requests carry.
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        request = headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            post(f"{request}/response", handle(event, headers))
        except Exception as error:
            post(f"{request}/error", {"errorMessage": str(error), "errorType": type(error).__name__})


main()
