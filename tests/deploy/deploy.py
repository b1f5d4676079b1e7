"""What examples/deploy says is what runs: the commands are taken out of the files and run here, with what the cluster gives made by hand (variables,
folders in place of volumes, processes in place of pods). Every way to start the ranks must find the same as one process alone.

    deploy.py ROOT TREE TOOLS OUT    TREE: an installed tree with bin/launched; TOOLS: the Go toolchain's folder, for the container file
"""

import glob
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import idx  # noqa: E402

ROOT, TREE, TOOLS, OUT = (pathlib.Path(path).resolve() for path in sys.argv[1:])
DEPLOY = ROOT / "examples" / "deploy"
# Only so that what hangs comes to an end.
SECONDS = 3600
# As in the image, and none of a launcher that runs these tests.
CLEAN = {key: value for key, value in os.environ.items() if not re.match("(PET_|SLURM_|OMPI_|RANK$|WORLD_SIZE$|LOCAL_RANK$|MASTER_)", key)}
CLEAN["PATH"] = f"{TREE}/bin:{TOOLS}:{CLEAN['PATH']}"


def images(folder):
    """Images of ten classes that can be told apart."""
    folder.mkdir(parents=True)
    shades = random.Random(1)

    def pixel(label, row, column):
        return (25 * label + shades.randrange(40)) % 256 if (row + column) % (label + 2) else 255

    for name, count in (("train", 320), ("t10k", 32)):
        idx.write(folder, name, 28, (i * 7 % 10 for i in range(count)), pixel)


def port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return str(any_port.getsockname()[1])


def documents(name):
    with open(DEPLOY / name) as file:
        found = list(yaml.safe_load_all(file))
    for document in found:
        assert document["apiVersion"] and document["kind"], (name, document)
        if document["kind"] != "KatibConfig":
            assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", document["metadata"]["name"]), document
    return {document["kind"]: document for document in found}


class Pod:
    """A container with its volumes, in a folder of its own; what pods share lies in `shared`."""

    def __init__(self, spec, container, config, shared):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert container["image"] == "nse", container
        self.places = {}
        for mount in container["volumeMounts"]:
            volume = volumes.pop(mount["name"])
            if "configMap" in volume:
                assert volume["configMap"]["name"] == config["metadata"]["name"], volume
                folder = shared / "config"
                folder.mkdir(exist_ok=True)
                for name, text in config["data"].items():
                    (folder / name).write_text(text)
            else:
                folder = {"images": OUT / "data", "results": shared}[volume["persistentVolumeClaim"]["claimName"]]
            assert mount["mountPath"] not in self.places, mount
            self.places[mount["mountPath"]] = folder
        assert not volumes, f"not mounted: {volumes}"

    def start(self, command, environment):
        """Paths of mounts become those of folders here."""
        words = []
        for word in command:
            for place, folder in self.places.items():
                word = re.sub(rf"(?<![\w/]){place}(?=/|$)", str(folder), word)
            words.append(word)
        assert words != command, f"no volume is used: {command}"
        return subprocess.Popen(words, env={**CLEAN, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait(pods, good=True):
    said = [pod.communicate(timeout=SECONDS)[0] for pod in pods]
    assert not good or all(pod.returncode == 0 for pod in pods), said
    return said


def fresh(name):
    folder = OUT / name
    folder.mkdir()
    return folder


def front(folder):
    text = (folder / "front.json").read_text()
    assert json.loads(text)["members"], text
    return text


def pytorch_job():
    found = documents("pytorchjob.yaml")
    config, job = found["ConfigMap"], found["PyTorchJob"]
    assert job["apiVersion"] == "kubeflow.org/v1"
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert set(replicas) == {"Master", "Worker"} and replicas["Master"]["replicas"] == 1
    size = sum(replica["replicas"] for replica in replicas.values())
    assert json.loads(config["data"]["search.json"])["shards"] % size == 0, "ranks without a part of the batch"

    def start(shared):
        # As the training operator: the rank is 0 for the master, and i + 1 for worker i.
        free, pods = port(), []
        for kind in ("Master", "Worker"):
            spec = replicas[kind]["template"]["spec"]
            (container,) = spec["containers"]
            assert container["name"] == "pytorch" and replicas[kind]["restartPolicy"] == "OnFailure", container
            for _ in range(replicas[kind]["replicas"]):
                environment = {"MASTER_ADDR": "localhost", "MASTER_PORT": free, "WORLD_SIZE": str(size), "RANK": str(len(pods))}
                pods.append(Pod(spec, container, config, shared).start(container["command"], environment))
        return pods

    shared = fresh("pytorchjob")
    said = wait(start(shared))
    assert all(f'"size":{size},' in text for text in said), said
    # A pod is lost when there is a checkpoint; all others end, and the job goes on when they are started again.
    for time_again in itertools.count():
        again = fresh(f"restarted{time_again}")
        pods = start(again)
        while not (again / "search.ckpt").exists():
            assert all(pod.poll() is None for pod in pods), wait(pods, good=False)
            time.sleep(0.02)
        # Without it no other ends. If it had ended before, it is all done once more.
        pods[2].send_signal(signal.SIGSTOP)
        if pods[2].poll() is None and not (again / "front.json").exists():
            break
        pods[2].send_signal(signal.SIGCONT)
        wait(pods)
    pods[2].send_signal(signal.SIGKILL)
    said = wait(pods, good=False)
    assert pods[2].returncode == -signal.SIGKILL and all(pod.returncode for pod in pods), said
    assert not (again / "front.json").exists()
    wait(start(again))
    assert front(again) == front(shared)
    return config, front(shared)


def train_job(alike):
    found = documents("trainjob.yaml")
    config, runtime, job = found["ConfigMap"], found["TrainingRuntime"], found["TrainJob"]
    assert runtime["apiVersion"] == job["apiVersion"] == "trainer.kubeflow.org/v1alpha1" and config == alike
    reference, trainer = job["spec"]["runtimeRef"], job["spec"]["trainer"]
    assert reference == {"kind": runtime["kind"], "name": runtime["metadata"]["name"]}
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert node["template"]["metadata"]["labels"]["trainer.kubeflow.org/trainjob-ancestor-step"] == "trainer"
    spec = node["template"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    # The trainer's image and command go into the container of that name.
    assert container["name"] == node["name"] == "node" and trainer["image"] == container["image"]
    processes = runtime["spec"]["mlPolicy"]["torch"]["numProcPerNode"]
    assert processes == 1
    shared, free = fresh("trainjob"), port()
    wait([
        Pod(spec, container, config, shared).start(trainer["command"], {
            "PET_NNODES": str(trainer["numNodes"]), "PET_NPROC_PER_NODE": str(processes), "PET_NODE_RANK": str(rank), "PET_MASTER_ADDR": "localhost",
            "PET_MASTER_PORT": free,
        })
        for rank in range(trainer["numNodes"])
    ])
    return front(shared)


def slurm(config):
    """sbatch runs the script on the first node; srun and scontrol are stand-ins."""
    script = DEPLOY / "search.sbatch"
    settings = dict(re.findall(r"^#SBATCH --([a-z-]+)=?(\S*)$", script.read_text(), re.MULTILINE))
    assert int(settings["ntasks"]) == 4 and "requeue" in settings, settings
    here = fresh("slurm")
    stand_ins, shared = here / "bin", here / "results"
    stand_ins.mkdir(), shared.mkdir()
    (stand_ins / "scontrol").write_text('#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && printf "localhost\\nnode2\\n"\n')
    (stand_ins / "srun").write_text("""#!/bin/sh
[ "$1" = --kill-on-bad-exit=1 ] && shift || exit 3
tasks= code=0
for task in $(seq 0 $((SLURM_NTASKS - 1))); do SLURM_PROCID=$task SLURM_LOCALID=$((task / 2)) "$@" & tasks="$tasks $!"; done
for task in $tasks; do wait $task || code=$?; done
exit $code
""")
    for stand_in in stand_ins.iterdir():
        stand_in.chmod(0o755)
    options = here / "search.json"
    options.write_text(config["data"]["search.json"])
    job = int(port()) % 10000
    environment = {
        **CLEAN, "PATH": f"{stand_ins}:{CLEAN['PATH']}", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_ID": str(job), "SLURM_NTASKS": settings["ntasks"],
    }
    subprocess.run(["bash", script, OUT / "data", shared, options], env=environment, check=True, timeout=SECONDS)
    usage = subprocess.run(["bash", script], env=environment, capture_output=True, text=True)
    assert usage.returncode == 2 and "usage" in usage.stderr, usage
    return front(shared)


def container():
    """Runs the container file's steps in a folder, but for those of apt-get."""
    text = re.sub(r"\\\n", "", (DEPLOY / "Containerfile").read_text())
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    stages = [step for step in steps if step[0] == "FROM"]
    assert stages[-1][1] == "debian:12-slim" and stages[0][1].endswith("-bookworm AS build"), stages
    tree, bundle = OUT / "image" / "nse", OUT / "image" / "tmp"
    bundle.mkdir(parents=True)
    copied = [step[1].split() for step in steps if step[0] == "COPY"]
    assert copied == [["nse-*-bundled.tar.gz", "/tmp/"], ["--from=build", "/opt/nse", "/opt/nse"]], copied
    # The tarball has libtorch inside; here a link to it will do.
    subprocess.run(["tar", "-czf", bundle / "nse-0-bundled.tar.gz", "--transform", "s,^tree,nse,", "-C", TREE.parent, TREE.name], check=True)
    ran = 0
    for kind, rest in steps:
        if kind == "RUN" and "apt-get" not in rest:
            command = rest.replace("/tmp/", f"{bundle}/")
            subprocess.run(["sh", "-ec", command], env={**CLEAN, "NSE": str(tree), "GOFLAGS": "-mod=readonly"}, check=True, timeout=SECONDS)
            ran += 1
    assert ran == 3
    variables = dict(part.split("=", 1) for step in steps if step[0] == "ENV" for part in step[1].split())
    path = variables["PATH"].replace("/opt/nse", str(tree)).replace("$PATH", "/usr/bin:/bin")
    library = variables["NSE_LIBRARY"].replace("/opt/nse", str(tree))
    environment = {"PATH": path, "NSE_LIBRARY": library, "HOME": str(OUT)}
    (command,) = [json.loads(step[1]) for step in steps if step[0] == "CMD"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    # What the manifests name is there.
    (suggestion,) = documents("katib-config.yaml")["KatibConfig"]["runtime"]["suggestions"]
    assert suggestion["algorithmName"] == "nse" and suggestion["image"] == "nse"
    for program in ("launched", "nse", *suggestion["command"]):
        assert os.path.dirname(shutil.which(program, path=path)) == str(tree / "bin"), program
    service = subprocess.Popen([*suggestion["command"], "-listen", "127.0.0.1:0"], env=environment, stderr=subprocess.PIPE, text=True)
    line = service.stderr.readline()
    service.terminate()
    assert '"msg":"listening"' in line and service.wait(timeout=SECONDS) == 0, line


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    images(OUT / "data")
    config, found = pytorch_job()
    alone = fresh("alone")
    options = alone / "search.json"
    options.write_text(config["data"]["search.json"])
    subprocess.run(["launched", OUT / "data", alone, options], env=CLEAN, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
    assert front(alone) == found
    assert train_job(config) == found
    assert slurm(config) == found
    container()
    for name in glob.glob("katib-*.yaml", root_dir=DEPLOY):
        documents(name) # bindings/go/katib runs them
    print("deploy: every way to start the ranks finds the same")


main()
