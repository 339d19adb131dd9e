"""Dice for Undertow: a domain, a judge and a mitigation that are added from outside."""
