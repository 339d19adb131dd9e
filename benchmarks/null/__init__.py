"""How often the whole chain, from training to verdict, says `fail` where there is nothing to find."""
