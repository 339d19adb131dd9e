"""How often an audit fails a clean student, and how often it finds what a teacher passed on."""
