"""An answer held against the one that AWS gave, but for what differs from run to run: the recordings have placeholders for
those, such as <id:1> and <region>, which stand for one value each within a test."""

import datetime
import json
import re

PLACEHOLDER = re.compile(r"<[a-z0-9-]+(?::\d+)?>")
DATE = "datetime"


class Comparison:
    """What the placeholders of a test stand for, as far as it is known."""

    def __init__(self, known=None):
        self.known = dict(known or {})

    def differences(self, recorded, answer, path=""):
        """[(where, what AWS answered, what came here)]."""
        if isinstance(recorded, dict) and isinstance(answer, str):
            answer = parsed(answer)
        if isinstance(recorded, dict) and isinstance(answer, dict):
            found = []
            for key in sorted(set(recorded) | set(answer), key=str):
                name = self.resolve(key) if key not in answer else key
                here = f"{path}/{str(key).replace('/', '~1')}"
                if key not in recorded and key in {self.resolve(one) for one in recorded}:
                    continue
                found += self.differences(recorded.get(key), answer.get(name), here)
            return found
        if isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
            pairs = enumerate(zip(recorded, answer))
            return [one for at, (was, is_now) in pairs for one in self.differences(was, is_now, f"{path}/{at}")]
        return [] if self.is_same(recorded, answer) else [(path, recorded, answer)]

    def resolve(self, text):
        return PLACEHOLDER.sub(lambda found: self.known.get(found[0], found[0]), str(text))

    def is_same(self, recorded, answer):
        if recorded == DATE and isinstance(answer, datetime.datetime):
            return True
        if not isinstance(recorded, str) or not isinstance(answer, str):
            return recorded == answer and isinstance(recorded, bool) == isinstance(answer, bool)
        names, pattern, end = [], "", 0
        for found in PLACEHOLDER.finditer(recorded):
            pattern += re.escape(recorded[end : found.start()])
            end = found.end()
            known = self.known.get(found[0])
            if known is None and found[0] in names:
                pattern += f"(?P=p{names.index(found[0])})"
            elif known is None:
                pattern += f"(?P<p{len(names)}>.+?)"
                names.append(found[0])
            else:
                pattern += re.escape(known)
        match = re.fullmatch(pattern + re.escape(recorded[end:]), answer, re.DOTALL)
        if match:
            self.known |= {name: match[f"p{at}"] for at, name in enumerate(names)}
        return bool(match)


def parsed(text):
    """What the recordings show parsed: strings that are JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
