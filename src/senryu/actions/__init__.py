"""The verbs: one file each. Nouns come first, collaborators by name and contract."""
