"""Holds each request to ministack to AWS's models, and notes which permissions it needs. Used by ministack_aws.py, after
ministack was told to enforce IAM."""

from urllib.parse import quote, urlencode

import record
import service_models
from ministack import app
from ministack.core import iam_evaluator
from ministack.services import sts


def patch_requests():
    dispatch = app._dispatch_service_request

    async def checked_dispatch(method, path, headers, body, query_params, request_id):
        request = service_models.request_of(method, quote(path), headers, body, urlencode(query_params, doseq=True))
        checked = service_models.check(request)
        if checked:
            record.request(checked, request.headers)
        if checked and checked.refused:
            kind, error, answer = service_models.refusal(checked)
            return 400, {"Content-Type": kind, "x-amzn-errortype": error}, answer
        return await dispatch(method, path, headers, body, query_params, request_id)

    app._dispatch_service_request = checked_dispatch


# Of items' keys and attributes there are as many as items, and no policy of a function minds them.
TOO_MANY = ("dynamodb:leadingkeys", "dynamodb:attributes")


def patch_permissions():
    enforce = iam_evaluator.enforce

    def noting_enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        context = {key: value for key, value in (service_context or {}).items() if key.lower() not in TOO_MANY}
        if access_key_id in sts._sessions:
            record.permission(access_key_id, (iam_action, resource_arn, region), context, bool(denied))
        return denied

    iam_evaluator.enforce = noting_enforce


def patch_sessions():
    """moto knows nothing of the credentials that Lambda gives to a function: whose they are is noted here."""
    register = sts.register_session

    def register_session(access_key, session):
        register(access_key, session)
        record.session(access_key, session.get("Arn", ""))

    sts.register_session = register_session


def patch():
    patch_requests()
    patch_permissions()
    patch_sessions()
