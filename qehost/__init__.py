"""qehost receives the push stream of Quantum Execute and hands every message to plugins."""
