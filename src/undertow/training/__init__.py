"""Training of students.

    recipe.py  hyperparameters, and the order and learning rate of every step
    train.py   the training loop
    loss.py    cross-entropy with sampled tokens or with the teacher's distribution
    lora.py    LoRA adapters

Import names from the modules: this package has none of its own.
"""
