"""Runs the baseline for benches/speed: one JSON command a line on stdin, one JSON answer a line on stdout. Tensors travel in files of
32-bit floats."""

import ctypes
import json
import sys
import time

import torch

import steps
from supernet import Supernet

state = {}


def memory():
    """Resident bytes now, and at most since the last `reset`."""
    with open("/proc/self/status") as status:
        found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status if line.startswith(("VmRSS", "VmHWM"))}
    return {"now": found["VmRSS"], "most": found["VmHWM"]}


def reset():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def read(path, shape, kind=torch.float32):
    return torch.from_file(path, shared=False, size=torch.Size(shape).numel(), dtype=kind).view(shape).clone()


def write(path, tensors):
    with open(path, "wb") as file:
        for tensor in tensors:
            flat = tensor.detach().double().contiguous()
            file.write(ctypes.string_at(flat.data_ptr(), flat.numel() * 8))


def do_build(c):
    torch.manual_seed(1)
    torch.set_num_threads(c["threads"])
    torch.ones(8).add_(1)
    state["start"] = memory()["now"]
    net = state["net"] = Supernet(c["space"])
    state["sgd"] = steps.optimizer(net)
    state["theta"] = [torch.zeros(n, requires_grad=True) for n in c["active"]]
    return {"parameters": sum(p.numel() for p in net.parameters()), "start": state["start"], "torch": torch.__version__}


def do_weights(c):
    """Takes over weights in the order of Supernet.parameters_of."""
    parameters = state["net"].parameters_of(c["chosen"])
    flat = read(c["file"], [sum(p.numel() for p in parameters)])
    with torch.no_grad():
        for p, values in zip(parameters, flat.split([p.numel() for p in parameters])):
            p.copy_(values.view(p.shape))
    return {}


def do_batch(c):
    """A batch of the given number, kept."""
    images = read(c["images"], c["shape"])
    labels = read(c["labels"], c["shape"][:1], torch.int64)
    state.setdefault("batches", {})[c["name"]] = (images, labels)
    return {}


def do_outputs(c):
    """Logits and weight gradients of one batch, in 32 or 64 bits."""
    net, (images, labels) = state["net"], state["batches"][c["batch"]]
    kind = torch.float64 if c["double"] else torch.float32
    net.to(kind)
    parameters = net.parameters_of(c["chosen"])
    logits = net(images.to(kind), c["chosen"])
    loss = torch.nn.functional.cross_entropy(logits, labels)
    gradients = torch.autograd.grad(loss, parameters)
    write(c["file"], [logits, *gradients])
    net.float()
    return {"loss": loss.item()}


def do_weight_step(c):
    images, labels = state["batches"][c["batch"]]
    begun = time.perf_counter()
    loss = steps.weight_step(state["net"], state["sgd"], images, labels, c["chosen"], c["lr"])
    return {"seconds": time.perf_counter() - begun, "loss": loss}


def do_architecture_step(c):
    net, (images, labels) = state["net"], state["batches"][c["batch"]]
    kind = torch.float64 if c["double"] else torch.float32
    net.to(kind)
    images, theta = images.to(kind), [t.detach().to(kind).requires_grad_() for t in state["theta"]]
    begun = time.perf_counter()
    loss, gradients = steps.architecture_step(net, images, labels, theta, c["paths"])
    seconds = time.perf_counter() - begun
    net.float()
    return {"seconds": seconds, "loss": loss, "gradients": gradients}


def do_score(c):
    calibration, validation = ([state["batches"][name] for name in c[key]] for key in ("calibration", "validation"))
    begun = time.perf_counter()
    accuracies = [steps.score(state["net"], calibration, validation, chosen) for chosen in c["candidates"]]
    return {"seconds": time.perf_counter() - begun, "accuracies": accuracies}


def do_round(c):
    """Steps on batches of the given positions, then as many candidates sampled as are scored after it: others, since both sides score the
    same."""
    net, sgd, theta = state["net"], state["sgd"], state["theta"]
    (images, labels), (held_out, held_out_labels) = (state["batches"][name] for name in ("train", "held_out"))
    adam = torch.optim.Adam(theta, lr=c["lr"], betas=(0.0, 0.999))
    losses = []
    begun = time.perf_counter()
    for positions, *step in c["script"]:
        positions = torch.tensor(positions)
        if len(step) == 2:
            chosen, lr = step
            losses.append(steps.weight_step(net, sgd, images[positions], labels[positions], chosen, lr))
        else:
            adam.zero_grad()
            steps.architecture_step(net, held_out[positions], held_out_labels[positions], theta, step[0])
            adam.step()
    p = [torch.sigmoid(t.detach()) * 0.999 + 5e-4 for t in theta]
    prices = [torch.tensor(cell) for cell in c["prices"]]
    steps.sample(prices, c["fixed"], p, c["skippable"], c["low"], c["high"], len(c["candidates"]), 1, 10 ** 6)
    calibration, validation = ([state["batches"][name] for name in c[key]] for key in ("calibration", "validation"))
    accuracies = [steps.score(net, calibration, validation, chosen) for chosen in c["candidates"]]
    return {"seconds": time.perf_counter() - begun, "losses": losses, "accuracies": accuracies}


def do_sample(c):
    prices, p = ([torch.tensor(cell) for cell in c[key]] for key in ("prices", "p"))
    begun = time.perf_counter()
    found, tried = steps.sample(
        prices, c["fixed"], p, c["skippable"], c["low"], c["high"], c["count"], c["seed"], c["attempts"]
    )
    return {"seconds": time.perf_counter() - begun, "found": found, "tried": tried}


def do_memory(c):
    answer = memory()
    if c["reset"]:
        reset()
    return {**answer, "start": state["start"]}


for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(globals()["do_" + command["do"]](command)), flush=True)
