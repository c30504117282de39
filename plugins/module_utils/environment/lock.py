# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lock over everything that writes to an environment: an item in the table that bootstrap made, changed by conditional writes only.

No process lives as long as a playbook does, so nothing can renew the lock all along. Instead, whoever writes proves first that the lock is still
its own (`held`) and renews it while it writes; the expiry covers the gaps between. A run that died leaves a lock that expires by itself.

Time is what DynamoDB's answers say it is: a laptop whose clock is some minutes off would otherwise take over locks that are alive.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, overload

from ansible_collections.atena.aws.plugins.module_utils.core.calls import pauses
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Conflict, NotFound
from ansible_collections.atena.aws.plugins.module_utils.core.interrupts import in_background
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Answer, Call, Clock, Say, Sleep
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import clean

PREFIX = "atena.aws/"
DEFAULT_EXPIRY = 300
# A module's start alone takes a second or more; a shorter lock would expire between two tasks.
SHORTEST_EXPIRY = 5

# The option `lock` of every module that writes: the fact atena_lock, which the role `lock` sets. Its documentation is the fragment atena.aws.lock.
LOCK_OPTIONS = {
    "type": "dict",
    "options": {
        "table": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "token": {"type": "str", "required": True, "no_log": False},
        "expires_in": {"type": "int", "default": DEFAULT_EXPIRY},
    },
}
# The option `lock` of modules that take it themselves. Its documentation is the fragment atena.aws.own_lock.
OWN_LOCK_OPTIONS = {
    "type": "dict",
    "required": True,
    "options": {
        "table": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "expires_in": {"type": "int", "default": DEFAULT_EXPIRY},
        "wait": {"type": "int", "default": 0},
    },
}

_TEXTS = ("owner", "host", "reason", "token", "acquired_at", "heartbeat_at")
_LONGEST_PAUSE = 5.0
_LOOK_EVERY = 1.0


class LockTaken(CallFailed):
    """Somebody else holds the lock; `holder` says who."""

    def __init__(self, message: str, holder: dict) -> None:
        super().__init__(message, "LockTaken")
        self.holder = holder


class LockLost(CallFailed):
    """The lock that this run took is no longer its own; `holder` says whose it is now, or is None."""

    def __init__(self, message: str, holder: dict | None) -> None:
        super().__init__(message, "LockLost")
        self.holder = holder


def this_host() -> str:
    """user@host of this process, for people who ask whose run that was."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError, ImportError):  # a container's user need not have a name
        return socket.gethostname()


def iso(moment: float) -> str:
    """Epoch seconds as ISO 8601, UTC, to the second."""
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Held(NamedTuple):
    """Who holds a lock, or held it last. What its item lacks is '' or 0, so that it counts as expired.

    `damaged`: the item has an expires_at, and that is no moment, so that nobody knows whether it has expired. The token proves the lock: it never shows.
    """

    name: str
    owner: str = ""
    host: str = ""
    reason: str = ""
    token: str = ""
    acquired_at: str = ""
    heartbeat_at: str = ""
    expires_at: int = 0
    damaged: bool = False

    def __repr__(self) -> str:
        return f"Held({whose(self)})"


def from_item(item: Answer | None) -> Held | None:
    if not item:
        return None
    texts = {name: clean(item.get(name, {}).get("S", "")) for name in _TEXTS}
    expires_at, damaged = 0, False
    if "expires_at" in item:
        try:
            expires_at = int(float(item["expires_at"]["N"]))
            iso(expires_at)
        except (KeyError, ValueError, OverflowError, OSError):
            expires_at, damaged = 0, True
    return Held(name=item["LockID"]["S"].removeprefix(PREFIX), expires_at=expires_at, damaged=damaged, **texts)


def to_item(lock: Held) -> dict[str, Any]:
    item = {name: {"S": getattr(lock, name)} for name in _TEXTS}
    return {"LockID": {"S": PREFIX + lock.name}, "expires_at": {"N": str(lock.expires_at)}, **item}


def expired(lock: Held, now: float) -> bool:
    return not lock.damaged and lock.expires_at <= now


@overload
def public(lock: None) -> None: ...


@overload
def public(lock: Held) -> dict[str, Any]: ...


def public(lock: Held | None) -> dict[str, Any] | None:
    """What may be shown of somebody's lock: all but the token, which is what proves it."""
    if lock is None:
        return None
    return {**{name: getattr(lock, name) for name in ("name", *_TEXTS) if name != "token"}, "expires_at": iso(lock.expires_at)}


def whose(lock: Held) -> str:
    return f"{lock.owner or 'somebody'} on {lock.host or 'an unknown host'} ('{lock.reason}', since {lock.acquired_at})"


def standing_text(name: str, lock: Held | None, now: float) -> str:
    """Who holds the lock, in a sentence."""
    if lock is None:
        return f"{name} is not locked."
    if lock.damaged:
        return f"{name} is locked by {whose(lock)}, but the lock's item is damaged: its expires_at is no moment, so that it never expires."
    if expired(lock, now):
        return f"{name} is not locked. {whose(lock)} held the lock last; it expired at {iso(lock.expires_at)}, and the next run takes it over."
    until = f"in {lock.expires_at - int(now)} s, at {iso(lock.expires_at)}"
    return f"{name} is locked by {whose(lock)}. Last renewed at {lock.heartbeat_at}; it expires {until}, unless it is renewed."


def damaged_text(lock: Held, table: str) -> str:
    return (
        f"The lock of {lock.name} cannot be read: the item {PREFIX}{lock.name} in the table {table} has an expires_at that is no moment. It belongs to "
        f"{whose(lock)}. Nothing was changed. When that run has ended, force its release: lock.yml -e lock_force={lock.name}"
    )


def taken_text(lock: Held, now: float, waited: float = 0) -> str:
    patience = f"Waited {round(waited)} s for it. " if waited else ""
    return (
        f"The environment {standing_text(lock.name, lock, now)} {patience}Nothing was changed. Run this again when that run has ended, let this "
        f"one wait (-e atena_lock_wait_seconds=900), or, if that run is certainly dead: lock.yml -e lock_force={lock.name}"
    )


def lost_text(name: str, now: Held | None) -> str:
    whom = f"It is now held by {whose(now)}." if now else "It was released by force, or it expired and another run had it meanwhile."
    return (
        f"This run lost the lock of the environment {name}. {whom} So it stopped before it would write anything more. See what the other run does or did "
        "(lock.yml, releases.yml, status.yml), and run this again afterwards; it resumes from there."
    )


def unproven_text(name: str, seconds: float, why: str) -> str:
    return (
        f"This run could not renew the lock of the environment {name} for {round(seconds)} s, so that it expired and another run may have taken it. "
        f"It stopped before it would write anything more. {why}"
    ).rstrip()


def uptime() -> float:
    """Seconds that go on while the machine sleeps: a laptop that was closed for an hour does not wake up with a lock that is long another's.

    Linux's CLOCK_MONOTONIC stands still then, and CLOCK_BOOTTIME does not; macOS has only the first, which goes on there.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Times(NamedTuple):
    """What a lock knows the time by, and waits with."""

    clock: Clock = time.time
    monotonic: Clock = uptime
    sleep: Sleep = time.sleep


_TIMES = Times()


class Lock:
    """The lock of the environment `name`. `token` is what proves it: given by who holds it already, made anew by who acquires it."""

    def __init__(
        self,
        call: Call,
        table: str,
        name: str,
        token: str | None = None,
        expires_in: int = DEFAULT_EXPIRY,
        *,
        times: Times = _TIMES,
    ) -> None:
        self.table, self.name, self.expires_in = table, name, expires_in
        self.token = token or str(uuid.uuid4())
        self.holder: Held | None = None
        self._call, (self._clock, self._monotonic, self._sleep) = call, times
        # AWS's clock minus ours; None until the first answer.
        self._offset: float | None = None
        self._key = {"LockID": {"S": PREFIX + name}}
        self._taken_away = False
        self._renewed: float | None = None
        self._trouble = ""

    # --- What the table says ------------------------------------------------------------------------------------------
    def _ask(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._call("dynamodb", operation, f"{doing} the lock of {self.name}", TableName=self.table, **arguments)
        except NotFound as error:
            raise error.saying(f"The lock table {self.table} does not exist. Run bootstrap.yml first, and check atena_lock_table.") from error
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        with contextlib.suppress(TypeError, ValueError):
            self._offset = parsedate_to_datetime(date).timestamp() - self._clock()
        return answer

    def _conditional(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any] | None:
        """The answer, or None if the condition did not hold."""
        try:
            return self._ask(operation, doing, **arguments)
        except Conflict as error:
            if error.code == "ConditionalCheckFailedException":
                return None
            raise

    @property
    def now(self) -> float:
        return self._clock() + (self._offset or 0.0)

    def read(self) -> Held | None:
        """Who holds it, expired or not. None if it is free."""
        return from_item(self._ask("get_item", "read", Key=self._key, ConsistentRead=True).get("Item"))

    # --- Acquire and release ------------------------------------------------------------------------------------------
    def acquire(self, reason: str, operator: str, wait: float = 0, say: Say = lambda text: None) -> dict[str, Any]:
        """Takes the lock, if need be after waiting up to `wait` seconds. Raises LockTaken.

        {'token', 'acquired': False if this token held it already, 'taken_over': whose expired lock it was, or None}
        """
        begin, shown = self._monotonic(), None
        pause = pauses(_LONGEST_PAUSE, shortest=0.5)
        while True:
            found = self.read()
            if found and found.token == self.token:
                # Also so when a first attempt arrived, its answer was lost, and the retry was refused: by ourselves.
                self.prove()
                return {"token": self.token, "acquired": False, "taken_over": None}
            if found and found.damaged:
                raise LockTaken(damaged_text(found, self.table), public(found))
            if (found is None or expired(found, self.now)) and self._take(found, reason, operator):
                taken_over = public(found)
                if found and taken_over:
                    say(f"Took over the lock of {self.name}, which expired at {taken_over['expires_at']}: it was held by {whose(found)}.")
                return {"token": self.token, "acquired": True, "taken_over": taken_over}
            waited = self._monotonic() - begin
            if found and not expired(found, self.now):
                if waited >= wait:
                    raise LockTaken(taken_text(found, self.now, waited if wait else 0), public(found))
                if found.token != shown:
                    shown = found.token
                    say(f"Waiting up to {round(wait - waited)} s for the lock of {self.name}, held by {whose(found)}.")
                self._sleep(min(next(pause), wait - waited))
            else:
                self._sleep(next(pause))  # somebody else was faster

    def _take(self, found: Held | None, reason: str, operator: str) -> bool:
        """One conditional write: of many that try at the same time, one succeeds."""
        now = self.now
        lock = Held(self.name, operator, this_host(), reason, self.token, acquired_at=iso(now), heartbeat_at=iso(now), expires_at=int(now) + self.expires_in)
        # Only what was judged is taken over: not what its holder renewed, or another one took, since.
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(LockID)"}
        if found:
            condition = self._still(found.token)
            condition["ConditionExpression"] += " AND (attribute_not_exists(expires_at) OR expires_at <= :now)"
            condition["ExpressionAttributeValues"][":now"] = {"N": str(int(now))}
        started = self._monotonic()
        if self._conditional("put_item", "take", Item=to_item(lock), **condition) is None:
            return False
        self._renewed = started
        return True

    def release(self) -> bool:
        """Gives it back. False if it was not this token's any more, in which case nothing is done."""
        return self._delete(self.token, "release")

    def give_back(self, warn: Say) -> None:
        """Releases it at the end of a run, whose own outcome matters more: where that cannot be done, `warn` takes a sentence on what that means."""
        try:
            self.release()
        except CallFailed as failed:
            left = round(self.expires_in - (self._monotonic() - (self._renewed if self._renewed is not None else self._monotonic())))
            warn(
                f"The lock of {self.name} could not be released: {failed} It expires in {max(left, 1)} s. Until then other runs are refused; they "
                f"wait for it with -e atena_lock_wait_seconds={max(left, 1) + 30}, and lock.yml -e lock_force={self.name} forces its release."
            )

    def force_release(self) -> Held | None:
        """Takes it away from whoever holds it. Returns whose it was, or None. A lock that changes hands meanwhile stays."""
        found = self.read()
        if found is None:
            return None
        if not self._delete(found.token, "force the release of"):
            current = self.read()
            if current is not None and current.token != found.token:
                raise CallFailed(f"The lock of {self.name} changed hands meanwhile: it is held by {whose(current)}. Nothing was done. See who that is first.")
        return found

    @staticmethod
    def _still(token: str) -> dict:
        """The condition that the item is the one that was read; '' stands for a damaged one without a token."""
        if not token:
            return {"ConditionExpression": "attribute_not_exists(#token)", "ExpressionAttributeNames": {"#token": "token"}, "ExpressionAttributeValues": {}}
        return {
            "ConditionExpression": "#token = :token",
            "ExpressionAttributeNames": {"#token": "token"},
            "ExpressionAttributeValues": {":token": {"S": token}},
        }

    def _delete(self, token: str, doing: str) -> bool:
        condition = {name: value for name, value in self._still(token).items() if value}
        return self._conditional("delete_item", doing, Key=self._key, **condition) is not None

    # --- Hold while writing -------------------------------------------------------------------------------------------
    def prove(self) -> None:
        """Renews the lock, which proves that it is held. Raises LockLost if it is not."""
        if self._offset is None:
            self.read()
        started, now, condition = self._monotonic(), self.now, self._still(self.token)
        condition["ExpressionAttributeValues"].update({":now": {"S": iso(now)}, ":expires_at": {"N": str(int(now) + self.expires_in)}})
        answer = self._conditional(
            *("update_item", "renew"),
            Key=self._key,
            UpdateExpression="SET heartbeat_at = :now, expires_at = :expires_at",
            **condition,
        )
        if answer is None:
            self._taken_away = True
            with contextlib.suppress(CallFailed):  # lost it is in any case
                self.holder = self.read()
            raise LockLost(lost_text(self.name, self.holder), public(self.holder))
        self._renewed, self._trouble = started, ""

    @property
    def lost(self) -> bool:
        """Whether this run may no longer write: another one has the lock, or no renewal came through for as long as the lock lasts."""
        return self._taken_away or (self._renewed is not None and self._monotonic() - self._renewed >= self.expires_in)

    def check(self) -> None:
        """Raises LockLost if the lock was lost. Asks nobody: for loops that look often. Before a large step, `prove` is better."""
        if self._taken_away:
            raise LockLost(lost_text(self.name, self.holder), public(self.holder))
        if self.lost and self._renewed is not None:
            raise LockLost(unproven_text(self.name, self._monotonic() - self._renewed, self._trouble), None)

    @contextlib.contextmanager
    def held(self, on_lost: Callable[[], object] = lambda: None) -> Iterator[Lock]:
        """While it lasts, the lock is this run's and is renewed. Raises LockLost at once if it is another's.

        In between `lost` and `check` tell, and `on_lost` is called once, from another thread, when it is lost.
        """
        self.prove()
        with self.renewing(on_lost):
            yield self

    @contextlib.contextmanager
    def renewing(self, on_lost: Callable[[], object]) -> Iterator[None]:
        """See held. What was acquired just now is proved by that."""
        stop = threading.Event()
        thread = threading.Thread(target=self._keep, args=(stop, on_lost, self._monotonic()), name=f"lock of {self.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            # A renewal that is under way meanwhile does no harm: it is conditional on the token.
            thread.join(timeout=2)

    @contextlib.contextmanager
    def running(
        self,
        reason: str,
        operator: str,
        *,
        wait: float = 0,
        say: Say = lambda text: None,
        warn: Say = lambda text: None,
        on_lost: Callable[[], object] = lambda: None,
    ) -> Iterator[Lock]:
        """A whole run under the lock, whose token nobody else has: acquired (see acquire), held while it lasts (see held), and given back however it ends
        (see give_back). Raises LockTaken before anything is done."""
        self.acquire(reason, operator, wait, say)
        try:
            with self.renewing(on_lost):
                yield self
        finally:
            self.give_back(warn)

    def _keep(self, stop: threading.Event, on_lost: Callable[[], object], beat: float) -> None:
        """beat: when it was renewed, by the clock of the one who starts the thread: on a busy machine that is not when the thread begins."""
        in_background()
        # In short waits, which do not count what the machine sleeps; the clock does, so that a renewal is due at once when it wakes.
        while not stop.wait(min(_LOOK_EVERY, self.expires_in / 3)):
            if self._monotonic() - beat < self.expires_in / 3:
                continue
            beat = self._monotonic()
            self._beat()
            if self.lost:
                on_lost()
                return

    def _beat(self) -> None:
        """One renewal. A failure is kept for the text: the next attempt, or the lock's expiry, decides."""
        try:
            self.prove()
        except CallFailed as error:
            self._trouble = str(error)


class NoLock:
    """Stands in where a module was given no lock: nothing is checked."""

    lost = False

    def prove(self) -> None:
        pass

    def check(self) -> None:
        pass

    def release(self) -> bool:
        return False


@contextlib.contextmanager
def holding(call: Call, options: dict | None, check_mode: bool = False, on_lost: Callable[[], object] = lambda: None) -> Iterator[Lock | NoLock]:
    """Around what a module writes: holds the lock that its option `lock` names (see Lock.held). Without one, or in check mode, it does nothing."""
    if not options or check_mode:
        yield NoLock()
        return
    with Lock(call, options["table"], options["name"], options["token"], options["expires_in"]).held(on_lost) as lock:
        yield lock
