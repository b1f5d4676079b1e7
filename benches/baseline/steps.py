"""The steps of a round: training of weights, of the fitness, scoring, sampling."""

import torch
from torch import nn
from torch.nn import functional as F


def optimizer(net, momentum=0.9, decay=4e-5):
    """SGD over all parameters of the supernet; weight decay on convolutions and the classifier's weight only."""
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.1, momentum=momentum, nesterov=True)


def weight_step(net, sgd, images, labels, chosen, lr):
    for group in sgd.param_groups:
        group["lr"] = lr
    sgd.zero_grad()
    loss = F.cross_entropy(net(images, chosen), labels)
    loss.backward()
    sgd.step()
    return loss.item()


def architecture_step(net, images, labels, theta, paths):
    """Two different gate vectors per cell, the second without gradient; theta gets its gradient through their probabilities.
    `paths`: per cell the two lists of gates of its active operators, and their indices. Returns the loss; theta.grad has the
    gradient."""
    x = net.stem(images)
    probabilities = []
    for cell, (active, selected, unselected) in enumerate(paths):
        p = torch.sigmoid(theta[cell]) * 0.999 + 5e-4

        def probability(gates):
            g = torch.tensor(gates, dtype=p.dtype)
            return (p * g + (1 - p) * (1 - g)).prod()

        ps, pu = probability(selected), probability(unselected)
        ps, pu = ps / (ps + pu), pu / (ps + pu)
        chosen = [[o for o, g in zip(active, gates) if g] for gates in (selected, unselected)]
        y = net.cells[cell](x, chosen[0])
        with torch.no_grad():
            other = net.cells[cell](x, chosen[1])
        ps.retain_grad()
        pu.retain_grad()
        probabilities.append((ps, pu))
        x = y * (ps + 1 - ps.detach()) + other * (pu - pu.detach())
    loss = F.cross_entropy(net.head(x), labels)
    loss.backward()
    net.zero_grad()
    return loss.item(), [[ps.grad.item(), pu.grad.item()] for ps, pu in probabilities]


def score(net, calibration, validation, chosen):
    """Accuracy of one candidate: statistics of batch-norm anew from the calibration batches, then the validation batches."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        net.train()
        for images, _ in calibration:
            net(images, chosen)
        net.eval()
        right = count = 0
        for images, labels in validation:
            right += (net(images, chosen).argmax(1) == labels).sum().item()
            count += len(labels)
        net.train()
    return right / count


def sample(prices, fixed, p, skippable, low, high, count, seed, attempts):
    """Distinct candidates inside the cost window by rejection. Gives up after so many attempts and returns what it has."""
    generator = torch.Generator().manual_seed(seed)
    found, tried = set(), 0
    while len(found) < count and tried < attempts:
        tried += 1
        candidate, cost = [], fixed
        for cell, probabilities in enumerate(p):
            while True:
                gates = torch.bernoulli(probabilities, generator=generator)
                if skippable[cell] or gates.sum() > 0:
                    break
            candidate.append(tuple(gates.int().tolist()))
            cost += float((gates * prices[cell]).sum())
        if low <= cost <= high:
            found.add(tuple(candidate))
    return len(found), tried
