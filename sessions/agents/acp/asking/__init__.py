"""The requests of an agent that a person answers: permissions and questions."""
