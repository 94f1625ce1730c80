//! What a person at the command line gives a served guest: folders and raw sockets.
//!
//! Manifests grant neither; only `alula serve-component` does.

use std::sync::Arc;

use alula_policy::NetGrants;
use alula_types::Fault;
use wasmtime_wasi::WasiCtxBuilder;

use crate::command::Dir;
use crate::command::network::{self, Network};

/// Folders and sockets of one function.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The folders, in the order in which the guest finds them.
    pub dirs: Vec<Dir>,
    /// Raw sockets and name lookups; `None` grants none.
    pub net: Option<NetGrants>,
}

impl Reach {
    /// Gives it all to an instance. The network is what checks its sockets from now on.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<Option<Arc<Network>>, Fault> {
        self.dirs.iter().try_for_each(|dir| dir.give(wasi))?;
        Ok(network::grant(wasi, self.net.as_ref()))
    }
}
