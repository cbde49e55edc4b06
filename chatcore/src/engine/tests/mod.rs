//! What the engine promises, over the ports in process.
