"""`make aws-check`: what Foregate assumes of AWS, asked of AWS.

It plays a short version of the demo in the reader's own account and runs one experiment for each assumption that nothing else
in this project can settle. It prints what was expected and what was found. Modules, in the order that a run takes: `account`
(clients, names, clean-up), `demo`, `imports`, `stages`, `functions` (experiments by subject), `report`.
"""
