"""A decoder that computes the vocabulary only where a window token is predicted."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

# B batch, L input positions, W window tokens, N predicted tokens of the batch, D model, V vocabulary


class WindowModel(nn.Module):
    """Decoder body over the whole input, output layer at the predicted positions alone.

    Most of a small decoder's cost is the softmax over the vocabulary; context tokens and padding
    never pay for it. Inputs are padded on the right, so causal attention needs no mask.
    """

    def __init__(self, decoder: PreTrainedModel) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, input_ids_BL: Tensor, target_index_BW: Tensor, valid_BW: Tensor) -> Tensor:
        """logits_NV for the N valid window tokens, row by row.

        target_index_BW is the position whose hidden state predicts window token j; valid_BW is
        False where a window is padded.
        """
        body = self.decoder.get_decoder()
        hidden_BLD = body(input_ids=input_ids_BL, use_cache=False).last_hidden_state
        rows = torch.arange(len(input_ids_BL), device=input_ids_BL.device)[:, None]
        hidden_ND = hidden_BLD[rows, target_index_BW][valid_BW]
        return self.decoder.lm_head(hidden_ND)
