"""Assumptions as a table, experiments as lines."""

from dataclasses import dataclass
from typing import Callable, Optional

from botocore.exceptions import ClientError

from aws_check.account import Stopped

EXPERIMENTS = []
# Needs that a run can have, and what to do for them.
NEEDS = {
    "traffic": "requests through API Gateway to a backend: the local cloud forwards none",
    "member": "a second account: pass --member-profile",
    "open": "time or money that this command does not spend: see the experiment",
}


@dataclass
class Experiment:
    name: str
    source: str
    assumes: str
    how: str
    where: str
    needs: Optional[str]
    run: Optional[Callable]


def experiment(name, source, assumes, how, where, needs=None):
    """Registers an experiment: what the code assumes, and how AWS is asked. The function answers what it found; it is as
    assumed when that equals `assumes`."""

    def register(run):
        EXPERIMENTS.append(Experiment(name, source, assumes, how, where, needs, run))
        return run

    return register


def open_question(name, source, assumes, how, where):
    """Registers an assumption that this command does not settle, with the experiment that would."""
    EXPERIMENTS.append(Experiment(name, source, assumes, how, where, "open", None))


@dataclass
class Result:
    experiment: Experiment
    found: str
    outcome: str  # "as assumed", "DIFFERS", "failed" or "not run"


def run_all(account, context, has):
    """Runs what can be run with what this run `has`, one after the other."""
    for one in EXPERIMENTS:
        if one.needs and one.needs not in has:
            yield Result(one, f"needs {NEEDS[one.needs]}", "not run")
            continue
        try:
            found = one.run(account, context)
        except (ClientError, Stopped) as error:
            yield Result(one, str(error), "failed")
            continue
        yield Result(one, found, "as assumed" if found == one.assumes else "DIFFERS")


def table():
    """The assumptions in Markdown; docs/aws-assumptions.md holds it."""
    lines = ["| assumption | Foregate assumes | experiment | rests on it | source |", "|---|---|---|---|---|"]
    for one in EXPERIMENTS:
        settled = {None: "", "open": " (not part of `make aws-check`)"}.get(one.needs, f" (needs {one.needs})")
        cells = [f"`{one.name}`", one.assumes, one.how + settled, one.where, one.source]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
