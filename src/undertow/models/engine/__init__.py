"""How a language model is computed: what it is made of, which pass suits it, and the pass that any model can take.

    network.py     the parts of a loaded model, found by looking at it
    head.py        from last hidden states to logits
    setting.py     the kind of pass that a person wants
    selection.py   the pass of a model: fast, packed or rows
    generic.py     the forward pass over a pack by transformers' own modules
    decoding.py    decoding with transformers' caches

It knows tensors and modules; it knows no text.
"""
