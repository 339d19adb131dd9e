"""Training of students.

    recipe.py    hyperparameters, and the order and learning rate of every step
    bins.py      which rows share a packed sequence
    train.py     the training loop
    loss.py      cross-entropy with sampled tokens or with the teacher's distribution, and the loss on pairs
    pairs.py     what the loss on pairs is measured from: the untrained student
    lora.py      adapters: LoRA, rank-stabilised, DoRA

Import names from the modules: this package has none of its own.
"""
