"""Prints a CloudFormation template as JSON, `!Ref` and the like written out: cfn-lint's own reading of it."""

import json
import sys

from cfnlint.decode import decode


def main():
    template, problems = decode(sys.argv[1])
    if problems:
        sys.exit("\n".join(f"{sys.argv[1]}: {problem.message}" for problem in problems))
    json.dump(template, sys.stdout)


if __name__ == "__main__":
    main()
