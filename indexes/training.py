"""What `train` does: losses, the moving average, and the loop over batches. Needs torch."""

from __future__ import annotations

import copy
import logging
import math
import random
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn import functional

from indexes.batches import MASK, POSITIVE, Batch, Mix, Neighbours, epoch
from indexes.corpus import Corpus, Tool

if TYPE_CHECKING:
    from indexes.train import Recipe

logger = logging.getLogger("train")


class Encoder:
    """A sentence-transformers model taken apart: texts to unit vectors with gradients."""

    def __init__(self, model: SentenceTransformer) -> None:
        self.model = model
        self.network = model[0].auto_model
        self.tokenizer = model.tokenizer

    def __call__(self, texts: list[str], max_tokens: int) -> torch.Tensor:
        """Encode in four groups of similar length, since padding costs as much as words."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        groups = [group.tolist() for group in np.array_split(np.array(order), min(4, len(order)))]
        vectors = torch.cat([self._encode([texts[i] for i in group], max_tokens) for group in groups])
        return vectors[torch.argsort(torch.tensor([i for group in groups for i in group]))]

    def bag_of_words(self, texts: list[str]) -> np.ndarray:
        """Return mean token embeddings as unit vectors: enough to tell which tools look alike, and at once."""
        table = self.network.get_input_embeddings().weight.detach()
        table = functional.normalize(table - table.mean(0), dim=1)
        ids = self.tokenizer(texts, truncation=True, max_length=64, add_special_tokens=False)["input_ids"]
        means = torch.stack([table[torch.tensor(sorted(set(some)) or [0])].mean(0) for some in ids])
        return functional.normalize(means - means.mean(0), dim=1).numpy()

    def _encode(self, texts: list[str], max_tokens: int) -> torch.Tensor:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
        tokens = self.network(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(tokens.dtype)
        return functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=-1)


def batch_loss(queries: torch.Tensor, tools: torch.Tensor, labels: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Contrastive loss with several positives, masked twins, and a place for "nothing fits".

    queries [q, d], tools [t, d], labels [q, t].
    """
    scores = recipe.scale * queries @ tools.T
    positive = labels == POSITIVE
    nothing = torch.full((len(scores), 1), recipe.scale * recipe.nothing_fits)
    rivals = torch.cat([scores.masked_fill(positive | (labels == MASK), -math.inf), nothing], dim=1)
    others = rivals.logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(others, scores) - scores
    by_query = (losses * positive).sum(1) / positive.sum(1).clamp(min=1)
    # Of a query that nothing serves, "nothing" is the positive.
    unanswerable = ~positive.any(1)
    by_query = torch.where(unanswerable, others.squeeze(1) - nothing.squeeze(1), by_query)
    by_tool = (
        torch.logaddexp(scores.masked_fill(labels != 0, -math.inf).logsumexp(dim=0, keepdim=True), scores) - scores
    )
    return by_query.mean() + recipe.document_weight * (by_tool * positive).sum() / positive.sum().clamp(min=1)


class Bank:
    """The vectors of the last batches' tools: further negatives that cost nothing."""

    def __init__(self, batches: int) -> None:
        self._batches: deque[tuple[list[Tool], torch.Tensor]] = deque(maxlen=batches)

    def add(self, tools: list[Tool], vectors: torch.Tensor) -> None:
        self._batches.append((tools, vectors.detach()))

    def widen(self, batch: Batch, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return vectors and labels of the batch's tools and of the remembered ones."""
        remembered = [tool for tools, _ in self._batches for tool in tools]
        labels = np.concatenate([batch.labels(batch.tools), _never_positive(batch.labels(remembered))], axis=1)
        return torch.cat([vectors, *(past for _, past in self._batches)]), torch.from_numpy(labels)


def _never_positive(labels: np.ndarray) -> np.ndarray:
    labels = labels.reshape(len(labels), -1)
    return np.where(labels == POSITIVE, MASK, labels)


class Average:
    """A moving average of the weights, which forgets less and generalises better than the last step."""

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = {name: weight.detach().clone() for name, weight in network.state_dict().items()}

    def mixed(self, start: Mapping[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
        """Return the average with a share of the weights that training started from."""
        return {
            name: weight.lerp(start[name], share) if weight.dtype.is_floating_point else weight
            for name, weight in self.weights.items()
        }

    def update(self, network: torch.nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, weight in network.state_dict().items():
            if weight.dtype.is_floating_point:
                self.weights[name].lerp_(weight.detach(), 1 - decay)


def rate_at(progress: float, recipe: Recipe) -> float:
    if progress < recipe.warmup:
        return recipe.learning_rate * progress / recipe.warmup
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def train(encoder: Encoder, corpus: Corpus, recipe: Recipe, mix: Mix, checkpoint: Path) -> None:
    rng = random.Random(recipe.seed)
    tools = [corpus.tools[tool_id] for tool_id in corpus.examples]
    vectors = encoder.bag_of_words([tool.text for tool in tools])
    neighbours = Neighbours(tools, vectors)
    optimizer = torch.optim.AdamW(encoder.network.parameters(), lr=0.0, weight_decay=recipe.weight_decay, fused=True)
    start = {name: weight.detach().clone() for name, weight in encoder.network.state_dict().items()}
    average, bank = Average(encoder.network, recipe.average), Bank(recipe.bank_batches)
    encoder.network.eval()  # without dropout: a few passes do not overfit, and dropout costs half of the time
    started, progress, passes = time.monotonic(), 0.0, 0
    while progress < 1:
        batches = list(epoch(corpus, neighbours, mix, rng))
        for number, batch in enumerate(batches):
            by_epochs = (passes + number / len(batches)) / recipe.epochs
            progress = max(by_epochs, (time.monotonic() - started) / 60 / recipe.minutes)
            if progress >= 1:
                break
            loss = step(encoder, batch, bank, recipe, optimizer, rate_at(progress, recipe))
            average.update(encoder.network)
            if number % 10 == 0:
                logger.info(
                    "%.3f epoch %d batch %d/%d queries %d loss %.3f",
                    progress,
                    passes,
                    number,
                    len(batches),
                    len(batch.examples),
                    loss,
                )
        passes += 1
        save(encoder, average.mixed(start, recipe.base_share), checkpoint)
    save(encoder, average.mixed(start, recipe.base_share), checkpoint)


def step(
    encoder: Encoder, batch: Batch, bank: Bank, recipe: Recipe, optimizer: torch.optim.Optimizer, rate: float
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    queries = encoder([example.query for example in batch.examples], recipe.query_tokens)
    tools = encoder([tool.text for tool in batch.tools], recipe.tool_tokens)
    vectors, labels = bank.widen(batch, tools)
    loss = batch_loss(queries, vectors, labels, recipe)
    bank.add(batch.tools, tools)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(encoder.network.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def save(encoder: Encoder, weights: Mapping[str, torch.Tensor], folder: Path) -> None:
    current = copy.deepcopy(encoder.network.state_dict())
    encoder.network.load_state_dict(weights)
    encoder.model.save(str(folder))
    encoder.network.load_state_dict(current)


def run(base: str, corpus: Corpus, recipe: Recipe, mix: Mix, checkpoint: Path) -> None:
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    torch.set_flush_denormal(True)
    train(Encoder(SentenceTransformer(base, device="cpu")), corpus, recipe, mix, checkpoint)
