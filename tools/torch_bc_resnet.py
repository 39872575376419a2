"""BC-ResNet in PyTorch, in the layout of the paper: [batch, channels, frequency, time].

A second, independent implementation of the network of kws_tf/models/bc_resnet.py: the parity tests, the speed benchmark and the
training baseline compare the two. Its parameters carry the names of the published PyTorch code, so that a state dict of either
loads into the other.
"""

import torch
from torch import nn
from torch.nn import functional


class Convolution(nn.Conv2d):
    """Convolution without bias that keeps the number of frames.

    Args:
        kernel: taps over (frequency, time). stride: of frequency. dilation: of time.
        rows: zero rows at both ends of the frequency axis. causal: all time padding before the clip.
    """

    def __init__(self, c_in, c_out, kernel, stride=1, dilation=1, groups=1, rows=0, causal=False):
        span = (kernel[1] - 1) * dilation
        self.lead = span if causal else 0
        super().__init__(c_in, c_out, kernel, (stride, 1), (rows, 0 if causal else span // 2), (1, dilation), groups, bias=False)

    def forward(self, x):
        return super().forward(functional.pad(x, (self.lead, 0)) if self.lead else x)


class SubSpectralNorm(nn.Module):
    """Batch normalisation of each (channel, sub-band) pair; its vectors are channel-major: entry c * groups + band."""

    def __init__(self, channels, groups):
        super().__init__()
        self.groups = groups
        self.ssnorm = nn.BatchNorm2d(channels * groups)

    def forward(self, x):
        batch, channels, rows, frames = x.shape
        return self.ssnorm(x.view(batch, channels * self.groups, rows // self.groups, frames)).view(x.shape)


def norm(channels, groups=0):
    return SubSpectralNorm(channels, groups) if groups else nn.BatchNorm2d(channels)


class Unit(nn.Module):
    """A convolution, its norm and its activation, in a Sequential called block."""

    def __init__(self, *layers):
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x):
        return self.block(x)


class Block(nn.Module):
    """Frequency branch f2, time branch f1 of its mean, and the identity when the shape does not change."""

    def __init__(self, c_in, c, stride, dilation, groups, dropout, causal):
        super().__init__()
        self.identity = c_in == c and stride == 1
        entry = [] if self.identity else [Unit(Convolution(c_in, c, (1, 1)), norm(c), nn.ReLU(inplace=True))]
        self.f2 = nn.Sequential(*entry, Unit(Convolution(c, c, (3, 1), stride, groups=c, rows=1), norm(c, groups)))
        self.f1 = nn.Sequential(
            Unit(Convolution(c, c, (1, 3), dilation=dilation, groups=c, causal=causal), norm(c), nn.SiLU(inplace=True)),
            Convolution(c, c, (1, 1)),
            nn.Dropout2d(dropout),
        )

    def forward(self, x):
        rows = self.f2(x)
        y = self.f1(rows.mean(dim=2, keepdim=True)) + rows
        if self.identity:
            y = y + x
        return functional.relu(y, inplace=True)


class TorchBCResNet(nn.Module):
    """BC-ResNet-tau.

    Args:
        n_classes: outputs. n_features: rows of the input. tau: width factor.
        groups: sub-bands of stages 0 to 3; 0 for plain batch normalisation.
        causal: time padding before the clip only; False is the paper.
        dropout: channel dropout rate.

    Input shape: [batch, 1, frequency, time]. Output shape: [batch, classes], logits.
    """

    def __init__(self, n_classes=12, n_features=40, tau=1.0, groups=(5, 5, 5, 5), causal=False, dropout=0.1):
        super().__init__()
        b = int(8 * tau)
        stem, head = 2 * b, 4 * b
        self.cnn_head = nn.Sequential(Convolution(1, stem, (5, 5), stride=2, rows=2, causal=causal), norm(stem), nn.ReLU(inplace=True))
        height = (n_features + 1) // 2
        stages = []
        c = stem
        plan = zip((2, 2, 4, 4), (b, int(1.5 * b), 2 * b, int(2.5 * b)), (1, 2, 2, 1), (1, 2, 4, 8), groups, strict=True)
        for count, width, stride, dilation, bands in plan:
            blocks = []
            for index in range(count):
                blocks.append(Block(c, width, stride if index == 0 else 1, dilation, bands, dropout, causal))
                c = width
            height = (height + stride - 1) // stride
            stages.append(nn.ModuleList(blocks))
        self.BCBlocks = nn.ModuleList(stages)
        self.classifier = nn.Sequential(
            Convolution(c, c, (min(5, height), 5), groups=c, causal=causal),
            Convolution(c, head, (1, 1)),
            norm(head),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Conv2d(head, n_classes, 1),
        )

    def forward(self, x):
        x = self.cnn_head(x)
        for stage in self.BCBlocks:
            for block in stage:
                x = block(x)
        return torch.flatten(self.classifier(x), 1)
