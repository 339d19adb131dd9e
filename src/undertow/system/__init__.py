"""What the rest builds on and the field has no name for: lazy names, progress, the version, a sandbox for code.

It imports nothing of Undertow but its errors.
"""
