//! The WebAssembly sandbox: the engine, and the WASI dialects over the capability port.

mod egress;
