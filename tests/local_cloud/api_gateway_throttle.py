"""The documented rates of API Gateway's control plane."""

import re
import threading
import time


class Throttle:
    """The documented rates of API Gateway's control plane, per account and region: "Amazon API Gateway quotas",
    "creating, deploying and managing an API". Off until somebody asks for it."""

    # What a call is by its method and path, with how many there may be at once and per second. The first that fits.
    RATES = [
        ("CreateDeployment", "POST", r"^/restapis/[^/]+/deployments/?$", 1, 1 / 5),
        ("PutRestApi", "PUT", r"^/restapis/[^/]+/?$", 1, 1),
        ("GetResources", "GET", r"^/restapis/[^/]+/resources/?$", 5, 5 / 2),
        ("CreateVpcLink", "POST", r"^/vpclinks/?$", 1, 1 / 15),
        ("CreateApiKey", "POST", r"^/apikeys/?$", 5, 5),
        ("DeleteApiKey", "DELETE", r"^/apikeys/[^/]+/?$", 5, 5),
        ("UpdateUsagePlan", "PATCH", r"^/usageplans/[^/]+/?$", 1, 1 / 20),
        ("other calls", "", r"^/(restapis|vpclinks|apikeys|usageplans|domainnames)", 40, 10),
    ]

    def __init__(self):
        self.lock = threading.Lock()
        self.is_on = False
        self.buckets = {}
        self.throttled = 0

    def set(self, wish):
        """{"Enabled"}: {"Throttled"}, how many calls have been refused so far."""
        with self.lock:
            self.is_on = wish.get("Enabled", self.is_on)
            return {"Throttled": self.throttled}

    def refuses(self, account, region, method, path):
        kind = next((one for one in self.RATES if one[1] in ("", method) and re.match(one[2], path)), None)
        with self.lock:
            if kind is None or not self.is_on:
                return False
            name, _, _, burst, per_second = kind
            bucket, now = (account, region, name), time.monotonic()
            left, since = self.buckets.get(bucket, (burst, now))
            left = min(burst, left + (now - since) * per_second)
            self.buckets[bucket] = (left - 1, now) if left >= 1 else (left, now)
            self.throttled += left < 1
            return left < 1


THROTTLE = Throttle()
