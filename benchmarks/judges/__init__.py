"""How often a judge is wrong about answers to open questions, measured on labelled ones."""
