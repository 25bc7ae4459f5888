#!/usr/bin/python3
"""A whole controller for Ferry in one page, on Google's own gRPC library: moves a guest by the five steps.

    reference_controller.py --stubs DIR --source HOST:PORT --destination HOST:PORT --guest ID [--transport tunnel]

DIR holds what `python3 -m grpc_tools.protoc -I proto --python_out DIR --grpc_python_out DIR proto/ferry/v1/*.proto`
makes. docs/controller.md has a row for every answer and every silence, named here where it is acted on.
Exit status: 0 landed, 1 returned, 2 perished: a person decides.
"""
import argparse
import functools
import queue
import sys
import threading
import time
import uuid

import grpc

parser = argparse.ArgumentParser()
for name in ("--stubs", "--source", "--destination", "--guest"):
    parser.add_argument(name, required=True)
parser.add_argument("--transport", choices=["direct", "tunnel"], default="direct")
options = parser.parse_args()
sys.path.insert(0, options.stubs)

from ferry.v1 import destination_service_pb2 as dst, destination_service_pb2_grpc as dst_grpc  # noqa: E402
from ferry.v1 import migration_pb2 as mig, source_service_pb2 as src, source_service_pb2_grpc as src_grpc  # noqa: E402

PATIENCE_S = 60
# A ping finds a dead agent; gRPC would stop pinging a quiet stream after two.
CHANNEL = [("grpc.keepalive_time_ms", 20000), ("grpc.http2.max_pings_without_data", 0)]
# For trials. With certificates: grpc.secure_channel and grpc.ssl_channel_credentials(ca, key, cert).
source = src_grpc.SourceServiceStub(grpc.insecure_channel(options.source, CHANNEL))
destination = dst_grpc.DestinationServiceStub(grpc.insecure_channel(options.destination, CHANNEL))
SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
say = functools.partial(print, flush=True)


def repeated(call, request):
    """Calls until somebody answers: every call but Prepare may be repeated under its migration_id."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call(request, timeout=40)
        except grpc.RpcError as error:
            if error.code() not in SILENCE or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def tie(migration_id, description, transport):
    """Prepare: the stream is the tether. Its requests never end, since nothing more is to be said."""
    opening = dst.PrepareOpen(migration_id=migration_id, description=description, transport=transport)
    requests = queue.Queue()
    requests.put(dst.PrepareRequest(open=opening))
    call = destination.Prepare(iter(requests.get, None))  # no deadline: it would cut the tether
    news = queue.Queue()

    def read():
        try:
            for response in call:
                news.put(response)
        except grpc.RpcError as error:
            news.put(error)

    threading.Thread(target=read, daemon=True).start()
    while True:
        event = news.get(timeout=PATIENCE_S)
        if isinstance(event, grpc.RpcError):
            raise event  # prepare-refused: it says what stands in the way
        if event.WhichOneof("event") == "prepared":
            return call, event.agent_id, event.prepared.peer_address or options.destination


def perform(request):
    """Perform's stream is a view of the copy: when it breaks, a repeated call is shown the same copy."""
    while True:
        try:
            yield from source.Perform(request)
            return
        except grpc.RpcError as error:
            if error.code() not in SILENCE:
                raise
        time.sleep(0.2)  # perform-silence: the tether is held for as long as it takes


def main():
    migration_id = str(uuid.uuid4())
    begun = repeated(source.Begin, src.BeginRequest(migration_id=migration_id, guest_id=options.guest))
    say("begun", begun.agent_id, "migration", migration_id)
    transport = mig.TRANSPORT_TUNNEL if options.transport == "tunnel" else mig.TRANSPORT_DIRECT
    try:
        tether, agent_id, address = tie(migration_id, begun.description, transport)
    except grpc.RpcError:
        repeated(source.Abort, src.AbortRequest(migration_id=migration_id))  # gives the lease back
        raise
    say("prepared", agent_id)
    order = dst.FINISH_ORDER_ABANDON
    for event in perform(src.PerformRequest(
            migration_id=migration_id, destination_address=address, destination_agent_id=agent_id)):
        kind = event.WhichOneof("event")
        say("perform", kind, event.failed.reason, event.failed.description)
        if kind in ("bound", "released") and order != dst.FINISH_ORDER_LAND:
            order = dst.FINISH_ORDER_LAND  # perform-bound: ordered now, nobody is asked in the blackout
            repeated(destination.Finish, dst.FinishRequest(migration_id=migration_id, order=order, wait_ms=0))
        if kind == "failed":
            order = dst.FINISH_ORDER_ABANDON  # perform-failed: the source has the guest
    verdict = mig.VERDICT_PENDING
    while verdict == mig.VERDICT_PENDING:  # finish-pending: the tether is held meanwhile
        verdict = repeated(destination.Finish, dst.FinishRequest(migration_id=migration_id, order=order)).verdict
    say("finished", mig.Verdict.Name(verdict))
    while verdict != mig.VERDICT_PERISHED:
        if repeated(source.Confirm, src.ConfirmRequest(migration_id=migration_id)).settled:
            say("settled")
            break
    tether.cancel()
    return {mig.VERDICT_LANDED: 0, mig.VERDICT_RETURNED: 1, mig.VERDICT_PERISHED: 2}[verdict]


sys.exit(main())
