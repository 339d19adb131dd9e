"""The memory that verbs take, beside what `undertow plan` foretells."""
