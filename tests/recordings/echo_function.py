"""The function of these tests, for a custom runtime: tells the queue SEEN what it was invoked with, and does what the event
says. An event is `{"fail": true}` and the like, a custom resource's request that has them among its properties, or a batch of
SQS messages whose bodies are such objects:

    fail     the invocation ends as an error
    answer   what the function answers with; `MESSAGE` in it stands for the first message's id
    again    sends its message to the queue of that URL once more
"""

import json
import os
import urllib.request

import boto3

RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def commands(event):
    own = [json.dumps(event.get("ResourceProperties", event))]
    for body in [record["body"] for record in event["Records"]] if "Records" in event else own:
        try:
            command = json.loads(body)
        except ValueError:
            continue
        if isinstance(command, dict):
            yield command


def handle(event, headers):
    sqs = boto3.client("sqs")
    seen = {"event": event, "arn": headers["Lambda-Runtime-Invoked-Function-Arn"]}
    sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(seen))
    answer = None
    for command in commands(event):
        if "again" in command:
            sqs.send_message(QueueUrl=command["again"], MessageBody=json.dumps(command))
        if command.get("fail"):
            raise RuntimeError("asked to fail")
        if "answer" in command:
            answer = command["answer"]
    if "Records" in event:
        answer = json.loads(json.dumps(answer).replace("MESSAGE", event["Records"][0].get("messageId", "")))
    return answer


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
