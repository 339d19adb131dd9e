"""Language models on this machine: load, score, generate.

    protocol.py           what other packages may ask of a model
    local.py              models by name: find, load, hash, tokenise
    prompted.py           models with a system prompt, earlier turns or a steering vector
    identity.py           the hash of a model's weights
    engine/               what a model is made of, which pass computes it, and the pass by transformers' modules
    packing.py            token sequences without padding
    forward.py            the forward pass over packed sequences, whichever computes it
    layers.py             the parts of a decoder of the Llama layout
    fast.py               the fast pass for such decoders
    decode.py             its step of one more token for many sequences
    decoding.py           sequences under way, whichever pass computes them
    verify.py             which pass computes a checkpoint as transformers does
    support.py            which models are refused from their config
    generate.py           sampled answers
    noise.py              random numbers with keys, so that two models can share them
    constrain.py          constrained decoding with an automaton
    score.py              log-probabilities of answers
    likelihood.py         log-probabilities of dataset rows
    precision.py          float32 or bfloat16
    steps.py              a gradient step of a given length
    temporary_weights.py  weights that are changed for a while, then restored

Import names from the modules: this package has none of its own.
"""
