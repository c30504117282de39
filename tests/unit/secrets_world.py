"""Parameter Store, a bucket and an ECS of a few lines, for the tests of rotations."""

import datetime
import io
import json

from ansible_collections.atena.aws.plugins.module_utils.core.errors import failure
from test_rollout_run import BASE, Ecs

PATH = "/atena/prod"
PARAMETER = f"arn:aws:ssm:us-east-1:1:parameter{PATH}/"
WHEN = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
OWN_KEY, CUSTOMERS_KEY = "alias/aws/ssm", "alias/customer"
LABEL = "atena-before-rotation"


class World(Ecs):
    """`reads`: {service: names of its secrets}. `spoils`: values with which the new tasks of a service that reads them fail. `calls`: the writes, in order.

    `dies_at`: a text that is in the write at which the run is killed (Killed is raised instead). `types`, `keys`: of parameters, by
    name; PutParameter without a key takes the account's own.
    """

    def __init__(self, **values):
        super().__init__()
        self.parameters = {name: [{"Value": value, "Version": 1, "Labels": []}] for name, value in values.items()}
        self.objects, self.calls, self.dies_at, self.spoils = {}, [], None, set()
        self.types, self.keys = {}, {}
        self.reads = {"api": ["A", "B"], "workers": ["B"]}
        for service in self.services.values():
            service["deployments"][0]["createdAt"] = WHEN

    def client(self, _service):
        return None

    # --- ECS ----------------------------------------------------------------------------------------------------------
    def update_service(self, cluster, service, forceNewDeployment):
        assert forceNewDeployment
        self._write(f"deploy {service}")
        described = self.services[service]
        bad = any(self.value(name) in self.spoils for name in self.reads[service])
        described["deployments"] = [
            {
                **{"id": f"{service}-{len(self.calls)}", "status": "PRIMARY", "taskDefinition": described["taskDefinition"], "pendingCount": 0},
                **{"runningCount": 0 if bad else described["desiredCount"], "failedTasks": 3 if bad else 0},
                "rolloutState": "FAILED" if bad else "COMPLETED",
            }
        ]
        return {"service": described}

    def describe_task_definition(self, taskDefinition, include):
        answer = super().describe_task_definition(taskDefinition, include)
        name = taskDefinition.removeprefix(BASE).partition(":")[0]
        secrets = [{"name": secret, "valueFrom": PARAMETER + secret} for secret in self.reads.get(name, [])]
        answer["taskDefinition"]["containerDefinitions"] = [{"name": name, "image": "i", "secrets": secrets}]
        return answer

    # --- Parameter Store ------------------------------------------------------------------------------------------------
    def value(self, name):
        return self.parameters[name][-1]["Value"] if name in self.parameters else None

    def labelled(self, name):
        """The version that has the label of a rotation; None if none has."""
        return next((entry["Version"] for entry in self.parameters[name] if LABEL in entry["Labels"]), None)

    def get_parameter_history(self, Name, WithDecryption):
        entries = self.parameters.get(Name.rsplit("/", 1)[1])
        if entries is None:
            raise failure("no", "ParameterNotFound")
        return {"Parameters": [{**entry, "Labels": list(entry["Labels"])} for entry in entries]}

    def get_parameters(self, Names, WithDecryption):
        found = [(name, self.parameters[name.rsplit("/", 1)[1]][-1]) for name in Names if name.rsplit("/", 1)[1] in self.parameters]
        return {"Parameters": [{**entry, "Name": name, "Type": "SecureString", "LastModifiedDate": WHEN} for name, entry in found]}

    def describe_parameters(self, ParameterFilters):
        [asked] = ParameterFilters
        assert (asked["Key"], asked["Option"]) == ("Name", "Equals")
        found = [(name, name.rsplit("/", 1)[1]) for name in asked["Values"] if name.rsplit("/", 1)[1] in self.parameters]
        return {"Parameters": [{"Name": name, "Type": self.types.get(short, "SecureString"), "KeyId": self.keys.get(short, OWN_KEY)} for name, short in found]}

    def put_parameter(self, Name, Value, Type, **more):
        name = Name.rsplit("/", 1)[1]
        self._write(f"put {name}")
        entries = self.parameters.setdefault(name, [])
        entries.append({"Value": Value, "Version": len(entries) + 1, "Labels": []})
        self.types[name], self.keys[name] = Type, more.get("KeyId", OWN_KEY)
        return {"Version": len(entries)}

    def label_parameter_version(self, Name, ParameterVersion, Labels):
        name = Name.rsplit("/", 1)[1]
        self._write(f"label {name}")
        self.parameters[name][ParameterVersion - 1]["Labels"] += Labels

    def unlabel_parameter_version(self, Name, ParameterVersion, Labels):
        name = Name.rsplit("/", 1)[1]
        self._write(f"unlabel {name}")
        entry = self.parameters[name][ParameterVersion - 1]
        entry["Labels"] = [label for label in entry["Labels"] if label not in Labels]

    def delete_parameter(self, Name):
        name = Name.rsplit("/", 1)[1]
        self._write(f"delete {name}")
        if self.parameters.pop(name, None) is None:
            raise failure("no", "ParameterNotFound")

    # --- The bucket -----------------------------------------------------------------------------------------------------
    def get_object(self, Bucket, Key):
        if Key not in self.objects:
            raise failure("no", "NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": str(hash(self.objects[Key]))}

    def put_object(self, Bucket, Key, Body, **condition):
        self.objects[Key] = Body
        return {"ETag": str(hash(Body))}

    def record(self):
        return json.loads(self.objects["rotations.json"])["rotations"]

    # --- The rest -------------------------------------------------------------------------------------------------------
    def describe_load_balancers(self, Names):
        raise failure("no", "LoadBalancerNotFound")

    def _write(self, what):
        if self.dies_at is not None and self.dies_at in what:
            self.dies_at = None
            raise Killed(what)
        self.calls.append(what)


class Killed(BaseException):
    """As SIGKILL: nothing is tidied up."""
