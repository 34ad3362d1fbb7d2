"""The RayJob manifest: the fields KubeRay's RayJob v1 knows, and what this project promises about it.

The rules are those of the custom resource definition of KubeRay (ray.io/v1, RayJob) and of Kubernetes' pod
specification, as far as the manifest uses them. Unknown fields are refused; an API server drops them in silence.
"""

from __future__ import annotations

import copy
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml

from nested_ray.config.train import TrainConfig

ROOT = Path(__file__).parents[3]
MANIFEST = yaml.safe_load((ROOT / "docs" / "kubernetes" / "rayjob.yaml").read_text("utf-8"))

NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(m|Ki|Mi|Gi|Ti)?$"}
FLAGS = {"type": "object", "additionalProperties": {"type": "string"}}


def exactly(required, **properties):
    """An object of these properties and no others; `required` names those that must be there."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def listed(item):
    return {"type": "array", "items": item, "minItems": 1}


AMOUNTS = {
    "type": "object",
    "additionalProperties": QUANTITY,
    "required": ["cpu", "memory"],
}
CONTAINER = exactly(
    "name image securityContext resources",
    name=NAME,
    image=TEXT,
    securityContext=exactly(
        "allowPrivilegeEscalation capabilities",
        allowPrivilegeEscalation={"const": False},
        capabilities=exactly("drop", drop={"const": ["ALL"]}),
    ),
    ports=listed(
        exactly(
            "containerPort",
            name=NAME,
            containerPort={"type": "integer", "minimum": 1, "maximum": 65535},
        )
    ),
    env=listed(exactly("name value", name=TEXT, value=TEXT)),
    envFrom=listed(exactly("secretRef", secretRef=exactly("name", name=NAME))),
    volumeMounts=listed(
        exactly("name mountPath", name=NAME, mountPath=TEXT, readOnly={"type": "boolean"})
    ),
    resources=exactly("requests limits", requests=AMOUNTS, limits=AMOUNTS),
)
VOLUME = {
    "oneOf": [
        exactly("name configMap", name=NAME, configMap=exactly("name", name=NAME)),
        exactly(
            "name persistentVolumeClaim",
            name=NAME,
            persistentVolumeClaim=exactly("claimName", claimName=NAME),
        ),
        exactly(
            "name emptyDir",
            name=NAME,
            emptyDir=exactly("medium", medium={"const": "Memory"}, sizeLimit=QUANTITY),
        ),
    ]
}
POD = exactly(
    "spec",
    spec=exactly(
        "securityContext containers",
        restartPolicy={"enum": ["Never", "OnFailure"]},
        automountServiceAccountToken={"type": "boolean"},
        securityContext=exactly(
            "runAsNonRoot runAsUser seccompProfile",
            runAsNonRoot={"const": True},
            runAsUser={"type": "integer", "minimum": 1},
            runAsGroup=COUNT,
            fsGroup=COUNT,
            seccompProfile=exactly("type", type={"const": "RuntimeDefault"}),
        ),
        containers=listed(CONTAINER),
        volumes=listed(VOLUME),
    ),
)
RAY_JOB = exactly(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=exactly("name", name=NAME),
    spec=exactly(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        submitterPodTemplate=POD,
        rayClusterSpec=exactly(
            "headGroupSpec",
            rayVersion=TEXT,
            authOptions=exactly("mode", mode={"const": "token"}),
            headGroupSpec=exactly("template", rayStartParams=FLAGS, template=POD),
            workerGroupSpecs=listed(
                exactly(
                    "groupName minReplicas maxReplicas template",
                    groupName=NAME,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=FLAGS,
                    template=POD,
                )
            ),
        ),
    ),
)


def pods():
    cluster = MANIFEST["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_the_manifest_holds_what_a_ray_job_knows_and_runs_without_privileges():
    jsonschema.validate(MANIFEST, RAY_JOB)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.entrypont", "nested-ray train"),
        ("spec.rayClusterSpec.authOptions.mode", "disabled"),
        ("spec.rayClusterSpec.headGroupSpec.template.spec.securityContext.runAsUser", 0),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("spec.submitterPodTemplate.spec.hostNetwork", True),
    ],
)
def test_the_rules_refuse_what_is_wrong(path, value):
    broken = copy.deepcopy(MANIFEST)
    *parents, last = path.split(".")
    at = broken
    for name in parents:
        at = at[name]
    at[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, RAY_JOB)


def test_every_mount_has_its_volume_and_every_pod_the_shared_home():
    for pod in pods():
        spec = pod["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            environment = {each["name"]: each["value"] for each in container["env"]}
            assert mounts.keys() == volumes
            assert environment["NESTED_RAY_HOME"] == mounts["home"]
            assert container["envFrom"] == [{"secretRef": {"name": "nested-ray-storage"}}]
            assert MANIFEST["spec"]["entrypoint"].split()[-1].startswith(mounts["config"])


def test_no_secret_stands_in_the_manifest():
    named = {each["name"] for pod in pods() for c in containers(pod) for each in c["env"]}
    assert named == {"NESTED_RAY_HOME", "AWS_ENDPOINT_URL", "NESTED_RAY_BUCKET"}


def test_the_cluster_is_of_the_ray_that_is_installed():
    assert MANIFEST["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__


def test_the_object_store_fits_into_the_shared_memory_of_its_pod():
    for pod in pods():
        (shm,) = [v for v in pod["template"]["spec"]["volumes"] if v["name"] == "shm"]
        size_bytes = int(shm["emptyDir"]["sizeLimit"].removesuffix("Gi")) << 30
        assert int(pod["rayStartParams"]["object-store-memory"]) < size_bytes


def test_the_gpus_suffice_for_the_training_config_though_one_pod_is_lost():
    levels = TrainConfig.from_yaml(ROOT / "train_configs" / "cluster.yaml").levels
    (workers,) = MANIFEST["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    gpus = int(containers(workers)[0]["resources"]["limits"]["nvidia.com/gpu"])
    needed = sum(level.budget.num_workers for level in levels)
    assert gpus * (workers["minReplicas"] - 1) >= needed


def containers(pod):
    return pod["template"]["spec"]["containers"]
