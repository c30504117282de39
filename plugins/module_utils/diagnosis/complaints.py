# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps that fix what an application complains of. No call to AWS here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.core.partitions import dns_suffix
from ansible_collections.atena.aws.plugins.module_utils.diagnosis import remedies
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import Step
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.view import View

_IN_THE_IMAGE = "/etc/ssl/certs/rds-global-bundle.pem"
_IN_THE_REPOSITORY = "certs/rds-global-bundle.pem"
# Modes with which the drivers that read them from DATABASE_URL speak TLS.
_ENCRYPTED = ("require", "verify-ca", "verify-full", "no-verify", "prefer")


class Complaint(NamedTuple):
    """A complaint of a service's task. bundle: the file with certificates that its container is given."""

    view: View
    code: str
    service: str
    bundle: str = ""

    @property
    def mode(self) -> str | None:
        secrets = self.view.facts.secrets
        return secrets.database_url_sslmode if secrets else None

    @property
    def restart(self) -> Step:
        return remedies.restart(self.view, [self.service])

    def rewritten(self, name: str) -> list[Step]:
        return remedies.rewritten(self.view, name, [self.service])

    def sslmode(self, text: str, mode: str, instead: bool = False) -> Step:
        return self.view.step(text, "secrets.yml", "secrets_action=sslmode", f"secrets_sslmode={mode}", instead=instead)


def _credentials(case: Complaint) -> list[Step]:
    """Terraform has the master user's password alone; of the users that are rotated only the rotation can make another."""
    secrets = case.view.facts.secrets
    if secrets and secrets.database_url_user == "rotated":
        return [case.view.step("Give the application's database user another password", "rotate_database_password.yml")]
    return case.rewritten("DATABASE_URL")


def _encryption(case: Complaint) -> list[Step]:
    """A driver that does not read the URL's sslmode is not helped by writing it again."""
    if case.mode in _ENCRYPTED:
        return [
            case.restart._replace(text=f"DATABASE_URL says sslmode={case.mode} already. If it was changed after these tasks had started, replace them"),
            Step("If the driver ignores the URL's mode, as MikroORM does, turn TLS on in its own options (MikroORM: `driverOptions: { ssl: true }`)", "", True),
            case.view.step("Then release it", "deploy.yml"),
        ]
    says = f"says sslmode={case.mode}" if case.mode else "says no sslmode" if case.mode == "" else "may say no sslmode"
    return [case.sslmode(f"DATABASE_URL {says}, so the driver does not encrypt: change that", "verify-full")]


def _certificate(case: Complaint) -> list[Step]:
    """The image's bundle first: a mode that verifies nothing is a temporary way, and no driver's but node-postgres's."""
    steps = [_bundle_fetched(case)]
    if case.bundle:
        steps.insert(0, Step(f"Its container trusts {case.bundle}, which is not in the image or lacks the instance's authority: COPY a new one there"))
    else:
        steps.append(Step(f"In the Dockerfile: `COPY {_IN_THE_REPOSITORY} {_IN_THE_IMAGE}`"))
    steps += [Step("Commit both"), case.view.step("Then release it", "deploy.yml")]
    if case.mode == "no-verify":
        steps.append(Step("The URL says no-verify already, which this driver does not know: docs/application.md has a table", "", True))
    else:
        steps.append(case.sslmode("Until then run unverified (node-postgres and what is built on it)", "no-verify", instead=True))
    secrets = case.view.facts.secrets
    if secrets and secrets.redis_url_is_tls:
        steps.append(Step("REDIS_URL uses TLS, too (rediss:): without the names in the log it may as well be that certificate"))
    return steps


def _bundle_fetched(case: Complaint) -> Step:
    """How AWS's bundle gets into the repository. Other partitions than the commercial one have one of their own, at places that follow no rule."""
    arn = next((service.task_definition for service in case.view.services.values()), "").split(":")
    if len(arn) > 3 and arn[1] != "aws":
        return Step(f"Get {_IN_THE_REPOSITORY} from where the RDS user guide of this partition has it ('Using SSL/TLS to encrypt a connection')")
    suffix = dns_suffix(arn[3] if len(arn) > 3 else "")
    url = f"https://truststore.pki.rds.{suffix}/global/global-bundle.pem"
    text = "The authorities of RDS are in no default trust store. In the application's repository, fetch AWS's bundle"
    return Step(text, f"curl -fsSo {_IN_THE_REPOSITORY} --create-dirs {url}")


def _host_unknown(name: str) -> Callable[[Complaint], list[Step]]:
    def steps(case: Complaint) -> list[Step]:
        replaced = case.restart._replace(text=f"Replace the tasks: they keep the {name} that they started with")
        again = [step._replace(text=f"If it stays, have Terraform write {name} again", instead=True) for step in case.rewritten(name)[:1]]
        return [replaced, *again, *case.rewritten(name)[1:]]

    return steps


def _unreachable(case: Complaint) -> list[Step]:
    return [case.restart._replace(text="Address, state and security groups are right now. Replace the tasks, which may have earlier values")]


def _written_again(name: str) -> Callable[[Complaint], list[Step]]:
    return lambda case: case.rewritten(name)


def _corrected(what: str) -> Callable[[Complaint], list[Step]]:
    return lambda case: remedies.corrected(case.view, what)


def _raised(what: str) -> Callable[[Complaint], list[Step]]:
    return lambda case: [Step(what), case.view.step("Then apply it", "infra.yml")]


def _stalled(case: Complaint) -> list[Step]:
    return [
        Step(
            "A job whose worker was killed twice is failed, whatever its `attempts` are (BullMQ's maxStalledCount). Find out why: a worker that needs longer "
            "for a stop than `stopTimeout`, one that is killed for its memory, a job that blocks the event loop ('Missing lock')"
        ),
        Step("Then retry what failed, with a command of yours in exec.yml"),
    ]


def _connections(case: Complaint) -> list[Step]:
    return [
        Step("Lower the application's pool or the number of tasks (scale.yml), or raise atena_database.instance_class"),
        case.view.step("Then apply it", "infra.yml"),
    ]


def _ended(case: Complaint) -> list[Step]:
    return [
        Step("A restart, a failover or an administrator does that, and it passes"),
        Step("If a task ended by it, its pool has no listener for errors (pg: `pool.on('error', ...)`): add one", "", True),
        case.view.step("Then release it", "deploy.yml"),
    ]


def _evicts(case: Complaint) -> list[Step]:
    return [
        case.view.step("Give the cluster its parameter group, with maxmemory-policy noeviction", "infra.yml"),
        case.restart._replace(text="Then replace the tasks, for BullMQ to check it again"),
    ]


def _architecture(case: Complaint) -> list[Step]:
    return remedies.corrected(case.view, "Build for the service's architecture (atena_services: architecture)")


_STEPS: dict[str, Callable[[Complaint], list[Step]]] = {
    "IMAGE_WRONG_ARCHITECTURE": _architecture,
    "DATABASE_CREDENTIALS_REFUSED": _credentials,
    "DATABASE_ENCRYPTION_REQUIRED": _encryption,
    "DATABASE_CERTIFICATE_REFUSED": _certificate,
    "DATABASE_CERTIFICATE_NAME": _written_again("DATABASE_URL"),
    "REDIS_CERTIFICATE_REFUSED": _written_again("REDIS_URL"),
    "REDIS_CERTIFICATE_NAME": _written_again("REDIS_URL"),
    "DATABASE_CONNECTIONS_EXHAUSTED": _connections,
    "DATABASE_FULL": _raised("Raise atena_database.allocated_storage in the inventory"),
    "DATABASE_NAME_UNKNOWN": _written_again("DATABASE_URL"),
    "SCHEMA_BEHIND": lambda case: [case.view.step("Run the migrations", "migrate.yml")],
    "REDIS_FULL": _raised("Find out why jobs pile up; then raise atena_redis.node_type in the inventory"),
    "REDIS_CREDENTIALS_REFUSED": _written_again("REDIS_URL"),
    "REDIS_READ_ONLY": _written_again("REDIS_URL"),
    "REDIS_EVICTION": _evicts,
    "BULLMQ_WITHOUT_IOREDIS": _corrected("BullMQ 6 does not bring ioredis: `npm install --save-exact ioredis`, and commit it with the lock file"),
    "JOBS_STALLED": _stalled,
    "NPM_IS_PROCESS_1": _corrected('Make the program process 1: in the Dockerfile `CMD ["node", "dist/main.js"]` instead of `npm start`'),
    "NPM_SCRIPT_MISSING": _corrected("Name the program itself in the Dockerfile's CMD, or add the script to package.json"),
    "DATABASE_CONNECTIONS_ENDED": _ended,
    "DATABASE_HOST_UNKNOWN": _host_unknown("DATABASE_URL"),
    "REDIS_HOST_UNKNOWN": _host_unknown("REDIS_URL"),
    "DATABASE_UNREACHABLE": _unreachable,
    "REDIS_UNREACHABLE": _unreachable,
    "OUT_OF_MEMORY": lambda case: remedies.memory(case.view, case.service),
    "PORT_TAKEN": _corrected("Start one server only in the container, or give the second another port"),
    "IMAGE_INCOMPLETE": _corrected("Complete the Dockerfile (copy what was compiled into the last stage; `npm ci --omit=dev` leaves out devDependencies)"),
}


def steps_for(case: Complaint) -> list[Step]:
    return _STEPS[case.code](case)
