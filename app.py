"""Every Lambda of Hoist, as a table of contents: unwrap, call one use case, wrap."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from chalice.app import (
    AuthRequest,
    AuthResponse,
    Chalice,
    CloudWatchEvent,
    DynamoDBEvent,
    Request,
    Response,
    SQSEvent,
)

from chalicelib import metrics
from chalicelib.bootstrap import Container
from chalicelib.domain.errors import HoistError, TryAgain
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.timeline import timeline as write_timeline
from chalicelib.usecases.conclude import Concluded
from chalicelib.usecases.notify import Notified, Notify
from chalicelib.usecases.operators import listed
from chalicelib.usecases.promote import Accepted
from chalicelib.usecases.show import PromotionDetail
from chalicelib.usecases.watch import WatchReport
from chalicelib.usecases.work import LookAgain, Wake, WorkReport
from chalicelib.wire import events, represent, requests
from chalicelib.wire.console import File, page, part
from chalicelib.wire.contract import openapi
from chalicelib.wire.problems import problem

# Powertools writes the logs: Chalice would write each line a second time.
app = Chalice(app_name="hoist", configure_logs=False)
hoist = Container()
log = Logger(service="hoist")
# At DEBUG, which Lambda's log settings can ask for, these two write whole requests: secrets too.
for library in ("botocore", "urllib3"):
    logging.getLogger(library).setLevel(logging.INFO)

#: How long a stream function waits, at the most, before an entry is delivered again.
CHANNEL_PAUSE = timedelta(seconds=15)
#: `wire` judges a body's type: Chalice would refuse it in a shape of its own.
ANY_TYPE = ["*/*"]

# The HTTP doors.


@app.authorizer(ttl_seconds=0)
def authorize(request: AuthRequest) -> AuthResponse:
    """Who calls? Nobody known gets no further; what a role may do, the use cases say."""
    caller = hoist.authorize(request.token)
    if caller is None:
        return AuthResponse(routes=[], principal_id="nobody")
    context = {"name": caller.name, "role": str(caller.role)}
    return AuthResponse(routes=["*"], principal_id=caller.name, context=context)


def current() -> Request:
    """Chalice's view of the request that is being answered."""
    if app.current_request is None:
        message = "no request is being answered"
        raise RuntimeError(message)
    return app.current_request


def answering(view: Callable[..., Response]) -> Callable[..., Response]:
    """Turn what a view raises into problem+json: Chalice would answer a bare 500."""

    @wraps(view)
    def answer(**path: str) -> Response:
        answered = _answered(view, path)
        # What one caller may do, and how old it is, is nobody else's, and soon wrong.
        headers = {"Cache-Control": "no-store"}
        if answered.body:
            headers["Content-Type"] = "application/json"
        answered.headers = {**headers, **answered.headers}
        return answered

    return answer


def _answered(view: Callable[..., Response], path: dict[str, str]) -> Response:
    request_id = current().context["requestId"]
    try:
        return view(**path)
    except HoistError as error:
        known = error
        log.info("request answered with a problem", action="problem", detail=error.detail)
    except Exception:
        known = HoistError()
        log.exception("request met a bug", action="bug", request_id=request_id)
    status, body, headers = problem(
        known,
        request_id=request_id,
        runbook_url=hoist.settings.hoist_runbook_url,
    )
    return Response(body, status_code=status, headers={**headers})


def door(
    method: str,
    path: str,
    *,
    open_to_all: bool = False,
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """A route of the API, for known callers unless it is open to all."""

    def opened(view: Callable[..., Response]) -> Callable[..., Response]:
        route = app.route(
            path,
            methods=[method],
            authorizer=None if open_to_all else authorize,
            content_types=ANY_TYPE,
        )
        registered: Callable[..., Response] = route(answering(view))
        return registered

    return opened


def request() -> requests.Request:
    """The request that is being answered, and whom it is for."""
    received = current()
    body, query = received.raw_body, received.query_params
    return requests.Request(
        body=body if isinstance(body, bytes) else body.encode(),
        headers=received.headers,
        query={name: query.getlist(name) for name in query} if query else {},
        caller=hoist.act_for(
            requests.authorized(received.context["authorizer"]),
            received.headers.get("X-On-Behalf-Of"),
        ),
    )


def shown(seen: PromotionDetail, *, status: int = 200, **headers: str) -> Response:
    """A promotion, with its entity tag."""
    return tagged(represent.detail(seen), seen.promotion.version, status=status, **headers)


def tagged(body: dict[str, Any], version: int, *, status: int = 200, **headers: str) -> Response:
    """Something that `If-Match` can name."""
    return Response(
        body,
        status_code=status,
        headers={"ETag": represent.etag(version), **headers},
    )


def unless_held(body: Any, etag: str, **headers: str) -> Response:  # noqa: ANN401 - JSON or text
    """What was asked for, or word that it is what the caller has (`If-None-Match`)."""
    held = requests.held(current().headers, etag)
    return Response(
        "" if held else body,
        status_code=304 if held else 200,
        headers={"ETag": etag, **headers},
    )


def written(promotion: Promotion, received: requests.Request) -> Response:
    """A promotion as the caller has just changed it."""
    return shown(hoist.show.just_written(promotion, caller=received.caller))


@door("GET", "/health", open_to_all=True)
def health() -> Response:
    """Is the API there? Touches nothing else."""
    return Response({"status": "ok", "stage": hoist.settings.hoist_stage})


@door("GET", "/openapi.json", open_to_all=True)
def contract() -> Response:
    """The contract."""
    return Response(openapi(), headers={"Content-Type": "application/json"})


@door("GET", "/console", open_to_all=True)
def console() -> Response:
    """The operator's page. Its data needs a token."""
    return console_file(page())


@door("GET", "/console/{file}", open_to_all=True)
def console_part(file: str) -> Response:
    """Style and scripts of the operator's page."""
    return console_file(part(file))


def console_file(file: File) -> Response:
    """A file of the operator's page, unless the browser has it."""
    return unless_held(file.body, file.etag, **file.headers)


@door("POST", "/promotions")
def mark() -> Response:
    """Mark a flag for promotion."""
    order = requests.mark_order(request())
    marked = hoist.mark(order)
    return shown(
        hoist.show.just_written(marked.promotion, caller=order.caller),
        status=200 if marked.replayed else 201,
        Location=f"promotions/{marked.promotion.id}",
    )


@door("GET", "/promotions")
def browse() -> Response:
    """List promotions."""
    received = request()
    listing = requests.listing(received)
    listed = hoist.browse(
        listing.query,
        before=listing.before,
        limit=listing.limit,
        caller=received.caller,
    )
    body = represent.page(listed, listing.query, now=hoist.clock.now())
    return unless_held(body, represent.page_etag(body))


@door("GET", "/promotions/{promotion_id}")
def show(promotion_id: str) -> Response:
    """Show one promotion."""
    wanted = requests.known_shape(promotion_id)
    return shown(hoist.show(wanted, caller=request().caller))


@door("GET", "/promotions/{promotion_id}/preflight")
def preflight(promotion_id: str) -> Response:
    """Check what would let a promotion begin, and what would not."""
    wanted = requests.known_shape(promotion_id)
    return Response(represent.preflight(hoist.show_preflight(wanted, caller=request().caller)))


@door("POST", "/promotions/{promotion_id}/stage")
def stage(promotion_id: str) -> Response:
    """Stage a promotion, and set its time if it has one."""
    order = requests.stage_order(request(), promotion_id)
    staged = hoist.stage(order)
    seen = hoist.show.just_written(staged.promotion, caller=order.caller)
    return tagged(represent.staged(seen, staged.checks), staged.promotion.version)


@door("POST", "/promotions/{promotion_id}/approve")
def approve(promotion_id: str) -> Response:
    """Approve somebody else's promotion."""
    received = request()
    order, note = requests.approve_order(received, promotion_id)
    return written(hoist.approve(order, note=note), received)


@door("POST", "/promotions/{promotion_id}/promote")
def promote(promotion_id: str) -> Response:
    """Accept a promotion: from here it moves by itself."""
    order = requests.promote_order(request(), promotion_id)
    return accepted(hoist.promote(order), order.caller, location=f"../{promotion_id}")


@door("POST", "/promotions/{promotion_id}/retry")
def retry(promotion_id: str) -> Response:
    """Send a failed promotion once more, as a new one."""
    order = requests.renew_order(request(), promotion_id, "RetryRequest")
    return renewed(hoist.renew.retry(order), order.caller)


@door("POST", "/promotions/{promotion_id}/rollback")
def rollback(promotion_id: str) -> Response:
    """Take a deployed promotion back, by a new one."""
    order = requests.renew_order(request(), promotion_id, "RollbackRequest")
    return renewed(hoist.renew.rollback(order), order.caller)


def renewed(begun: Accepted, caller: Caller) -> Response:
    """A new promotion that came of an old one."""
    return accepted(begun, caller, location=f"../{begun.promotion.id}")


def accepted(begun: Accepted, caller: Caller, *, location: str) -> Response:
    """A promotion that goes on by itself."""
    _log_accepted(begun)
    seen = hoist.show.just_written(begun.promotion, caller=caller)
    return shown(seen, status=202, Location=location)


@door("POST", "/promotions/{promotion_id}/complete")
def complete(promotion_id: str) -> Response:
    """Say that it is live: the escape hatch."""
    received = request()
    order = requests.conclude_order(received, promotion_id, "CompleteRequest")
    return concluded(hoist.conclude.complete(order), received)


@door("POST", "/promotions/{promotion_id}/fail")
def fail(promotion_id: str) -> Response:
    """Say that it did not become live: the escape hatch."""
    received = request()
    order = requests.conclude_order(received, promotion_id, "FailRequest")
    return concluded(hoist.conclude.fail(order), received)


def concluded(settled: Concluded, received: requests.Request) -> Response:
    """A promotion that an operator has settled."""
    if not settled.replayed:
        measure(metrics.of_settled(settled.promotion))
    return written(settled.promotion, received)


@door("POST", "/promotions/{promotion_id}/cancel")
def cancel(promotion_id: str) -> Response:
    """Withdraw a promotion."""
    received = request()
    cancelled = hoist.cancel(
        requests.known_shape(promotion_id),
        caller=received.caller,
        if_version=requests.if_version(received),
        reason=requests.cancel_reason(received),
    )
    return concluded(cancelled, received)


@door("POST", "/promotions/{promotion_id}/ack")
def ack(promotion_id: str) -> Response:
    """Say that somebody knows: no rung is raised for a while."""
    received = request()
    acknowledgement = requests.acknowledgement(received)
    acknowledged = hoist.acknowledge(
        requests.known_shape(promotion_id),
        caller=received.caller,
        lasts=acknowledgement.lasts,
        note=acknowledgement.note,
        if_version=requests.if_version(received),
    )
    return written(acknowledged, received)


@door("PATCH", "/promotions/{promotion_id}")
def edit(promotion_id: str) -> Response:
    """Change what is written about a promotion."""
    received = request()
    edited = hoist.edit(
        requests.known_shape(promotion_id),
        caller=received.caller,
        words=requests.words(received),
        if_version=requests.if_version(received),
    )
    return written(edited, received)


@door("GET", "/promotions/{promotion_id}/timeline")
def timeline(promotion_id: str) -> Response:
    """Write the audit trail as Markdown, ready for a retrospective."""
    trail = hoist.audit(requests.known_shape(promotion_id), caller=request().caller)
    body = write_timeline(
        trail.promotion,
        trail.entries,
        trail.verification,
        now=hoist.clock.now(),
    )
    return Response(body, headers={"Content-Type": "text/markdown; charset=utf-8"})


@door("GET", "/promotions/{promotion_id}/audit")
def audit(promotion_id: str) -> Response:
    """Show and verify a promotion's audit trail."""
    received, wanted = request(), requests.known_shape(promotion_id)
    stretch = requests.stretch(received)
    return Response(represent.trail(hoist.audit(wanted, caller=received.caller), stretch))


@door("GET", "/targets")
def list_targets() -> Response:
    """List the targets."""
    targets = hoist.list_targets(caller=request().caller)
    return Response({"targets": [represent.target(target) for target in targets]})


@door("GET", "/targets/{app_name}")
def show_target(app_name: str) -> Response:
    """Show one target."""
    seen = hoist.show_target(requests.app_name(app_name), caller=request().caller)
    return tagged(represent.target_detail(seen), seen.target.version)


@door("PUT", "/targets/{app_name}")
def put_target(app_name: str) -> Response:
    """List an app, or change its policy."""
    received = request()
    target = hoist.put_target(
        requests.target(received, app_name),
        if_version=requests.if_version(received),
        caller=received.caller,
    )
    return tagged(represent.target(target), target.version)


@door("GET", "/targets/{app_name}/lock")
def show_lock(app_name: str) -> Response:
    """Show who works on a target."""
    lock = hoist.show_lock(requests.app_name(app_name), caller=request().caller)
    return Response(represent.lock(lock, now=hoist.clock.now()))


@door("GET", "/freezes")
def list_freezes() -> Response:
    """List the freezes."""
    plan, now = hoist.list_freezes(caller=request().caller), hoist.clock.now()
    return Response(
        {"freezes": [represent.freeze(plan.freezes[i], now=now) for i in sorted(plan.freezes)]}
    )


@door("GET", "/freezes/{freeze_id}")
def show_freeze(freeze_id: str) -> Response:
    """Show one freeze."""
    freeze = hoist.show_freeze(requests.freeze_id(freeze_id), caller=request().caller)
    return tagged(represent.freeze(freeze, now=hoist.clock.now()), freeze.version)


@door("PUT", "/freezes/{freeze_id}")
def put_freeze(freeze_id: str) -> Response:
    """Set a window that holds promotions back, or change it."""
    received = request()
    freeze = hoist.put_freeze(
        requests.freeze_id(freeze_id),
        requests.freeze_terms(received),
        if_version=requests.if_version(received),
        caller=received.caller,
    )
    return tagged(represent.freeze(freeze, now=hoist.clock.now()), freeze.version)


@door("DELETE", "/freezes/{freeze_id}")
def lift_freeze(freeze_id: str) -> Response:
    """Lift a freeze: what it held back begins within a minute."""
    received = request()
    hoist.lift_freeze(
        requests.freeze_id(freeze_id),
        reason=requests.lift_reason(received) or "none",
        if_version=requests.if_version(received),
        caller=received.caller,
    )
    return Response("", status_code=204)


@door("GET", "/catalogues/{catalogue_id}")
def show_catalogue(catalogue_id: str) -> Response:
    """Show the flags that a backend knows."""
    wanted = requests.catalogue_id(catalogue_id)
    catalogue = hoist.show_catalogue(wanted, caller=request().caller)
    return tagged(represent.catalogue(catalogue), catalogue.version)


@door("PUT", "/catalogues/{catalogue_id}")
def import_catalogue(catalogue_id: str) -> Response:
    """Import a backend's flags."""
    received = request()
    catalogue = hoist.import_catalogue(
        requests.catalogue_id(catalogue_id),
        requests.catalogue(received),
        if_version=requests.if_version(received),
        caller=received.caller,
    )
    return tagged(represent.catalogue(catalogue), catalogue.version)


@door("GET", "/me")
def me() -> Response:
    """Who calls, as Hoist sees it."""
    return Response(represent.me(request().caller))


@door("GET", "/operators")
def list_operators() -> Response:
    """List everybody who may call."""
    operators = hoist.list_operators(caller=request().caller)
    return Response({"operators": [represent.operator(each) for each in operators]})


@door("POST", "/operators/{name}/unlock")
def unlock_operator(name: str) -> Response:
    """Forgive somebody else's wrong codes."""
    unlocked = hoist.unlock_operator(requests.unlock_order(request(), name))
    return Response(represent.operator(listed(unlocked, hoist.clock.now())))


@door("GET", "/audit/{subject}")
def record_audit(subject: str) -> Response:
    """Show and verify the audit trail of an operator, a target, a catalogue or the freezes."""
    received, (kind, name) = request(), requests.record_subject(subject)
    stretch = requests.stretch(received)
    return Response(
        represent.trail(hoist.record_audit(kind, name, caller=received.caller), stretch)
    )


# The doors of queue and schedule.


@app.on_sqs_message(queue_arn="merged-in", batch_size=1, name="work")
def work(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Work on the target of a wake; put the wake back where only time helps."""
    failures = []
    for record in event:
        wake = events.wake(record.body, receipt=record.receipt_handle)
        if wake is None:
            log.error("dropped a message that is not a wake", action="wake_unreadable")
            continue
        report = hoist.work(wake)
        measure(metrics.of_work(report))
        _log_worked(report)
        if report.look_again:
            _put_back(wake, report.look_again)
            failures.append({"itemIdentifier": record.to_dict()["messageId"]})
    return {"batchItemFailures": failures}


@app.schedule("rate(1 minute)", name="watch")
def watch(_event: CloudWatchEvent) -> None:
    """Sweep all open promotions: wake, alert, expire."""
    report = hoist.watch()
    measure(metrics.of_sweep(report))
    _log_swept(report)


@app.schedule("rate(15 minutes)", name="drift")
def drift(_event: CloudWatchEvent) -> None:
    """Compare what Hoist deployed with what Heroku holds."""
    report = hoist.watch_drift()
    measure(metrics.of_drift(report))
    log.info(
        "compared",
        action="drift",
        drifting=report.drifting,
        unread=report.unread,
        later=report.later,
    )
    if report.access_denied:
        log.error(report.access_denied, action="heroku_access_denied")


@app.on_dynamodb_record(
    stream_arn="merged-in",
    batch_size=10,
    starting_position="TRIM_HORIZON",
    name="notify_slack",
)
def notify_slack(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """Tell the team's channel what the audit trail says."""
    return _notified(event, hoist.notify_slack)


@app.on_dynamodb_record(
    stream_arn="merged-in",
    batch_size=10,
    starting_position="TRIM_HORIZON",
    name="notify_on_call",
)
def notify_on_call(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """Tell the person on call what is worth waking them for."""
    return _notified(event, hoist.notify_on_call)


def _notified(event: DynamoDBEvent, notify: Notify) -> dict[str, list[dict[str, str]]]:
    """Deliver in order; where the channel is away, have the rest delivered again from there."""
    for record in events.inserted(event.to_dict()):
        try:
            told = notify(hoist.entry_of(record.image))
        except ValueError:
            log.exception("left out a record that is not an audit entry", action="entry_unreadable")
        except TryAgain as away:
            measure([("DeliveryRetries", 1)])
            log.warning(away.detail, action="channel_away")
            # Lambda tries again at once, and no more than so often: take the time that it needs.
            hoist.clock.sleep(min(away.after, CHANNEL_PAUSE))
            return {"batchItemFailures": [{"itemIdentifier": record.sequence_number}]}
        else:
            measure(metrics.of_notice(told))
            _log_told(told)
    return {"batchItemFailures": []}


def _put_back(wake: Wake, look_again: LookAgain) -> None:
    """Let the queue deliver the wake again when another look promises news."""
    try:
        hoist.wakes.hold(wake.receipt or "", lasts=look_again.after)
    except TryAgain as error:
        # It comes back all the same, when the heartbeat's last hold ends.
        log.warning(error.detail, action="hold_lost", target=wake.target)


# What operators and engineers read in metrics and logs


def measure(values: Iterable[tuple[str, float]]) -> None:
    """Write metrics to the log, in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    written = EphemeralMetrics(
        namespace=metrics.NAMESPACE,
        service=f"hoist-{hoist.settings.hoist_stage}",
    )
    for name, value in (told := list(values)):
        written.add_metric(name=name, unit=metrics.UNITS[name], value=value)
    if told:
        written.flush_metrics()


def _log_swept(report: WatchReport) -> None:
    log.info(
        "swept",
        action="sweep",
        deploying=report.deploying,
        woken=report.woken,
        alerted=report.alerted,
        expired=report.expired,
        later=report.later,
    )
    if report.broken or report.unreached:
        log.error(
            "part of the sweep failed; the next one tries again",
            action="sweep_failed",
            broken=report.broken,
            unreached=report.unreached,
        )


def _log_told(told: Notified) -> None:
    if told.undeliverable:
        log.error(told.undeliverable, action="channel_refuses")


def _log_accepted(accepted: Accepted) -> None:
    begun = accepted.promotion.state is State.DEPLOYING
    if begun and not accepted.woken and not accepted.replayed:
        log.warning(
            "accepted, but its wake could not be queued: the watchdog wakes it within a minute",
            action="wake_lost",
            promotion_id=accepted.promotion.id,
        )


def _log_worked(report: WorkReport) -> None:
    states = {p.id: f"{p.state}/{p.step}" for p in report.promotions}
    if report.access_denied:
        log.error(report.access_denied, action="heroku_access_denied", target=report.target)
    if report.look_again:
        log.info(
            "still running",
            action="look_again",
            target=report.target,
            after_seconds=report.look_again.after.total_seconds(),
            because=report.look_again.because,
            promotions=states,
        )
    else:
        log.info("nothing left to do", action="worked", target=report.target, promotions=states)
