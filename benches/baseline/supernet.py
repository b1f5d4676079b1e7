"""The supernet of NSE as a researcher would write it in PyTorch: a module per layer, NCHW, every candidate of the pool there from the
start. Shapes and rules are those of the published method; nothing here is slow on purpose, and nothing is tuned."""

import torch
from torch import nn


def conv(cin, cout, kernel, stride=(1, 1), dilation=1, groups=1, relu=True, norm=True):
    padding = tuple(dilation * (k - 1) // 2 for k in kernel)
    layers = [nn.Conv2d(cin, cout, kernel, stride, padding, dilation, groups, bias=False)]
    if norm:
        layers.append(nn.BatchNorm2d(cout))
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def operator(name, cin, cout, stride):
    """`mbconv_k3_t6_d2`, `mbconv_k5_t3_g1x2`, `rec_k7_t4`, `conv_k3_t1`, `dualconv_k3_t2`."""
    kind, *parts = name.split("_")
    k, t, dilation, groups = int(parts[0][1:]), int(parts[1][1:]), 1, (1, 1)
    for part in parts[2:]:
        if part[0] == "d":
            dilation = int(part[1:])
        else:
            groups = tuple(int(g) for g in part[1:].split("x"))
    width, step = cin * t, (stride, stride)
    if kind == "mbconv":
        middle = [conv(width, width, (k, k), step, dilation, groups=width)]
    elif kind == "rec":
        middle = [conv(width, width, (1, k), (1, stride)), conv(width, width, (k, 1), (stride, 1))]
    elif kind == "conv":
        middle = [conv(width, width, (k, k), step)]
    else:
        middle = [conv(width, width, (k, k)), conv(width, width, (k, k), step)]
    first = conv(cin, width, (1, 1), groups=groups[0])
    return nn.Sequential(first, *middle, conv(width, cout, (1, 1), groups=groups[1], relu=False))


class Cell(nn.Module):
    def __init__(self, kind, cin, cout, operators):
        super().__init__()
        self.shortcut = kind == "normal"
        self.branches = nn.ModuleList(operator(o, cin, cout, 2 if kind == "reduce" else 1) for o in operators)

    def forward(self, x, chosen):
        if not chosen:
            return x
        out = sum(self.branches[i](x) for i in chosen)
        return (out + x) / (len(chosen) + 1) if self.shortcut else out / len(chosen)


class Supernet(nn.Module):
    """`space`: what the benchmark program writes, see space() there."""

    def __init__(self, space):
        super().__init__()
        self.names = space["operators"]
        self.stem = conv(space["input"], space["stem"], (3, 3), (space["stem_stride"],) * 2)
        self.cells = nn.ModuleList(Cell(c["kind"], c["cin"], c["cout"], self.names) for c in space["cells"])
        self.tail = conv(space["cells"][-1]["cout"], space["tail"], (1, 1), norm=False)
        self.classifier = nn.Linear(space["tail"], space["classes"])

    def head(self, x):
        return self.classifier(self.tail(x).mean((2, 3)))

    def forward(self, images, chosen):
        x = self.stem(images)
        for cell, branches in zip(self.cells, chosen):
            x = cell(x, branches)
        return self.head(x)

    def units(self, cell, branch):
        return list(self.cells[cell].branches[branch])

    def parameters_of(self, chosen):
        """The parameters of stem, tail, classifier and the given branches: weight, scale, shift, unit after unit."""
        units = [self.stem]
        for cell, branches in enumerate(chosen):
            for branch in branches:
                units += self.units(cell, branch)
        out = [p for unit in units + [self.tail] for p in unit.parameters()]
        return out + list(self.classifier.parameters())
