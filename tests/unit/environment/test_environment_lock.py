"""The environment's lock, against a table that evaluates the conditions as DynamoDB does: one request at a time, all or nothing."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed, Unanswered, failure
from ansible_collections.atena.aws.plugins.module_utils.environment import lock as locks
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, LockLost, LockTaken, NoLock, holding

ANA, BO = "arn:aws:iam::123456789012:user/ana", "arn:aws:iam::123456789012:user/bo"


class Table:
    """One DynamoDB table. `now` is AWS's clock; `before` maps an operation to something that happens just before it is carried out."""

    def __init__(self):
        self.items, self.now, self.before, self.after, self.operations = {}, 1_800_000_000, {}, {}, []
        self._one_at_a_time = threading.RLock()

    def __call__(self, service, operation, doing, *, TableName, **request):
        assert service == "dynamodb"
        if TableName != "locks":
            raise failure(f"Could not {doing}: ResourceNotFoundException", "ResourceNotFoundException")
        if operation in self.before:
            self.before.pop(operation)()
        with self._one_at_a_time:
            self.operations.append(operation)
            answer = getattr(self, operation)(**request)
        if operation in self.after:
            self.after.pop(operation)()
        return {**answer, "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(self.now, usegmt=True)}}}

    def _check(self, key, condition, names, values):
        """Evaluates the expression in Python, attribute by attribute."""
        item = self.items.get(key, {})

        def value(match):
            word = match[0]
            if word in ("AND", "OR"):
                return word.lower()
            if word.startswith(":"):
                return repr(next(iter(values[word].values())))
            return word

        expression = re.sub(r"attribute_not_exists\((#?\w+)\)", lambda match: str(names.get(match[1], match[1]) not in item), condition)
        expression = re.sub(
            r"(#?\w+) (=|<=) (:\w+)", lambda match: str(self._compare(item, names.get(match[1], match[1]), match[2], values[match[3]])), expression
        )
        if not eval(re.sub(r"\w+", value, expression)):  # noqa: S307 - our own words only
            raise failure("The conditional request failed", "ConditionalCheckFailedException")

    @staticmethod
    def _compare(item, name, operator, wanted):
        ((kind, value),) = wanted.items()
        if kind not in item.get(name, {}):
            return False
        return item[name][kind] == value if operator == "=" else float(item[name][kind]) <= float(value)

    def get_item(self, Key, ConsistentRead):
        assert ConsistentRead
        item = self.items.get(Key["LockID"]["S"])
        return {"Item": dict(item)} if item else {}

    def put_item(self, Item, ConditionExpression, ExpressionAttributeNames=None, ExpressionAttributeValues=None):
        key = Item["LockID"]["S"]
        self._check(key, ConditionExpression, ExpressionAttributeNames or {}, ExpressionAttributeValues or {})
        self.items[key] = Item
        return {}

    def update_item(self, Key, UpdateExpression, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues):
        key = Key["LockID"]["S"]
        self._check(key, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        changes = dict(part.split(" = ") for part in UpdateExpression.removeprefix("SET ").split(", "))
        self.items[key] = {**self.items[key], **{name: ExpressionAttributeValues[value] for name, value in changes.items()}}
        return {}

    def delete_item(self, Key, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues=None):
        key = Key["LockID"]["S"]
        self._check(key, ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues or {})
        del self.items[key]
        return {}


class Clock:
    """This machine's clocks. Sleeping lets time pass here and at AWS, and then `on_sleep` happens."""

    def __init__(self, table, wrong_by=0):
        self.table, self.wrong_by, self.ticks, self.slept, self.on_sleep = table, wrong_by, 0.0, [], lambda: None

    def pass_(self, seconds):
        self.ticks += seconds
        self.table.now += seconds

    def sleep(self, seconds):
        assert seconds > 0
        self.slept.append(seconds)
        self.pass_(seconds)
        self.on_sleep()

    def lock(self, name="atena-prod", **options):
        times = locks.Times(clock=lambda: self.table.now + self.wrong_by, monotonic=lambda: self.ticks, sleep=self.sleep)
        return Lock(self.table, "locks", name, times=times, **options)


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def clock(table):
    return Clock(table)


def test_a_free_lock_is_taken_and_says_who_holds_it(clock):
    lock = clock.lock()
    assert lock.acquire("deploy", ANA) == {"token": lock.token, "acquired": True, "taken_over": None}
    held = lock.read()
    assert (held.owner, held.reason, held.host) == (ANA, "deploy", locks.this_host())
    assert held.expires_at == 1_800_000_300
    assert held.acquired_at == held.heartbeat_at == "2027-01-15T08:00:00Z"


def test_a_held_lock_is_refused_naming_owner_host_reason_since_expiry_and_remedy(clock):
    clock.lock().acquire("deploy", ANA)
    clock.pass_(20)
    with pytest.raises(LockTaken) as refused:
        clock.lock().acquire("infra", BO)
    text = str(refused.value)
    for word in (
        ANA,
        locks.this_host(),
        "'deploy'",
        "since 2027-01-15T08:00:00Z",
        "expires in 280 s",
        "lock.yml -e lock_force=atena-prod",
        "Nothing was changed",
    ):
        assert word in text, text
    assert refused.value.holder["owner"] == ANA and "token" not in refused.value.holder
    assert refused.value.code == "LockTaken"
    assert clock.slept == []


def test_environments_do_not_lock_each_other(clock):
    clock.lock().acquire("deploy", ANA)
    assert clock.lock(name="atena-stage").acquire("deploy", BO)["acquired"]


def test_a_lock_given_back_is_free(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    assert lock.release() is True
    assert lock.read() is None
    assert lock.release() is False
    assert clock.lock().acquire("infra", BO)["taken_over"] is None


def test_only_its_own_token_gives_a_lock_back(clock, table):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    assert clock.lock().release() is False
    assert lock.read().token == lock.token


def test_who_holds_it_may_take_it_again(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    clock.pass_(100)
    again = clock.lock(token=lock.token).acquire("deploy", ANA)
    assert again == {"token": lock.token, "acquired": False, "taken_over": None}
    assert lock.read().expires_at == 1_800_000_400


def test_it_waits_until_the_other_one_is_done(clock):
    other = clock.lock()
    other.acquire("deploy", ANA)
    clock.on_sleep = lambda: sum(clock.slept) > 20 and other.release()
    said = []
    assert clock.lock().acquire("infra", BO, wait=60, say=said.append)["acquired"]
    assert 20 < sum(clock.slept) < 30
    # Said once, and not at every look.
    assert len(said) == 1 and "Waiting up to 60 s" in said[0] and ANA in said[0]


def test_it_says_so_when_another_one_comes_first_while_it_waits(clock):
    first, second = clock.lock(), clock.lock()
    first.acquire("deploy", ANA)

    def hand_over():
        clock.on_sleep = lambda: None
        first.release()
        second.acquire("infra", BO)

    clock.on_sleep = hand_over
    said = []
    with pytest.raises(LockTaken, match="user/bo"):
        clock.lock().acquire("migrate", ANA, wait=30, say=said.append)
    assert [("ana" in line, "bo" in line) for line in said] == [(True, False), (False, True)]


def test_it_waits_no_longer_than_it_may(clock):
    other = clock.lock()
    other.acquire("deploy", ANA)
    clock.on_sleep = other.prove
    with pytest.raises(LockTaken, match="Waited 700 s"):
        clock.lock().acquire("infra", BO, wait=700)
    assert sum(clock.slept) == pytest.approx(700)


def test_an_expired_lock_is_taken_over_with_a_notice(clock):
    clock.lock().acquire("deploy", ANA)
    clock.pass_(300)
    said = []
    taken = clock.lock().acquire("infra", BO, say=said.append)
    assert taken["acquired"] and taken["taken_over"]["owner"] == ANA
    assert taken["taken_over"]["expires_at"] == "2027-01-15T08:05:00Z"
    assert "Took over" in said[0] and ANA in said[0] and "2027-01-15T08:05:00Z" in said[0]


def test_a_lock_that_does_not_expire_yet_is_not_taken_over(clock):
    clock.lock().acquire("deploy", ANA)
    clock.pass_(299)
    with pytest.raises(LockTaken, match="expires in 1 s"):
        clock.lock().acquire("infra", BO)


@pytest.mark.parametrize("wrong_by", [-3600, 240, 86400])
def test_the_time_is_that_of_aws_and_not_of_this_machine(table, wrong_by):
    Clock(table).lock().acquire("deploy", ANA)
    with pytest.raises(LockTaken):
        Clock(table, wrong_by).lock().acquire("infra", BO)
    table.now += 300
    wrong = Clock(table, wrong_by).lock()
    assert wrong.acquire("infra", BO)["taken_over"]
    assert wrong.read().expires_at == table.now + 300


def test_of_many_at_the_same_time_exactly_one_gets_a_free_lock(clock):
    together = threading.Barrier(8)

    def attempt(_):
        lock = clock.lock()
        found = lock.read()
        together.wait(timeout=60)
        return lock._take(found, "deploy", ANA)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]


def test_of_many_at_the_same_time_exactly_one_takes_over_an_expired_lock(clock):
    clock.lock().acquire("deploy", ANA)
    clock.pass_(301)
    together = threading.Barrier(8)

    def attempt(_):
        lock = clock.lock()
        found = lock.read()
        together.wait(timeout=60)
        return lock._take(found, "infra", BO)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]


def test_who_comes_second_is_told_of_the_first(clock, table):
    faster = clock.lock()
    table.before["put_item"] = lambda: faster.acquire("deploy", ANA)
    with pytest.raises(LockTaken, match="user/ana"):
        clock.lock().acquire("infra", BO)


def test_an_expired_lock_that_its_holder_renews_at_the_last_moment_stays_his(clock, table):
    holder = clock.lock()
    holder.acquire("deploy", ANA)
    clock.pass_(301)
    table.before["put_item"] = holder.prove
    with pytest.raises(LockTaken, match="user/ana"):
        clock.lock().acquire("infra", BO)


def test_a_lost_answer_does_not_lock_a_run_out_by_itself(clock, table):
    """The first attempt arrived, its answer did not, and the retry was refused."""
    lock = clock.lock()

    def retry_is_refused():
        raise failure("The conditional request failed", "ConditionalCheckFailedException")

    table.after["put_item"] = retry_is_refused
    assert lock.acquire("deploy", ANA)["token"] == lock.token
    assert lock.read().token == lock.token


def test_a_run_has_the_lock_while_it_lasts_and_gives_it_back_however_it_ends(clock):
    said, lock = [], clock.lock()
    with lock.running("deploy", ANA, say=said.append) as running:
        assert running is lock and lock.read().reason == "deploy"
        with pytest.raises(LockTaken, match="is locked by"), clock.lock().running("infra", BO):
            raise AssertionError("nothing is done without the lock")
    assert lock.read() is None
    with pytest.raises(ZeroDivisionError), clock.lock().running("deploy", ANA):
        raise ZeroDivisionError
    assert lock.read() is None and said == []


def test_a_run_whose_lock_was_taken_away_says_so_and_takes_nothing_from_the_new_holder(clock):
    lost, lock, other = threading.Event(), clock.lock(expires_in=0.03), clock.lock()
    with lock.running("deploy", ANA, on_lost=lost.set):
        other.force_release()
        other.acquire("infra", BO)
        clock.pass_(0.02)
        assert lost.wait(timeout=30) and lock.lost
        with pytest.raises(LockLost):
            lock.check()
    assert other.read().token == other.token


def test_a_run_that_cannot_give_it_back_warns_and_keeps_its_own_end(clock, table):
    warned = []

    def unanswered():
        raise Unanswered("Could not release the lock of atena-prod: the connection was reset.")

    with pytest.raises(ZeroDivisionError), clock.lock().running("deploy", ANA, warn=warned.append):
        table.before["delete_item"] = unanswered
        raise ZeroDivisionError
    assert len(warned) == 1 and "could not be released" in warned[0]


def test_held_renews_at_once(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    clock.pass_(200)
    with lock.held() as held:
        assert held is lock and not lock.lost
        assert lock.read().expires_at == 1_800_000_500
        assert lock.read().heartbeat_at == "2027-01-15T08:03:20Z"


def test_held_renews_from_a_thread_while_the_work_goes_on(clock, table):
    lock = clock.lock(expires_in=0.03)
    lock.acquire("deploy", ANA)
    renewed = threading.Event()
    with lock.held():
        table.before["update_item"] = renewed.set
        clock.pass_(0.01)
        assert renewed.wait(timeout=30)


def test_the_time_until_the_thread_begins_counts(clock, table, monkeypatch):
    lock = clock.lock(expires_in=0.03)
    lock.acquire("deploy", ANA)
    renewed = threading.Event()

    def begins_late():
        table.before["update_item"] = renewed.set
        clock.pass_(0.01)

    monkeypatch.setattr(locks, "in_background", begins_late)
    with lock.held():
        assert renewed.wait(timeout=30)


def test_held_works_for_a_module_that_got_the_token(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    with clock.lock(token=lock.token).held():
        pass


def test_an_expired_lock_that_nobody_took_is_still_held(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    clock.pass_(1000)
    with lock.held():
        assert not lock.lost


def test_a_lock_that_another_one_took_over_is_lost_and_he_is_named(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    clock.pass_(301)
    clock.lock().acquire("infra", BO)
    with pytest.raises(LockLost, match=r"user/bo .*'infra'") as lost, lock.held():
        raise AssertionError("nothing may be written")
    assert lost.value.holder["owner"] == BO
    assert lock.lost


def test_a_lock_released_by_force_is_lost(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    clock.lock().force_release()
    with pytest.raises(LockLost, match="released by force"), lock.held():
        raise AssertionError("nothing may be written")


def test_who_holds_the_lock_learns_that_it_was_lost_meanwhile(clock):
    lock = clock.lock(expires_in=0.03)
    lock.acquire("deploy", ANA)
    told = threading.Event()
    with lock.held(told.set):
        lock.check()
        clock.lock().force_release()
        clock.lock().acquire("infra", BO)
        clock.pass_(0.01)
        assert told.wait(timeout=30)
        assert lock.lost
        with pytest.raises(LockLost, match="user/bo"):
            lock.check()


def test_a_machine_that_slept_learns_at_once_whose_the_lock_is_now(clock):
    lock = clock.lock()
    lock.acquire("stop", ANA)
    told = threading.Event()
    with lock.held(told.set):
        # The lid is closed: these waits end an hour later by the clock, and after a second by themselves.
        clock.pass_(3600)
        clock.lock().acquire("start", BO)
        with pytest.raises(LockLost):
            lock.check()
        assert told.wait(timeout=30)
    assert lock.holder.owner == BO


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="elsewhere the monotonic clock goes on while the machine sleeps")
def test_its_clock_is_one_that_goes_on_while_the_machine_sleeps(monkeypatch):
    monkeypatch.setattr(locks.time, "clock_gettime", lambda clock: clock)
    assert locks.uptime() == time.CLOCK_BOOTTIME


def test_a_lock_that_cannot_be_renewed_counts_as_lost_once_it_has_expired(clock, table):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    with lock.held():

        def unreachable():
            raise CallFailed("Could not renew the lock of atena-prod: nothing answers there.")

        clock.pass_(299)
        table.before["update_item"] = unreachable
        lock._beat()
        assert not lock.lost
        lock.check()
        clock.pass_(1)
        assert lock.lost
        with pytest.raises(LockLost, match=r"could not renew .* 300 s.*nothing answers there"):
            lock.check()
        # The network is back, and nobody took it.
        lock._beat()
        assert not lock.lost


def test_a_renewal_never_takes_a_lock_back(clock, table):
    lock, other = clock.lock(), clock.lock()
    lock.acquire("deploy", ANA)
    clock.pass_(301)
    other.acquire("infra", BO)
    lock._beat()
    assert other.read().token == other.token


def test_a_forced_release_tells_whose_it_was(clock):
    clock.lock().acquire("deploy", ANA)
    assert clock.lock().force_release().owner == ANA
    assert clock.lock().force_release() is None


def test_a_forced_release_does_not_hit_who_came_meanwhile(clock, table):
    dead, living = clock.lock(), clock.lock()
    dead.acquire("deploy", ANA)

    def change_hands():
        dead.release()
        living.acquire("infra", BO)

    table.before["delete_item"] = change_hands
    with pytest.raises(CallFailed, match=r"changed hands .*user/bo"):
        clock.lock().force_release()
    assert living.read().token == living.token


def test_without_the_table_the_remedy_is_named(clock, table):
    with pytest.raises(CallFailed, match=r"lock table nowhere does not exist. Run bootstrap.yml") as failed:
        Lock(table, "nowhere", "atena-prod").acquire("deploy", ANA)
    assert failed.value.code == "ResourceNotFoundException"


def test_a_damaged_item_locks_nobody_out(clock, table):
    table.items["atena.aws/atena-prod"] = {"LockID": {"S": "atena.aws/atena-prod"}}
    assert clock.lock().force_release().owner == ""
    table.items["atena.aws/atena-prod"] = {"LockID": {"S": "atena.aws/atena-prod"}}
    assert clock.lock().acquire("deploy", ANA)["acquired"]


@pytest.mark.parametrize("expires_at", [{"S": "tomorrow"}, {"N": "1e400"}, {"N": "9" * 30}, {"NULL": True}])
def test_a_lock_whose_expiry_cannot_be_read_is_named_and_not_waited_for_in_a_spin(clock, table, expires_at):
    item = {"LockID": {"S": "atena.aws/atena-prod"}, "owner": {"S": ANA}, "token": {"S": "t"}, "expires_at": expires_at}
    table.items["atena.aws/atena-prod"] = dict(item)
    with pytest.raises(LockTaken, match="the item atena.aws/atena-prod in the table locks.*lock.yml -e lock_force=atena-prod"):
        clock.lock().acquire("deploy", ANA, wait=900)
    assert table.operations == ["get_item"] and table.items["atena.aws/atena-prod"] == item
    assert "is damaged" in locks.standing_text("atena-prod", clock.lock().read(), table.now)
    assert clock.lock().force_release().owner == ANA and not table.items


def test_between_two_attempts_there_is_always_a_pause(clock, table, monkeypatch):
    """Somebody is always faster: the item that was judged is another one's when it is written."""
    lock, attempts = clock.lock(), []

    def take(*_):
        attempts.append(clock.ticks)
        return len(attempts) == 5

    monkeypatch.setattr(lock, "_take", take)
    lock.acquire("deploy", ANA)
    assert all(later > earlier for earlier, later in zip(attempts, attempts[1:], strict=False))


def test_a_lock_that_cannot_be_given_back_says_for_how_long_it_stands(clock, table):
    lock, said = clock.lock(), []
    lock.acquire("deploy", ANA)

    def refuse(**_):
        raise failure("Could not release the lock: ExpiredTokenException.", "ExpiredTokenException")

    table.delete_item = refuse
    lock.give_back(said.append)
    assert "could not be released" in said[0] and "-e atena_lock_wait_seconds=" in said[0] and "lock_force=atena-prod" in said[0]


def test_what_is_shown_of_a_lock_is_all_but_its_token(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    shown = locks.public(lock.read())
    assert lock.token not in str(shown)
    assert sorted(shown) == ["acquired_at", "expires_at", "heartbeat_at", "host", "name", "owner", "reason"]
    assert locks.public(None) is None


def test_how_a_lock_stands_in_a_sentence(clock):
    lock = clock.lock()
    assert locks.standing_text("atena-prod", None, clock.table.now) == "atena-prod is not locked."
    lock.acquire("deploy", ANA)
    assert "is locked by" in locks.standing_text("atena-prod", lock.read(), clock.table.now)
    clock.pass_(300)
    text = locks.standing_text("atena-prod", lock.read(), clock.table.now)
    assert "is not locked" in text and ANA in text and "takes it over" in text


def test_an_item_keeps_what_the_lock_says(clock, table):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    assert locks.to_item(lock.read()) == table.items["atena.aws/atena-prod"]


def test_a_module_without_a_lock_checks_nothing(table):
    with holding(table, None) as lock:
        lock.prove()
        lock.check()
        assert not lock.lost and lock.release() is False
    assert isinstance(lock, NoLock) and table.operations == []


def test_a_module_in_check_mode_does_not_touch_the_lock(table):
    with holding(table, {"table": "locks", "name": "atena-prod", "token": "t", "expires_in": 300}, check_mode=True):
        pass
    assert table.operations == []


def test_a_module_with_a_lock_that_is_not_its_own_writes_nothing(clock, table):
    clock.lock().acquire("deploy", ANA)
    with pytest.raises(LockLost), holding(table, {"table": "locks", "name": "atena-prod", "token": "t", "expires_in": 300}):
        raise AssertionError("nothing may be written")


def test_who_holds_a_lock_can_be_printed_without_what_proves_it(clock):
    lock = clock.lock()
    lock.acquire("deploy", ANA)
    assert lock.token not in f"{lock.read()} {lock.read()!r} {[lock.read()]}" and ANA in repr(lock.read())
