"""JSON log lines, one per event, without secrets and without what people wrote.

structlog is ours; what libraries log through the standard library passes the same processors.
procrastinate writes job arguments into its messages: of its records only the action, the job's id
and its task are kept.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
import structlog
from structlog.typing import EventDict, WrappedLogger

HIDDEN = "[hidden]"
SECRET_KEYS = re.compile(
    r"secret|passw|passphrase|pwd|credential|token|apikey|api_key|authorization|cookie"
    r"|jwt|signature|^key$|_key$|^pass$|_pass$|payload|^args$|kwargs|dsn"
)
SECRET_TEXT = re.compile(
    r"sb_(?:secret|publishable)_[\w-]+"  # Supabase keys
    # JWTs. From the word's beginning: one that began at each eyJ would read the rest each time.
    r"|(?<![\w-])(?=[\w-]*?eyJ)[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?<=://)[^\s/@:]*:[^\s/]+(?=@)"  # user:password in an address
)
# Whatever it looks like, a secret follows such a name and a sign: password=…, ?apikey=…,
# {"token": "…"}, Authorization: Bearer …; or such an option: --password …; or, quoted, the word SQL
# says it by: password '…'. A name alone tells nothing: "token bucket", "bad key: x".
_SIGN = r"""[ \t]*(?:=>|:=|[=:](?!=))[ \t]*"""
_QUOTE = r"""(?:\\*["'])"""
_QUOTED = r"""\\*"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
SECRET_VALUES = (
    re.compile(rf"(?i)(cookie{_QUOTE}?{_SIGN})[^\r\n]+"),
    re.compile(rf"(?i)(authorization[\w-]{{0,40}}{_QUOTE}?{_SIGN})(?:{_QUOTED}|[^\r\n]+)"),
    re.compile(
        rf"""(?ix)
        ( (?: (?:secret|passw|passphrase|pwd|credential|api[ _-]?key)[\w-]{{0,40}}
            | token (?:[_-]?hash)? | dsn | [_-]key ) {_QUOTE}?{_SIGN}
        | (?<![^\W_])(?:key|pass|jwt|signature) (?: =(?!=) | {_QUOTE}{_SIGN} )
        | (?<![\w-])--(?:[\w-]{{0,40}}-)?
          (?:secret|password|passphrase|pass|pwd|token|jwt|key|credentials?) [ \t]+ (?!-)
        )
        (?: (?:bearer|basic)[ \t]+ )? (?: {_QUOTED} | [^\s&]+ )"""
    ),
    re.compile(rf"(?i)(\bpass(?:word|phrase)\s{{1,9}}(?:e(?=')|u&(?='))?)(?:{_QUOTED})"),
    re.compile(
        r"""(?ix)
        ( \bbearer[ \t]+ )
        (?! (?: tokens? | auth\w* | schemes? | headers? | keys? | credentials? | realm | error
          | scope | of | for | is | was | has | in | or | and | must | may | not | required
          | missing ) (?! [\w-] | [.~+=]\w ) )
        [\w.~+/=-]+"""
    ),
)
MAX_TEXT = 2000


@dataclass(frozen=True)
class Failure:
    """What may be told of an exception: no values, no data of rows, no local variables."""

    error_class: str
    message: str
    trace: str = ""

    def as_json(self) -> dict[str, str]:
        return {"class": self.error_class, "message": self.message, "trace": self.trace}


def describe(error: BaseException) -> Failure:
    """The exception as a Failure. Postgres puts rows into its details: only the message is kept."""
    cause = error
    while isinstance(cause, procrastinate.exceptions.ConnectorException) and cause.__cause__:
        cause = cause.__cause__
    name = type(cause).__name__
    if isinstance(cause, psycopg.Error):
        message = cause.diag.message_primary or name
        if cause.sqlstate:
            name = f"{name} {cause.sqlstate}"
    else:
        message = str(cause)
    frames = traceback.extract_tb(cause.__traceback__)[-12:]
    trace = " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return Failure(name, hide_secrets(message)[:MAX_TEXT], trace)


def hide_secrets(text: str) -> str:
    """The text without anything that looks like a key, a JWT or a password, or is called one."""
    text = SECRET_TEXT.sub(HIDDEN, text)
    for named in SECRET_VALUES:
        text = named.sub(rf"\1{HIDDEN}", text)
    return text


class Sampler:
    """Lets through only a share of the lines of the events it names: the first, then evenly.

    Only debug and info: a warning or an error is never left out. A line that passes says how many
    before it did not (`dropped`). All others pass.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._rates = rates
        self._due = dict.fromkeys(rates, 1.0)
        self._since = dict.fromkeys(rates, 0)
        self.dropped = dict.fromkeys(rates, 0)

    def __call__(self, _: WrappedLogger, level: str, event: EventDict) -> EventDict:
        name = str(event.get("event"))
        if name not in self._rates or level not in ("debug", "info"):
            return event
        if self._rates[name] > 0 and self._due[name] > 1 - 1e-9:
            self._due[name] += self._rates[name] - 1
            if self._since[name]:
                event["dropped"], self._since[name] = self._since[name], 0
            return event
        self._due[name] += self._rates[name]
        self._since[name] += 1
        self.dropped[name] += 1
        raise structlog.DropEvent


_sampler = Sampler({})


def dropped_lines() -> dict[str, int]:
    """How many lines of each sampled event were left out so far."""
    return dict(_sampler.dropped)


def configure(level: str, sample: Mapping[str, float] | None = None) -> None:
    """Send everything that is logged, by us or by libraries, to standard output as JSON; of the
    events named in `sample`, that share of their lines."""
    global _sampler
    _sampler = Sampler(sample or {})
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_failure,
        _redact,
    ]
    structlog.configure(
        processors=[_sampler, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_strip_procrastinate)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    # every step of every job, at info; ours say it once, with its outcome
    logging.getLogger("procrastinate").setLevel(max(logging.WARNING, root.level))


def _strip_procrastinate(record: logging.LogRecord) -> bool:
    """Keep the action; drop the message, which quotes the job's arguments."""
    if not record.name.startswith("procrastinate."):
        return True
    if action := getattr(record, "action", None):
        record.msg, record.args = str(action), ()
    return True


def _tell_failure(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by what may be told of it."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        failure = describe(error)
        event["error"], event["error_message"] = failure.error_class, failure.message
        event["trace"] = failure.trace
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        record.exc_info = record.exc_text = None
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: Any) -> Any:
    if key in ("_record", "_from_structlog"):
        return value
    if SECRET_KEYS.search(key.lower()):
        return HIDDEN
    if isinstance(value, str):
        return hide_secrets(value)
    if isinstance(value, Mapping):
        return {str(name): _hidden(str(name), item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden("", item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return hide_secrets(str(value))
