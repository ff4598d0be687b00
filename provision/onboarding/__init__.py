"""Onboarding: the journal of plans, the runner that carries them out, and the undo."""
