"""The provision orchestrator: one request onboards a gateway on the Magistrala platform."""
