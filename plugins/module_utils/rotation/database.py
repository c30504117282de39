# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rotation of the database's password between two users: the next one is prepared before the services hear of it, the last one shut out after.

1. The version of the address that the services have is marked (Rotation does that).
2. The master's address is in a parameter of its own. From the second time on no service uses the master user, who gets another password for this.
3. The next user's address, with a new password, is in another one. A one-off task in the VPC, which reads both, makes that user.
4. The services' address becomes the next user's; they take it up, or it comes back (Rotation does that).
5. The version that the services have now is marked, too: from here on nothing goes back. Another task shuts the last user out. The first time that is the
   master user, who gets another password from RDS instead.
6. The marks are taken away, and the parameter of 3.

A run that died is taken up at 2 as long as the services' address was not changed, at 4 until they were well with it, and else at 5.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.calls import Deadline, pace
from ansible_collections.atena.aws.plugins.module_utils.core.errors import CallFailed
from ansible_collections.atena.aws.plugins.module_utils.core.protocols import Aws
from ansible_collections.atena.aws.plugins.module_utils.ecs import task_run
from ansible_collections.atena.aws.plugins.module_utils.ecs.read import describe_services, describe_task_definition, describe_tasks
from ansible_collections.atena.aws.plugins.module_utils.ecs.task import task_id
from ansible_collections.atena.aws.plugins.module_utils.environment.lock import Lock, NoLock
from ansible_collections.atena.aws.plugins.module_utils.environment.read import describe_database
from ansible_collections.atena.aws.plugins.module_utils.rotation import plan as secret_rotation, users as database_users
from ansible_collections.atena.aws.plugins.module_utils.rotation.plan import FINISH, SETTLED_LABEL, WRITE
from ansible_collections.atena.aws.plugins.module_utils.rotation.run import Rotation, RotationFailed
from ansible_collections.atena.aws.plugins.module_utils.secrets import store as parameter_store

_ADMIN_TEXT = "Master user of the database; made by rotate_database_password.yml, read by no service"
_NEXT_TEXT = "The database's next user, while rotate_database_password.yml works"
_STARTED_BY = "atena-aws/database-users"
# How often, and how far apart, tasks of a rotation that died are looked for.
_LOOKS, _LOOK_AGAIN_AFTER = 4, 3.0


class DatabaseRotation(Rotation):
    """`params` are database_password_rotation's options."""

    kind = "database password"
    when_off = "The program that speaks to the database runs in the VPC, and what the services make of it is the proof."

    def __init__(self, call: Aws, params: dict[str, Any], lock: Lock | NoLock, **options: Any) -> None:
        super().__init__(call, params, lock, **options)
        self.secret, self.admin, self.next = params["secret"], params["admin_secret"], params["next_secret"]
        self.program = params["program"]
        self.database: dict[str, Any] = {}
        self.turn: database_users.Turn | None = None
        self.next_url = ""
        self.definition: dict[str, Any] | None = None
        self.result.update(old_user="", new_user="")

    # --- What is to be done -------------------------------------------------------------------------------------------
    def names(self) -> list[str]:
        return [self.secret]

    def wanted(self) -> dict[str, str]:
        return {self.secret: self.next_url} if self.next_url else {}

    def read(self) -> None:
        users, identifier = self.params["users"], self.params["database"]
        now = secret_rotation.standing(parameter_store.history(self.call, self.path, self.secret))
        database = describe_database(self.call, identifier)
        wrong = database_users.problems(self.secret, now, database, identifier, users)
        if wrong or now is None or database is None:
            raise CallFailed(f"Nothing was changed: {'; '.join(wrong)}.")
        self.database = database
        self.found = {self.secret: now}
        self.know([now.value, now.before])
        self.turn = database_users.turn(now, users)
        if self.turn and not self.turn.finishes:
            self.next_url = database_users.with_user(now.value, self.turn.new, database_users.new_password())
            self.know([self.next_url])
        self.decided = {self.secret: WRITE if self.next_url else FINISH}
        if self.turn:
            self.result.update(old_user=self.turn.old, new_user=self.turn.new)
        self.keep()
        self._find_services()
        self._find_program()

    @property
    def master(self) -> str:
        return self.database["MasterUsername"]

    def _find_program(self) -> None:
        """Before anything is written: the service whose task definition and network the program has, and its container."""
        service = describe_services(self.call, self.cluster, [self.program["service"]])[self.program["service"]]
        running = describe_task_definition(self.call, service["taskDefinition"])
        known = [container["name"] for container in running["containerDefinitions"]]
        if self.program["container"] not in known:
            raise CallFailed(f"{running['taskDefinitionArn']} has no container {self.program['container']}; it has: {', '.join(known)}. Nothing was changed.")
        self.running = running

    def lines(self, would: bool) -> list[str]:
        return database_users.lines(self.secret, self.turn, self.master, list(self.services), would)

    # --- Doing it -----------------------------------------------------------------------------------------------------
    def _rotate(self) -> dict[str, Any]:
        try:
            return super()._rotate()
        finally:
            self._forget_definition()

    def change(self) -> None:
        self._let_earlier_ones_end()
        if self.next_url and self.turn:
            self._mark()
            self._let_the_master_in()
            self._keep(self.next, self.next_url, _NEXT_TEXT)
            failed = self._speak("prepare", self.params["owner"])
            if failed:
                self.unmark()
                raise RotationFailed(f"{failed}\n{self.secret} was not changed and no service was touched: they continue as {self.turn.old}.")
        super().change()

    def _mark(self) -> None:
        now = self.found[self.secret]
        if now.before_version is None:
            self.lock.check()
            parameter_store.label(self.call, self.path, self.secret, now.version, secret_rotation.LABEL)
            self.found[self.secret] = now._replace(before=now.value, before_version=now.version)

    def _let_the_master_in(self) -> None:
        """The address with which the program may do all that. As long as the services use the master user, its password stays."""
        if self.turn and self.turn.old == self.master:
            self._keep(self.admin, self.found[self.secret].value, _ADMIN_TEXT)
        else:
            self._new_master_password()

    def _new_master_password(self) -> None:
        """First into Parameter Store: what is there can be set again, whenever a run dies."""
        password = database_users.new_password()
        url = database_users.with_user(self.found[self.secret].value, self.master, password)
        self.know([url])
        self._keep(self.admin, url, _ADMIN_TEXT)
        identifier = self.params["database"]
        self.lock.check()
        doing = f"give the master user of {identifier} another password"
        # A password is applied at once anyway; ApplyImmediately would bring all that waits for the maintenance window, too.
        self.call("rds", "modify_db_instance", doing, DBInstanceIdentifier=identifier, MasterUserPassword=password)
        self.say(f"{identifier}: the master user {self.master} gets another password")
        self._wait_for_the_password()

    def _wait_for_the_password(self) -> None:
        deadline = Deadline(self.params["wait_timeout"])
        while True:
            time.sleep(pace(deadline.elapsed, self.params["wait_delay"]))
            self.lock.check()
            database = describe_database(self.call, self.params["database"])
            if database and database_users.password_is_set(database):
                return
            if deadline.passed:
                status = database["DBInstanceStatus"] if database else "gone"
                raise CallFailed(f"The database {self.params['database']} is {status}, and has no new master password after {deadline.seconds} s.")

    def _keep(self, name: str, value: str, text: str) -> None:
        """Writes a parameter that no service reads."""
        self.lock.check()
        there = parameter_store.read_all(self.call, self.path, [name]).get(name)
        if there is None:
            parameter_store.create(self.call, self.path, name, value, f"{text} ({self.params['name']})", self.params["tags"], beside=self.secret)
        elif there["value"] != value:
            self.know([there["value"]])
            parameter_store.update(self.call, self.path, name, value)

    def _speak(self, *words: str) -> str:
        """One run of the application's own program in the VPC. Returns why it failed, or ''."""
        program = self.program
        if self.definition is None:
            names = {"DATABASE_ADMIN_URL": self.admin, "DATABASE_URL_NEXT": self.next}
            wanted = database_users.task_definition(self.running, f"{self.params['name']}-database-users", program["container"], self.path, names)
            tags = [{"key": key, "value": value} for key, value in sorted(self.params["tags"].items())]
            doing = f"register the task definition {wanted['family']}"
            self.definition = self.call("ecs", "register_task_definition", doing, **wanted, **({"tags": tags} if tags else {}))["taskDefinition"]
        command = [*program["command"], *words]
        arguments = {
            **{"cluster": self.cluster, "service": program["service"], "task_definition": self.definition["taskDefinitionArn"]},
            **{"started_by": _STARTED_BY, "container_overrides": [{"name": program["container"], "command": command}]},
        }
        definition, arguments = task_run.plan_run(self.call, arguments)
        patience = {"patience": self.program["timeout"], "delay": self.params["wait_delay"]}
        arn = task_run.start(self.call, arguments, guard=self.lock.check, **patience)
        succeeded, ended = self._follow(definition, arn)
        return "" if succeeded else self.redactor.text(f"{' '.join(command)} failed. {task_run.failure_text(arn, ended)}")

    def _follow(self, definition: dict[str, Any], arn: str) -> tuple[bool, dict[str, Any]]:
        options = {"wait_timeout": self.program["timeout"], "wait_delay": self.params["wait_delay"], "guard": self.lock.check}
        return task_run.TaskRun(self.call, task_run.Started(self.cluster, definition, arn), say=self.say if self.listened else None, **options).finish()

    def _let_earlier_ones_end(self) -> None:
        """A task that a dead run started, and that is slow to begin, would give a user the password of then after this run gave it another."""
        for arn in self._earlier_ones():
            self.say(f"A task of an earlier rotation still runs ({task_id(arn)}); waiting for its end.")
            self._follow(describe_task_definition(self.call, self._described(arn)["taskDefinitionArn"]), arn)

    def _earlier_ones(self) -> list[str]:
        """ARNs of tasks that run. What died left its mark; what it started a moment before may not be listed yet, so that one look is no proof."""
        doing, arns = "find tasks of an earlier rotation", []
        for look in range(_LOOKS if self.found[self.secret].before_version is not None else 1):
            if look:
                time.sleep(_LOOK_AGAIN_AFTER)
            arns = self.call.pages("ecs", "list_tasks", doing, "taskArns", cluster=self.cluster, startedBy=_STARTED_BY)
            if arns:
                break
        return arns

    def _described(self, arn: str) -> dict[str, Any]:
        """A listed task. That ECS does not describe it ('MISSING') is no proof that it has ended: it may only just have been started."""
        deadline = Deadline(self.params["wait_timeout"])
        while not (found := describe_tasks(self.call, self.cluster, [arn])):
            if deadline.passed:
                raise CallFailed(f"ECS lists the task {task_id(arn)} of an earlier rotation and does not describe it: whether it has ended is not known.")
            self.lock.check()
            time.sleep(pace(deadline.elapsed, self.params["wait_delay"]))
        return found[0]

    def _take_up(self) -> None:
        """Not once more where it was done and the old user may be shut out already: tasks that are not well then are no reason to go back to it."""
        if not self.found[self.secret].settled:
            super()._take_up()

    def settle(self) -> None:
        """The services are well with the new user. What fails from here on is done by the next run: the new user stays, and so do the marks."""
        if self.turn:
            self.lock.check()
            now = self.found[self.secret]
            parameter_store.label(self.call, self.path, self.secret, now.version, SETTLED_LABEL)
            self.found[self.secret] = now._replace(settled=True)
        if self.turn and self.turn.old == self.master:
            self._new_master_password()
        elif self.turn:
            if self.turn.finishes:
                # What died may have been before, or after, it took these away.
                self._new_master_password()
                self._keep(self.next, self.found[self.secret].value, _NEXT_TEXT)
            failed = self._speak("retire", self.turn.old)
            if failed:
                raise RotationFailed(
                    f"{failed}\nAll services are healthy with user {self.turn.new}, but {self.turn.old} can still log in. Run this again: it finishes that."
                )
        super().settle()

    def unmark(self) -> None:
        super().unmark()
        if self.found[self.secret].settled:
            parameter_store.unlabel(self.call, self.path, self.secret, self.found[self.secret].version, SETTLED_LABEL)
        parameter_store.delete(self.call, self.path, self.next)

    def _forget_definition(self) -> None:
        """What reads the master's address is not left to be run by anybody. A failure here is told, and changes nothing of the outcome."""
        if not self.definition:
            return
        arn = self.definition["taskDefinitionArn"]
        try:
            self.call("ecs", "deregister_task_definition", f"deregister {arn}", taskDefinition=arn)
        except CallFailed as failed:
            self.say(str(failed))
