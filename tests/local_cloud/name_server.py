"""A name server whose answers a test sets: what Amazon's name server in a VPC is to a function. Nothing here knows
Foregate."""

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSServer

NAMES = {}
UDP_BYTES_MAX = 512


class Table(BaseResolver):
    def resolve(self, request, handler):
        reply = request.reply()
        name = str(request.q.qname).rstrip(".").lower()
        known = NAMES.get(name)
        if known is None:
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        reply.header.rcode = getattr(RCODE, known["Code"])
        if QTYPE[request.q.qtype] == "A":
            for address in known["Addresses"]:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=0))
        if handler.protocol == "udp" and len(reply.pack()) > UDP_BYTES_MAX:
            # Cut, with the question still in it, so that the client asks again over TCP (RFC 1035, 4.2.1).
            reply = request.reply()
            reply.header.tc = 1
        return reply


def set_name(wish):
    """{"Name", "Addresses"?, "Code"?}: its A records, and NOERROR, NXDOMAIN or SERVFAIL."""
    name = wish["Name"].rstrip(".").lower()
    NAMES[name] = {"Addresses": wish.get("Addresses", []), "Code": wish.get("Code", "NOERROR")}
    return {}


def start(port):
    for tcp in (False, True):
        DNSServer(Table(), address="127.0.0.1", port=port, tcp=tcp).start_thread()
