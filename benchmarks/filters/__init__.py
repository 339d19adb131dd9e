"""How much text about a trait gets through the rules that keep it out."""
