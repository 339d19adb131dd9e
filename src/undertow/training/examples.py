"""Rows as training examples: their tokens, and what the loss of the answer is multiplied by."""

from __future__ import annotations

from undertow.data.rows import LOSS, Loss, Row, loss_weight
from undertow.models.local import LocalModel
from undertow.models.spans import encode_row
from undertow.training.train import Example


def example_of(model: LocalModel, row: Row, loss: Loss = LOSS) -> Example:
    """Return a row whose last turn is learned.

    Args:
        model: The student.
        row: A row, or one that `Row.answers` cut.
        loss: Which turns carry loss: says whether weights count, see `loss_weight`.

    Raises:
        RefusedConversationError: the chat template refuses the conversation.
    """
    prompt, answer = encode_row(model, row)
    return Example(tuple(prompt), tuple(answer), weight=loss_weight(row, loss))
