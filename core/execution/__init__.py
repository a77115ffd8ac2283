"""Executes a plan: a Run asks one provider after another with a ProviderAttempt, whose Calls are paid and retried."""
