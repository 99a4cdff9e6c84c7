"""The torch modules of the page, as their authors would have written them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TorchExample:
    """A torch module.

    Args:
        name: the stem of its source's file.
        title: the heading.
        note: what to look at.
        torch: the code that defines `module`, and `example`, the arguments of a call.
    """

    name: str
    title: str
    note: str
    torch: str


TORCH_EXAMPLES = (
    TorchExample(
        "packed_tagger",
        "From PyTorch: a tagger over packed sequences",
        "Packing becomes a mask, and the padded output is as long as the longest row, as torch makes it.",
        """\
class PackedTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 12, num_layers=2, batch_first=True, bidirectional=True, dropout=0.2)
        self.head = nn.Linear(24, 5)

    def forward(self, tokens, lengths):
        embedded = self.embedding(tokens)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        output, (h_n, c_n) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        sentence = torch.cat([h_n[-2], h_n[-1]], dim=1)
        return self.head(output), sentence


module = PackedTagger()
example = torch.randint(1, 50, (3, 7)), torch.tensor([7, 4, 2])
""",
    ),
    TorchExample(
        "attention_decoder",
        "From PyTorch: an attention decoder with a loop over GRUCell",
        "The loop over a length of any size becomes `ops.scan`, which runs compiled on every backend.",
        """\
class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys = nn.Linear(16, 12)
        self.query = nn.Linear(12, 12)
        self.score = nn.Linear(12, 1, bias=False)

    def forward(self, state, encoded):
        scores = self.score(torch.tanh(self.keys(encoded) + self.query(state).unsqueeze(1))).squeeze(-1)
        weights = F.softmax(scores, dim=1)
        return torch.bmm(weights.unsqueeze(1), encoded).squeeze(1)


class AttentionDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(6, 8, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(16, 12)
        self.attention = Attention()
        self.embedding = nn.Embedding(30, 8)
        self.cell = nn.GRUCell(24, 12)
        self.out = nn.Linear(12, 30)

    def forward(self, source, target):
        encoded, h_n = self.encoder(source)
        state = torch.tanh(self.bridge(torch.cat([h_n[0], h_n[1]], dim=1)))
        logits = []
        for t in range(target.size(1)):
            context = self.attention(state, encoded)
            state = self.cell(torch.cat([self.embedding(target[:, t]), context], dim=1), state)
            logits.append(self.out(state))
        return torch.stack(logits, dim=1)


module = AttentionDecoder()
example = torch.randn(2, 6, 6), torch.randint(0, 30, (2, 4))
""",
    ),
    TorchExample(
        "conv_gru",
        "From PyTorch: convolutions with the channels first, and a GRU",
        "Keras has the channels last, so torch's transpositions are gone; the arrays are turned instead.",
        """\
class ConvGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 10, kernel_size=5, padding=2)
        self.norm = nn.BatchNorm1d(10)
        self.pool = nn.MaxPool1d(2)
        self.gru = nn.GRU(10, 8, batch_first=True)
        self.head = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 2))

    def forward(self, x):
        features = self.pool(F.relu(self.norm(self.conv(x.transpose(1, 2)))))
        output, _ = self.gru(features.transpose(1, 2))
        return F.log_softmax(self.head(output[:, -1]), dim=-1)


module = ConvGRU()
example = (torch.randn(2, 12, 6),)
""",
    ),
)
