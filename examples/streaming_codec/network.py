"""The codec's network in torch, for training only: `codec.py` runs the same layers with numpy."""

import torch
from layout import (
    ANALYSIS,
    CODEBOOK_SIZE,
    CODEBOOKS,
    DECODER,
    ENCODER,
    HOP,
    LATENT,
    SIZE_FLOOR,
    SYNTHESIS,
    Layer,
)
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

_DECAY = 0.99  # of the running means that the codewords are (van den Oord et al., 2017, appendix A)
_DEAD = 0.5  # frames of a batch, in the running mean: a codeword that is chosen less often starts again elsewhere
_ROUNDS = 12  # of k-means for the first codewords
_ALPHA_FLOOR = 1e-3
_QUIET_BINS = 0.02  # of the loudest: quieter frequencies are not whitened further
_SMALL = 0.1  # how much of the network's output there is at first, beside the transform's


class Snake(nn.Module):
    """x + sin²(a·x) / a with one learned a per channel (Ziyin et al., 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply it to (batch, channel, time)."""
        alpha = self.alpha.clamp_min(_ALPHA_FLOOR)
        return x + (1 - torch.cos(2 * alpha * x)) / (2 * alpha)


class Conv(nn.Module):
    """A causal convolution: frame t sees the samples up to the end of its own stride."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.past = (layer.width - 1) * layer.dilation + 1 - layer.stride
        conv = nn.Conv1d(layer.inputs, layer.outputs, layer.width, stride=layer.stride, dilation=layer.dilation)
        self.conv = weight_norm(conv)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, channel, time); zeros stand before the beginning."""
        return self.conv(functional.pad(x, (self.past, 0)))


class Up(nn.Module):
    """A causal transposed convolution: what would reach past the last stride is cut off."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.tail = layer.width - layer.stride
        conv = nn.ConvTranspose1d(layer.inputs, layer.outputs, layer.width, stride=layer.stride)
        self.conv = weight_norm(conv, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (batch, channel, time)."""
        y = self.conv(x)
        return y[..., : y.shape[-1] - self.tail]


class Unit(nn.Module):
    """A residual unit: Snake, dilated convolution, Snake, 1×1 convolution."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.first, self.second = Snake(layer.inputs), Snake(layer.inputs)
        self.wide = Conv(layer)
        self.point = Conv(layer._replace(width=1, dilation=1))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the two convolutions find."""
        return x + self.point(self.second(self.wide(self.first(x))))


def _build(layers: tuple[Layer, ...]) -> nn.Sequential:
    makers = {"conv": Conv, "up": Up, "unit": Unit, "snake": lambda layer: Snake(layer.inputs)}
    return nn.Sequential(*(makers[layer.kind](layer) for layer in layers))


def _turned(z: Tensor) -> Tensor:
    """Return how each point of (batch, time, LATENT) turned since the frame before, as `Quantiser` codes it."""
    points = torch.view_as_complex(z.reshape(*z.shape[:2], -1, 2).contiguous())
    before = functional.pad(torch.sgn(points[:, :-1]), (0, 0, 1, 0), value=1.0)
    return torch.view_as_real(points * before.conj()).flatten(2)


class Quantiser(nn.Module):
    """Residual vector quantisation of the turn of each point against the last decoded frame.

    The codewords are running means of what they were chosen for, not parameters.
    """

    codewords: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codewords", torch.zeros(CODEBOOKS, CODEBOOK_SIZE, LATENT))
        self.register_buffer("counts", torch.ones(CODEBOOKS, CODEBOOK_SIZE))
        self.register_buffer("sums", torch.zeros(CODEBOOKS, CODEBOOK_SIZE, LATENT))

    @torch.no_grad()
    def start(self, z: Tensor) -> None:
        """Place the first codewords by k-means on latent frames (batch, time, LATENT)."""
        residual = _turned(z).flatten(0, 1)
        for book in range(CODEBOOKS):
            words = residual[torch.randperm(len(residual))[:CODEBOOK_SIZE]].clone()
            for _ in range(_ROUNDS):
                chosen = self._nearest(residual, words)
                counts = torch.bincount(chosen, minlength=CODEBOOK_SIZE)
                sums = torch.zeros_like(words).index_add_(0, chosen, residual)
                words = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), words)
            self.codewords[book] = words
            residual = residual - words[self._nearest(residual, words)]
        self.sums.copy_(self.codewords)
        self.counts.fill_(1.0)

    @torch.no_grad()
    def forward(self, z: Tensor) -> Tensor:
        """Return the decoded latent frames; in training the codewords move."""
        batch, frames, _ = z.shape
        points = torch.view_as_complex(z.reshape(batch, frames, -1, 2).contiguous())
        turn = torch.ones_like(points[:, 0])
        decoded, seen, chosen = [], [], []
        half = self.codewords.square().sum(-1) / 2
        transposed = self.codewords.transpose(1, 2).contiguous()
        for frame in points.unbind(1):
            target = frame * turn.conj()
            residual = torch.view_as_real(target).flatten(1)
            for book in range(CODEBOOKS):
                seen.append(residual)
                chosen.append(torch.addmm(half[book], residual, transposed[book], beta=-1).argmax(1))
                residual = residual - self.codewords[book][chosen[-1]]
            turned = target - torch.view_as_complex(residual.reshape(batch, -1, 2))
            value = turned * turn
            turn = torch.where(turned == 0, turn, torch.sgn(value))
            decoded.append(torch.view_as_real(value).flatten(1))
        if self.training:
            shape = (frames, CODEBOOKS, batch)
            self._move(torch.stack(seen).view(*shape, LATENT), torch.stack(chosen).view(shape))
        return torch.stack(decoded, 1)

    def _move(self, seen: Tensor, chosen: Tensor) -> None:
        for book in range(CODEBOOKS):
            values, indices = seen[:, book].flatten(0, 1), chosen[:, book].flatten()
            counts = torch.bincount(indices, minlength=CODEBOOK_SIZE).to(values.dtype)
            sums = torch.zeros_like(self.sums[book]).index_add_(0, indices, values)
            self.counts[book].lerp_(counts, 1 - _DECAY)
            self.sums[book].lerp_(sums, 1 - _DECAY)
            dead = self.counts[book] < _DEAD
            fresh = values[torch.randint(len(values), (CODEBOOK_SIZE,))]
            self.sums[book] = torch.where(dead[:, None], fresh, self.sums[book])
            self.counts[book] = torch.where(dead, torch.ones_like(counts), self.counts[book])
            self.codewords[book] = self.sums[book] / self.counts[book][:, None]

    @staticmethod
    def _nearest(values: Tensor, words: Tensor) -> Tensor:
        return (values @ words.T - words.square().sum(-1) / 2).argmax(1)


class Network(nn.Module):
    """Encoder, quantiser and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.quantiser = _build(ENCODER), _build(DECODER), Quantiser()
        self.analysis, self.synthesis = Conv(ANALYSIS), Up(SYNTHESIS)

    @torch.no_grad()
    def start(self, audio: Tensor) -> None:
        """Make the transform a whitened DCT of the frame, its lowest frequencies shuffled into a random basis.

        Shuffled, because the points that the quantiser turns must not be frequencies: turned by a wrong angle, those
        would keep the spectrum, and with it the words.
        """
        time, bins = torch.arange(HOP) + 0.5, torch.arange(LATENT)
        cosines = torch.cos(torch.pi / HOP * bins[:, None] * time) * (2 / HOP) ** 0.5
        cosines[0] /= 2**0.5
        size = (audio.reshape(-1, HOP) @ cosines.T).square().mean(0).sqrt()
        white = 1 / size.clamp_min(_QUIET_BINS * size.max())
        basis = torch.linalg.qr(torch.randn(LATENT, LATENT))[0]
        self.analysis.conv.weight = (basis @ (white[:, None] * cosines))[:, None]
        self.synthesis.conv.weight = (basis @ (cosines / white[:, None]))[:, None]
        for conv in (self.analysis.conv, self.synthesis.conv):
            conv.bias.zero_()
        for layer in (self.encoder[-1], self.decoder[-1]):
            layer.conv.weight = layer.conv.weight * _SMALL
            layer.conv.bias.zero_()

    def latent(self, audio: Tensor) -> Tensor:
        """Encode (batch, samples) to (batch, frames, LATENT)."""
        samples = audio[:, None]
        linear = self.analysis(samples)
        size = (linear.square().sum(1, keepdim=True) + SIZE_FLOOR).sqrt()
        return (linear / size.sqrt() + self.encoder(samples)).transpose(1, 2)

    def speech(self, latent: Tensor) -> Tensor:
        """Decode (batch, frames, LATENT) to (batch, samples)."""
        points = latent.transpose(1, 2)
        size = (points.square().sum(1, keepdim=True) + SIZE_FLOOR).sqrt()
        return torch.tanh(self.synthesis(points * size) + self.decoder(points))[:, 0]

    def folded(self) -> dict[str, Tensor]:
        """Return the weights with the weight norm folded in, by the names that `codec.py` reads."""
        network = Network()
        network.load_state_dict(self.state_dict())
        for module in list(network.modules()):
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                remove_parametrizations(module, "weight")
        kept = {name: value for name, value in network.state_dict().items() if not name.endswith(("counts", "sums"))}
        return {name: value.detach() for name, value in kept.items()}
