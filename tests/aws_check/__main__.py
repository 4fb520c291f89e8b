"""Asks, plays the demo, runs the experiments, cleans up, and says what differs."""

import argparse
import pathlib
import signal
import sys
import time

from aws_check import demo, functions, imports, open_questions, stages, traffic  # noqa: F401 (they register their experiments)
from aws_check.account import Account, Stopped
from aws_check.report import run_all, table
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "aws-assumptions.md"
BEGIN, END = "<!-- make aws-assumptions: begin -->\n", "<!-- make aws-assumptions: end -->\n"


def parse():
    parser = argparse.ArgumentParser(prog="make aws-check", description=__doc__)
    parser.add_argument("--profile", help="the AWS profile of the front door's account")
    parser.add_argument("--region", help="the region that Foregate is deployed in")
    parser.add_argument("--prefix", default="foregate", help="the Prefix of the deployed stack")
    parser.add_argument("--load-balancer-arn", help="a Network Load Balancer to spare, in a subnet with a way out")
    parser.add_argument("--tenant-account", help="another account of yours, which is onboarded and let go again")
    parser.add_argument("--yes", action="store_true", help="begin without asking")
    parser.add_argument("--write-table", action="store_true", help="write the table into docs/aws-assumptions.md, and end")
    parser.add_argument("--check-table", action="store_true", help="fail if the table there is not today's, and end")
    return parser.parse_args()


def document_with_table(text):
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


def ask(account):
    settings = account.settings
    print(
        f"""This asks the AWS account {account.id} in {account.region}. It needs a Foregate deployed there (Prefix {settings.prefix}).

It makes, and removes again: three REST APIs, a VPC link to {settings.load_balancer_arn},
a listener on port {demo.PORT} of that load balancer with a target group, an Auto Scaling group with two t3.nano instances,
a front door, a tenant (account {settings.tenant_account}), a route and a binding of Foregate's.
It takes about 20 minutes and costs less than a dollar (the instances and the load balancer's hours).
"""
    )
    if settings.yes:
        return
    if input("Type yes to begin: ").strip() != "yes":
        raise Stopped("nothing was done")


def main():
    settings = parse()
    if settings.write_table or settings.check_table:
        text = DOCUMENT.read_text()
        new = document_with_table(text)
        if settings.write_table:
            DOCUMENT.write_text(new)
        elif new != text:
            raise Stopped(f"{DOCUMENT.name} does not have today's table: run make aws-assumptions")
        return 0
    for name in ("load_balancer_arn", "tenant_account"):
        if not getattr(settings, name):
            raise Stopped(f"--{name.replace('_', '-')} is missing")
    account = Account(settings)
    ask(account)
    # Whoever ends this has what was made removed all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("aws-check: ended; what was made is removed"))
    began, differing = time.monotonic(), []
    try:
        context = demo.play(account)
        has = set() if account.is_local else {"traffic"}
        for result in run_all(account, context, has):
            print(f"{result.outcome:<10} {result.experiment.name}: {result.experiment.how}", flush=True)
            if result.outcome != "as assumed":
                print(f"           expected: {result.experiment.assumes}\n           found:    {result.found}", flush=True)
            if result.outcome in ("DIFFERS", "failed"):
                differing.append(result.experiment.name)
    finally:
        print("cleaning up", flush=True)
        stayed = account.clean_up()
        for what in stayed:
            print(f"still there: {what}")
    print(f"took {time.monotonic() - began:.0f} s")
    if stayed:
        raise Stopped("something was left behind: see above, and search for names with foregate-check-" + account.run)
    if differing:
        raise Stopped("AWS differs from what Foregate assumes: " + ", ".join(differing))
    print("everything that was asked is as Foregate assumes")
    return 0


def run():
    try:
        sys.exit(main())
    except (Stopped, ClientError, BotoCoreError) as error:
        sys.exit(f"aws-check: {error}")
    except KeyboardInterrupt:
        sys.exit("aws-check: interrupted; what was made is removed")


if __name__ == "__main__":
    run()
