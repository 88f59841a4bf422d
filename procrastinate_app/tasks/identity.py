"""What erasing an account leaves to be done: take, call, settle."""

from __future__ import annotations

from procrastinate import Blueprint, JobContext

from procrastinate_app.delivery import take
from procrastinate_app.outcome import Result, Undelivered
from procrastinate_app.retries import AS_SQL_DECIDES
from procrastinate_app.services import services
from procrastinate_app.tasks.batches import until_none_left

blueprint = Blueprint()


@blueprint.task(
    name="delete_sign_in", queue="identity", priority=25, pass_context=True, retry=AS_SQL_DECIDES
)
async def delete_sign_in(context: JobContext, *, user_id: str) -> None:
    """Delete the sign-in of an erased account. Safe to run twice: a user who is gone is gone."""
    given = services(context)
    async with take(context, "identity.take_sign_in", user_id) as due:
        if due is None:
            return
        outcome = await given.auth.delete_user(due.rows[0]["user_id"], request_id=str(due.lease_id))
        due.settle(outcome)
    if outcome.result is not Result.DELIVERED:
        raise Undelivered(outcome)


@blueprint.periodic(cron="* * * * *")
@blueprint.task(
    name="finish_erasures",
    queue="clock",
    priority=20,
    queueing_lock="identity:finish_erasures",
    pass_context=True,
    retry=AS_SQL_DECIDES,
)
async def finish_erasures(context: JobContext, timestamp: int) -> None:
    """Withdraw what erased people contributed, a bounded step at a time."""
    await until_none_left(context, "identity.finish_erasures", 100)
